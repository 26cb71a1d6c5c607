/** How many requests one request of a user can become when everything fails: retries multiply along the calls. */
import type { Finding } from '../../model/finding.ts';
import { warning } from './check-references.ts';

/** One observed call, with the retries that the caller's rules allow. */
export interface RetriedCall {
  readonly from: string;
  readonly to: string;
  readonly attempts: number;
  /** The resource that says so, as messages name it; `null`: none does. */
  readonly rule?: string | null;
}

export interface Amplification {
  readonly path: readonly string[];
  /** Requests at the end of the path for one at its beginning. */
  readonly factor: number;
  /** Of the last call that is repeated. */
  readonly rule: string | null;
}

/** A graph in which everybody calls everybody has more paths than there is time for. */
const maxSteps = 50_000;

/** The worst path through the observed calls; loops are followed once. `null`: nothing is repeated. */
export function worstAmplification(calls: readonly RetriedCall[]): Amplification | null {
  const byCaller = new Map<string, RetriedCall[]>();
  for (const call of calls) byCaller.set(call.from, [...(byCaller.get(call.from) ?? []), call]);
  let worst: Amplification = { path: [], factor: 1, rule: null };
  let steps = 0;
  const walk = (path: readonly string[], factor: number, rule: string | null) => {
    steps += 1;
    if (factor > worst.factor) worst = { path, factor, rule };
    if (steps > maxSteps) return;
    for (const call of byCaller.get(path.at(-1) ?? '') ?? []) {
      if (path.includes(call.to)) continue;
      walk([...path, call.to], factor * (call.attempts + 1), call.attempts > 0 ? (call.rule ?? rule) : rule);
    }
  };
  for (const from of byCaller.keys()) walk([from], 1, null);
  return worst.factor === 1 ? null : worst;
}

/** From this factor on it is worth a warning. */
const tooMany = 10;

export function amplificationFindings(calls: readonly RetriedCall[]): readonly Finding[] {
  const worst = worstAmplification(calls);
  if (worst === null || worst.factor < tooMany) return [];
  const { path, factor, rule } = worst;
  const message = `retries multiply along ${path.join(' -> ')}: one request can become ${factor} at ${path.at(-1)}`;
  return [
    warning(
      'RETRY_AMPLIFICATION',
      rule === null ? message : `${rule}: ${message}`,
      'Retry at one place only, best the one nearest to the user; set attempts: 0 elsewhere.',
    ),
  ];
}
