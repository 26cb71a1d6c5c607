/** How many requests one request of a user can become when everything fails: retries multiply along the calls. */
import type { Finding } from '../model/finding.ts';
import { warning } from './check-references.ts';

/** One observed call, with the retries that the caller's rules allow. */
export interface RetriedCall {
  readonly from: string;
  readonly to: string;
  readonly attempts: number;
}

export interface Amplification {
  readonly path: readonly string[];
  /** Requests at the end of the path for one at its beginning. */
  readonly factor: number;
}

/** The worst path through the observed calls; loops are followed once. `null`: nothing is repeated. */
export function worstAmplification(calls: readonly RetriedCall[]): Amplification | null {
  const byCaller = new Map<string, RetriedCall[]>();
  for (const call of calls) byCaller.set(call.from, [...(byCaller.get(call.from) ?? []), call]);
  let worst: Amplification = { path: [], factor: 1 };
  const walk = (path: readonly string[], factor: number) => {
    if (factor > worst.factor) worst = { path, factor };
    for (const { to, attempts } of byCaller.get(path.at(-1) ?? '') ?? []) {
      if (!path.includes(to)) walk([...path, to], factor * (attempts + 1));
    }
  };
  for (const from of byCaller.keys()) walk([from], 1);
  return worst.factor === 1 ? null : worst;
}

/** From this factor on it is worth a warning. */
const tooMany = 10;

export function amplificationFindings(calls: readonly RetriedCall[]): readonly Finding[] {
  const worst = worstAmplification(calls);
  if (worst === null || worst.factor < tooMany) return [];
  const message = `retries multiply along ${worst.path.join(' -> ')}: one request can become ${worst.factor} at ${worst.path.at(-1)}`;
  return [
    warning(
      'RETRY_AMPLIFICATION',
      message,
      'Retry at one place only, best the one nearest to the user; set attempts: 0 elsewhere.',
    ),
  ];
}
