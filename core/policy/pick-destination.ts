import type { Random } from '../shared/random.ts';

/**
 * One destination of a route by weight: share = weight / sum of weights. A single destination takes all traffic
 * whatever its weight; weight 0 among several takes none. `null` when there is nothing to choose: no destination, or
 * several that all weigh 0. Source: Istio HTTPRouteDestination.weight.
 */
export function pickDestination<T extends { readonly weight: number }>(
  destinations: readonly T[],
  random: Random,
): T | null {
  if (destinations.length <= 1) return destinations[0] ?? null;
  let total = 0;
  for (const destination of destinations) total += destination.weight;
  if (total === 0) return null;
  let left = random() * total;
  let last: T | null = null;
  for (const destination of destinations) {
    if (destination.weight === 0) continue;
    if (left < destination.weight) return destination;
    left -= destination.weight;
    last = destination;
  }
  return last;
}
