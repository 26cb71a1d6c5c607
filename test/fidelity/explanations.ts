import { readFileSync } from 'node:fs';
import type { FoundDifference } from './run-world.ts';

interface Explanation {
  readonly key: string;
  readonly scenario: RegExp;
  readonly what: RegExp;
}

/**
 * The explained differences stand in docs/fidelity.md, in lines of the form
 * ``- `key` scenario `/pattern/` differs in `/pattern/`: reason``; whatever matches one is explained.
 */
export function readExplanations(path: string): readonly Explanation[] {
  const line = /^- `([\w-]+)` scenario `\/(.+?)\/` differs in `\/(.+?)\/`: \S/gm;
  return [...readFileSync(path, 'utf8').matchAll(line)].map(([, key = '', scenario = '', what = '']) => ({
    key,
    scenario: new RegExp(scenario),
    what: new RegExp(what),
  }));
}

export function explain(found: FoundDifference, explanations: readonly Explanation[]): string | null {
  const hit = explanations.find(({ scenario, what }) => scenario.test(found.scenario) && what.test(found.what));
  return hit?.key ?? null;
}
