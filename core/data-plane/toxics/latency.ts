import { isChunk, type Toxic, type ToxicMeans, type ToxicRun, takeStep } from './toxic.ts';

/** toxiproxy's buffer: data goes on arriving while earlier data waits, so that throughput is kept. */
const capacityChunks = 1_024;

/** Each chunk leaves `latencyMs` +- `jitterMs` after it arrived, in order. Interrupted, what waits leaves at once. */
export function createLatency(latencyMs: number, jitterMs: number): Toxic {
  return { capacityChunks, closesOnRemoval: false, run: (means) => run(means, latencyMs, jitterMs) };
}

function* run({ nowMs, random }: ToxicMeans, latencyMs: number, jitterMs: number): ToxicRun {
  for (;;) {
    const chunk = yield takeStep;
    if (!isChunk(chunk)) return chunk === 'end' ? 'pass' : 'interrupted';
    const delayMs = jitterMs > 0 ? latencyMs + (random() * 2 - 1) * jitterMs : latencyMs;
    const sleepMs = delayMs - (nowMs() - chunk.atMs);
    const wasInterrupted = (yield { kind: 'sleep', ms: sleepMs }) === 'interrupted';
    yield { kind: 'emit', chunk: wasInterrupted ? chunk : { bytes: chunk.bytes, atMs: chunk.atMs + sleepMs } };
    if (wasInterrupted) return 'interrupted';
  }
}
