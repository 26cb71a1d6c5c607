import type { Histogram, SparseHistogram } from '../../shared/histogram.ts';

/**
 * A sparse histogram as text, two UTF-16 units a pair: bucket, count. A few dozen bytes and one object a second and
 * edge, where arrays of pairs would take ten times as much. Counts above 65,535 become several pairs.
 */
export function packHistogram(sparse: SparseHistogram): string {
  const units: number[] = [];
  for (const [bucket, count] of sparse) {
    for (let rest = count; rest > 0; rest -= maxUnit) units.push(bucket, Math.min(rest, maxUnit));
  }
  // Made in one piece: text that is put together bit by bit keeps all its bits.
  return String.fromCharCode(...units);
}

const maxUnit = 0xffff;

export function mergePacked(into: Histogram, packed: string): void {
  const pairs: [number, number][] = [];
  for (let index = 0; index + 1 < packed.length; index += 2) {
    pairs.push([packed.charCodeAt(index), packed.charCodeAt(index + 1)]);
  }
  into.merge(pairs);
}
