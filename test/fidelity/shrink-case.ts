import { parseResources } from '../../core/model/parse-resources.ts';
import { type Case, toScenario } from './generate/generate.ts';
import type { FoundDifference, WorldResult } from './run-world.ts';
import type { Scenario } from './scenario.ts';
import { sizeOf, smaller } from './shrink.ts';

/** A case has this many smaller ones at most that are tried at once. */
const maxTried = 120;
const maxRounds = 30;

/**
 * The smallest case that still shows the difference, found step by step: all cases one step smaller are run as one world, the
 * smallest that still differs goes on.
 * @param found a difference in `one`
 */
export async function shrinkCase(
  one: Case,
  found: FoundDifference,
  run: (scenarios: readonly Scenario[]) => Promise<WorldResult>,
  counts: (found: FoundDifference) => boolean,
): Promise<FoundDifference> {
  let [best, difference]: [Case, FoundDifference] = [{ ...one, asks: [found.ask] }, found];
  for (let round = 0; round < maxRounds; round += 1) {
    const steps = smaller(best)
      .filter(isAccepted)
      .sort((a, b) => sizeOf(a) - sizeOf(b))
      .slice(0, maxTried)
      .map((step, index) => ({ ...step, name: `${one.name} smaller ${index}` }));
    const { differences } = await run(steps.map(toScenario));
    const still = (name: string) => differences.find((other) => other.scenario === name && counts(other));
    const next = steps.find(({ name }) => still(name)?.what === found.what) ?? steps.find(({ name }) => still(name));
    if (next === undefined) break;
    best = next;
    difference = still(next.name) ?? difference;
  }
  return { ...difference, scenario: one.name };
}

function isAccepted(one: Case): boolean {
  const { findings } = parseResources(toScenario(one).yaml.replaceAll('{host}', 'host'), null);
  return findings.every(({ severity }) => severity !== 'error');
}
