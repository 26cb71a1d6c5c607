import type { Random } from '../shared/random.ts';

/**
 * Least request, power of two choices, as Envoy does with equal weights: two draws (they may be the same one), the one
 * with fewer active requests wins, the first on a tie. `null` when there is no candidate.
 */
export function pickEndpoint<T>(
  candidates: readonly T[],
  activeRequests: (candidate: T) => number,
  random: Random,
): T | null {
  const { length } = candidates;
  if (length <= 1) return candidates[0] ?? null;
  const first = candidates[Math.floor(random() * length)];
  const second = candidates[Math.floor(random() * length)];
  if (first === undefined || second === undefined) return first ?? second ?? null;
  return activeRequests(second) < activeRequests(first) ? second : first;
}
