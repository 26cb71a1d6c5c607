import { isChunk, type Toxic, type ToxicMeans, type ToxicRun, takeStep } from './toxic.ts';

/** Large chunks leave in pieces of so much time. */
const intervalMs = 100;

/** `bytesPerSecond` 0: nothing passes. What a timer is late is made up for with the next chunk. */
export function createBandwidth(bytesPerSecond: number): Toxic {
  return { capacityChunks: 1, closesOnRemoval: false, run: (means) => run(means, bytesPerSecond) };
}

function* run({ nowMs }: ToxicMeans, bytesPerSecond: number): ToxicRun {
  const pieceBytes = Math.floor((bytesPerSecond * intervalMs) / 1_000);
  let owedMs = 0;
  for (;;) {
    const chunk = yield takeStep;
    if (!isChunk(chunk)) return chunk === 'end' ? 'pass' : 'interrupted';
    const { atMs } = chunk;
    let { bytes } = chunk;
    if (bytesPerSecond > 0) owedMs += (bytes.length * 1_000) / bytesPerSecond;
    while (bytes.length > pieceBytes) {
      if ((yield { kind: 'sleep', ms: intervalMs }) === 'interrupted') {
        yield { kind: 'emit', chunk: { bytes, atMs } };
        return 'interrupted';
      }
      if (pieceBytes === 0) continue;
      yield { kind: 'emit', chunk: { bytes: bytes.subarray(0, pieceBytes), atMs } };
      bytes = bytes.subarray(pieceBytes);
      owedMs -= intervalMs;
    }
    const beganMs = nowMs();
    const wasInterrupted = (yield { kind: 'sleep', ms: owedMs }) === 'interrupted';
    owedMs -= nowMs() - beganMs;
    yield { kind: 'emit', chunk: { bytes, atMs } };
    if (wasInterrupted) return 'interrupted';
  }
}
