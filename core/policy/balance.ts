import type { Random } from '../shared/random.ts';
import { pickEndpoint } from './pick-endpoint.ts';

/**
 * Choosing among endpoints without a key. Weights are relative; all equal unless warm-up or the configuration says otherwise.
 * Source: Istio LoadBalancerSettings.simple, Envoy load_balancers.rst.
 */
export interface Balancer<T> {
  pick(candidates: readonly T[]): T | null;
}

export interface BalanceOptions<T> {
  readonly random: Random;
  readonly activeRequests: (candidate: T) => number;
  /** Relative weight > 0. Default: all equal. */
  readonly weightOf?: (candidate: T) => number;
}

/** One after the other; with different weights by smooth weighted turns. A changed list starts at a drawn place. */
export function createRoundRobin<T>({ random, weightOf }: BalanceOptions<T>): Balancer<T> {
  let known: readonly T[] | null = null;
  let next = 0;
  const credit = new Map<T, number>();
  return {
    pick(candidates) {
      if (candidates !== known) {
        known = candidates;
        next = Math.floor(random() * candidates.length);
        credit.clear();
      }
      if (weightOf !== undefined && !areEqual(candidates, weightOf)) return takeTurn(candidates, weightOf, credit);
      const picked = candidates[next % Math.max(1, candidates.length)] ?? null;
      next = (next + 1) % Math.max(1, candidates.length);
      return picked;
    },
  };
}

export function createRandomChoice<T>({ random, weightOf }: BalanceOptions<T>): Balancer<T> {
  return {
    pick: (candidates) =>
      weightOf === undefined || areEqual(candidates, weightOf)
        ? (candidates[Math.floor(random() * candidates.length)] ?? null)
        : drawByWeight(candidates, weightOf, random),
  };
}

/** Two draws, the less busy one; with different weights by turns with weight / (active requests + 1) (Envoy, bias 1). */
export function createLeastRequest<T>({ random, weightOf, activeRequests }: BalanceOptions<T>): Balancer<T> {
  const credit = new Map<T, number>();
  return {
    pick(candidates) {
      if (weightOf === undefined || areEqual(candidates, weightOf))
        return pickEndpoint(candidates, activeRequests, random);
      return takeTurn(candidates, (candidate) => weightOf(candidate) / (activeRequests(candidate) + 1), credit);
    },
  };
}

function areEqual<T>(candidates: readonly T[], weightOf: (candidate: T) => number): boolean {
  const [first] = candidates;
  if (first === undefined) return true;
  const weight = weightOf(first);
  return candidates.every((candidate) => weightOf(candidate) === weight);
}

/** Smooth weighted round robin: everybody earns its weight, the richest is served and pays the sum. */
function takeTurn<T>(candidates: readonly T[], weightOf: (candidate: T) => number, credit: Map<T, number>): T | null {
  for (const candidate of credit.keys()) if (!candidates.includes(candidate)) credit.delete(candidate);
  let total = 0;
  let best: T | null = null;
  let most = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    const weight = weightOf(candidate);
    total += weight;
    const earned = (credit.get(candidate) ?? 0) + weight;
    credit.set(candidate, earned);
    if (earned > most) [best, most] = [candidate, earned];
  }
  if (best !== null) credit.set(best, most - total);
  return best;
}

function drawByWeight<T>(candidates: readonly T[], weightOf: (candidate: T) => number, random: Random): T | null {
  let left = random() * candidates.reduce((sum, candidate) => sum + weightOf(candidate), 0);
  for (const candidate of candidates) {
    left -= weightOf(candidate);
    if (left < 0) return candidate;
  }
  return candidates.at(-1) ?? null;
}

/**
 * Warm-up (Istio `warmup`, Envoy slow start): share of its weight that a new endpoint gets.
 * max(minimumPercent, progress^(1 / aggression)); linear with aggression 1.
 */
export function warmUpShare(ageMs: number, durationMs: number, minimumPercent = 10, aggression = 1): number {
  if (ageMs >= durationMs) return 1;
  const progress = Math.max(ageMs, 1) / durationMs;
  return Math.max(minimumPercent / 100, progress ** (1 / aggression));
}
