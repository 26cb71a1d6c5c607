import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { FoundDifference } from './run-world.ts';
import type { Ask } from './scenario.ts';

interface Explanation {
  readonly key: string;
  readonly scenario: RegExp;
  readonly what: RegExp;
  /** Name of a condition on request and resources; absent: none. */
  readonly when: string | undefined;
}

/**
 * The explained differences stand in docs/fidelity.md, in lines of the form
 * ``- `key` scenario `/pattern/` differs in `/pattern/` when `condition`: reason``; whatever matches one is explained.
 */
export function readExplanations(path: string): readonly Explanation[] {
  const line = /^- `([\w-]+)` scenario `\/(.+?)\/` differs in `\/(.+?)\/`(?: when `([\w-]+)`)?: \S/gm;
  const found = [...readFileSync(path, 'utf8').matchAll(line)];
  return found.map(([, key = '', scenario = '', what = '', when]) => {
    if (when !== undefined && !Object.hasOwn(conditions, when))
      throw new Error(`${path}: no condition is called ${when}`);
    return { key, scenario: new RegExp(scenario), what: new RegExp(what), when };
  });
}

export function explain(found: FoundDifference, explanations: readonly Explanation[]): string | null {
  const hit = explanations.find(
    ({ scenario, what, when }) =>
      scenario.test(found.scenario) &&
      what.test(found.what) &&
      (when === undefined || conditions[when]?.(found) === true),
  );
  return hit?.key ?? null;
}

type Condition = (found: FoundDifference) => boolean;

interface Rule {
  readonly match?: readonly object[];
}

/** What has to be so of a difference besides its name, for explanations that hold for some requests only. */
const conditions: Readonly<Record<string, Condition>> = {
  /** An upstream answers 503, and no rule may be for the caller, so that none can say what is repeated. */
  'default-retries-of-503': ({ ask, yaml }) => statusOf(ask) === 503 && rulesOf(yaml).every(isSelective),
  /** Not the body of an upstream or of a direct response. */
  'words-of-the-mesh': ({ istio }) =>
    istio === 'null' ||
    /^"(upstream (connect error|request timeout|retry limit).*|no healthy upstream|fault filter abort)?"$/.test(istio),
  /** Istio repeats what Meshdesk says once. */
  'said-twice': ({ istio, meshdesk }) => {
    const values = (text: string) => text.replaceAll('"', '').split(', ');
    return [...new Set(values(istio))].join(', ') === values(meshdesk).join(', ');
  },
};

/** All its blocks are for some callers or ports only. */
function isSelective({ match = [] }: Rule): boolean {
  const selectors = ['port', 'sourceLabels', 'sourceNamespace', 'gateways'];
  return match.length > 0 && match.every((block) => selectors.some((field) => field in block));
}

function statusOf({ order }: Ask): number {
  return order?.status ?? 200;
}

function rulesOf(yaml: string): readonly Rule[] {
  const resources = parseAllDocuments(yaml).map((document) => document.toJS() as { spec?: { http?: Rule[] } } | null);
  return resources.flatMap((resource) => resource?.spec?.http ?? []);
}
