import type { Random } from '../../shared/random.ts';
import { isChunk, type Toxic, type ToxicMeans, type ToxicRun, takeStep } from './toxic.ts';

/**
 * Cuts chunks by halving them until a piece is at most `averageBytes` + `variationBytes`, and waits `delayMs` after each.
 * Interrupted, what is left of the chunk leaves in one piece.
 */
export function createSlicer(averageBytes: number, variationBytes: number, delayMs: number): Toxic {
  return {
    capacityChunks: 1,
    closesOnRemoval: false,
    run: (means) => run(means, averageBytes, variationBytes, delayMs),
  };
}

function* run({ random }: ToxicMeans, averageBytes: number, variationBytes: number, delayMs: number): ToxicRun {
  for (;;) {
    const chunk = yield takeStep;
    if (!isChunk(chunk)) return chunk === 'end' ? 'pass' : 'interrupted';
    const { bytes, atMs } = chunk;
    let from = 0;
    for (const to of cutPoints(0, bytes.length, averageBytes, variationBytes, random)) {
      yield { kind: 'emit', chunk: { bytes: bytes.subarray(from, to), atMs } };
      from = to;
      if ((yield { kind: 'sleep', ms: delayMs }) !== 'interrupted') continue;
      if (to < bytes.length) yield { kind: 'emit', chunk: { bytes: bytes.subarray(to), atMs } };
      return 'interrupted';
    }
  }
}

/** Ends of the pieces of `[start, end)`, ascending. A cut never leaves its part, however large the variation is. */
export function cutPoints(
  start: number,
  end: number,
  averageBytes: number,
  variationBytes: number,
  random: Random,
): number[] {
  if (end - start - averageBytes <= variationBytes) return [end];
  const shift = variationBytes > 0 ? Math.floor(random() * variationBytes * 2) - variationBytes : 0;
  const middle = Math.min(end - 1, Math.max(start + 1, start + Math.floor((end - start) / 2) + shift));
  const left = cutPoints(start, middle, averageBytes, variationBytes, random);
  return [...left, ...cutPoints(middle, end, averageBytes, variationBytes, random)];
}
