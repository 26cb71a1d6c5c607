import { describe, expect, it } from 'vitest';
import { DestinationRule } from '../../../core/model/destination-rule.ts';
import { VirtualService } from '../../../core/model/virtual-service.ts';
import { leafFields, usedFields } from '../../fidelity/fields.ts';
import { notCompared, sameAgain } from '../../fidelity/not-compared.ts';
import { scenarios } from '../../fidelity/scenarios/scenarios.ts';

/** "Every field that acts on a request is compared with Istio, or it is said why not", held against the schemas. */
const kinds = [
  ['VirtualService', VirtualService],
  ['DestinationRule', DestinationRule],
] as const;
const isIn = (path: string, outer: string) => path === outer || path.startsWith(`${outer}.`);

describe.each(kinds)('the fields of %s', (kind, schema) => {
  const reasons = Object.keys(notCompared[kind] ?? {});
  const fields = leafFields(schema, ['spec']).filter((path) => !sameAgain.some((place) => isIn(path, place)));
  const used = usedFields(schema, kind, scenarios);
  const isExcused = (path: string) => reasons.some((reason) => isIn(path, reason));

  it('have a scenario each, or a reason to have none', () => {
    expect(fields.length).toBeGreaterThan(60);
    expect(fields.filter((path) => !used.has(path) && !isExcused(path))).toEqual([]);
  });

  it('have a scenario in every place where the same policy may stand', () => {
    const places = sameAgain.filter((place) => leafFields(schema, ['spec']).some((path) => isIn(path, place)));
    // Within subsets, port-level settings are those of the rule itself.
    const inSubsets = (place: string) => place.startsWith('spec.subsets') && place.includes('portLevelSettings');
    expect(places.filter((place) => !used.has(place) && !inSubsets(place))).toEqual([]);
  });

  it('have no reason that is out of date', () => {
    expect(reasons.filter((reason) => !fields.some((path) => isIn(path, reason)))).toEqual([]);
    expect(reasons.filter((reason) => used.has(reason))).toEqual([]);
  });
});
