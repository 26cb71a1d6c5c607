import { isChunk, type Toxic, type ToxicRun, takeStep } from './toxic.ts';

/** Delays the end of the stream, nothing else. Interrupted while it does, the end passes at once. */
export function createSlowClose(delayMs: number): Toxic {
  return { capacityChunks: 1, closesOnRemoval: false, run: () => run(delayMs) };
}

function* run(delayMs: number): ToxicRun {
  for (;;) {
    const chunk = yield takeStep;
    if (chunk === 'interrupted') return 'interrupted';
    if (isChunk(chunk)) {
      yield { kind: 'emit', chunk };
    } else {
      yield { kind: 'sleep', ms: delayMs };
      return 'pass';
    }
  }
}
