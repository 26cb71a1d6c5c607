import { hashText } from '../shared/hash.ts';

/**
 * Consistent hashing: the same key goes to the same endpoint, and a change of the endpoints moves few keys. Source: Istio
 * LoadBalancerSettings.ConsistentHashLB; Envoy's ring hash and Maglev.
 */
export interface HashedEndpoint {
  /** Stable name, e.g. address and port. */
  readonly key: string;
  /** Relative share; default 1. */
  readonly weight?: number;
}

/** Index of the endpoint that a key hash belongs to; `null` when there is none. */
export type HashTable = (keyHash: number) => number | null;

/** Istio `minimumRingSize`; Envoy's upper limit of a ring. */
export const defaultRingSize = 1024;
export const maxRingSize = 8_388_608;
/** Envoy's Maglev table; a prime below 5,000,011. */
export const defaultMaglevSize = 65_537;

/** Points on a ring of at least `minSize` points, shared by weight; a key belongs to the next point clockwise. */
export function createHashRing(endpoints: readonly HashedEndpoint[], minSize = defaultRingSize): HashTable {
  const total = endpoints.reduce((sum, { weight = 1 }) => sum + weight, 0);
  if (total <= 0) return () => null;
  const least = Math.min(...endpoints.map(({ weight = 1 }) => weight).filter((weight) => weight > 0));
  // Whole numbers of points for the least endpoint, so that shares come out even.
  const scale = Math.min(Math.ceil((least / total) * minSize) / (least / total), maxRingSize);
  const points: { hash: number; index: number }[] = [];
  endpoints.forEach(({ key, weight = 1 }, index) => {
    const count = Math.round((weight / total) * scale);
    for (let point = 0; point < count; point += 1) points.push({ hash: hashText(`${key}_${point}`), index });
  });
  points.sort((a, b) => a.hash - b.hash || a.index - b.index);
  const hashes = Uint32Array.from(points, ({ hash }) => hash);
  return (keyHash) => points[firstAtLeast(hashes, keyHash)]?.index ?? points[0]?.index ?? null;
}

function firstAtLeast(sorted: Uint32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Maglev: every endpoint fills a table in its own order, in turns by weight. @param size a prime */
export function createMaglev(endpoints: readonly HashedEndpoint[], size = defaultMaglevSize): HashTable {
  const heaviest = Math.max(0, ...endpoints.map(({ weight = 1 }) => weight));
  if (heaviest <= 0) return () => null;
  const builders = endpoints.map(({ key, weight = 1 }) => ({
    offset: hashText(key) % size,
    skip: (hashText(key, 1) % (size - 1)) + 1,
    share: weight / heaviest,
    next: 0,
    due: 0,
  }));
  const table = new Int32Array(size).fill(-1);
  let filled = 0;
  for (let turn = 1; filled < size; turn += 1) {
    for (const [index, builder] of builders.entries()) {
      if (builder.share === 0 || turn * builder.share < builder.due + 1) continue;
      builder.due += 1;
      let slot = (builder.offset + builder.next * builder.skip) % size;
      while (table[slot] !== -1) {
        builder.next += 1;
        slot = (builder.offset + builder.next * builder.skip) % size;
      }
      table[slot] = index;
      builder.next += 1;
      filled += 1;
      if (filled === size) break;
    }
  }
  return (keyHash) => table[keyHash % size] ?? null;
}
