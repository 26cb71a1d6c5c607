import { describe, expect, it } from 'vitest';
import { documentedFields, fieldDoc } from '../../../core/model/field-docs.ts';
import { apiVersionsOf, knownKinds, schemaOf } from '../../../core/model/resource-schemas.ts';
import { fieldsAt, typeAt, valuesAt } from '../../../core/model/schema-keys.ts';

/** Every path of a kind's schema, without indices, down to eight fields. */
function pathsOf(kind: string): Set<string> {
  const found = new Set<string>();
  for (const apiVersion of apiVersionsOf(kind)) {
    const known = schemaOf(apiVersion, kind);
    if (!('schema' in known)) continue;
    const walk = (path: readonly (string | number)[], names: readonly string[]) => {
      if (names.length > 8) return;
      for (const inside of [path, [...path, 0]]) {
        for (const field of fieldsAt(known.schema, inside)) {
          found.add([...names, field].join('.'));
          walk([...inside, field], [...names, field]);
        }
      }
    };
    walk([], []);
  }
  return found;
}

describe('words on fields', () => {
  const paths = new Map(knownKinds.map((kind) => [kind, [...pathsOf(kind)]]));
  const has = (kind: string, field: string) =>
    (paths.get(kind) ?? []).some((path) => path === field || path.endsWith(`.${field}`));

  it.each(documentedFields())('$kind: $field is a field', ({ kind, field }) => {
    const kinds = kind === null ? knownKinds : [kind];
    expect(kinds.some((one) => has(one, field))).toBe(true);
  });

  it('takes the longest end of the path that something is written of', () => {
    const http = (...rest: string[]) => fieldDoc('VirtualService', ['spec', 'http', 0, ...rest]);
    expect(http('timeout')).toContain('504');
    expect(http('retries', 'attempts')).toContain('Attempts beyond the first');
    expect(fieldDoc('DestinationRule', ['spec', 'trafficPolicy', 'tls', 'mode'])).toContain('ISTIO_MUTUAL');
    expect(fieldDoc('Gateway', ['spec', 'servers', 0, 'tls', 'mode'])).toContain('PASSTHROUGH');
    expect(fieldDoc('VirtualService', ['spec', 'nothing'])).toBeNull();
    expect(fieldDoc(null, ['kind'])).toContain('What the resource is');
  });
});

describe('what a schema takes at a path', () => {
  const known = schemaOf('networking.istio.io/v1', 'DestinationRule');
  if (!('schema' in known)) throw new Error('there is no schema');
  const policy = ['spec', 'trafficPolicy'];

  it('lists the values of enumerations and booleans', () => {
    expect(valuesAt(known.schema, [...policy, 'loadBalancer', 'simple'])).toContain('ROUND_ROBIN');
    expect(valuesAt(known.schema, [...policy, 'tls', 'insecureSkipVerify'])).toEqual(['true', 'false']);
    expect(valuesAt(known.schema, ['apiVersion'])).toContain('networking.istio.io/v1');
    expect(valuesAt(known.schema, ['spec', 'host'])).toEqual([]);
  });

  it('names what is written there', () => {
    expect(typeAt(known.schema, ['spec', 'host'])).toBe('text');
    expect(typeAt(known.schema, ['spec', 'subsets'])).toBe('list');
    expect(typeAt(known.schema, ['spec', 'subsets', 0, 'labels'])).toBe('map');
    expect(typeAt(known.schema, [...policy, 'outlierDetection', 'interval'])).toBe('text');
    expect(typeAt(known.schema, [...policy, 'outlierDetection', 'maxEjectionPercent'])).toBe('number');
    expect(typeAt(known.schema, ['spec', 'nothing'])).toBe('');
  });
});
