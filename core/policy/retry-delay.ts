import type { Random } from '../shared/random.ts';

/** Envoy's default base interval. */
export const defaultRetryBaseMs = 25;

/**
 * Milliseconds to wait before a repetition: uniform in [0, next), next = base, 2 x base, 4 x base ... up to 10 x base.
 * Source: Envoy's backoff_strategy.cc (its documentation says (2^N - 1) x base).
 * @param repetition 1 for the first one
 */
export function retryDelayMs(
  repetition: number,
  random: Random,
  baseMs = defaultRetryBaseMs,
  maxMs = 10 * baseMs,
): number {
  const next = Math.min(baseMs * 2 ** Math.min(repetition - 1, 30), maxMs);
  return Math.floor(random() * next);
}
