import { isChunk, type Toxic, type ToxicRun, takeStep } from './toxic.ts';

/** Lets `limitBytes` of a connection pass, then closes it. Changes of other toxics leave the count alone. */
export function createLimitData(limitBytes: number): Toxic {
  let leftBytes = limitBytes;
  function* run(): ToxicRun {
    for (;;) {
      const chunk = yield takeStep;
      if (!isChunk(chunk)) return chunk === 'end' ? 'pass' : 'interrupted';
      const bytes = chunk.bytes.subarray(0, leftBytes);
      leftBytes -= bytes.length;
      if (bytes.length > 0) yield { kind: 'emit', chunk: { bytes, atMs: chunk.atMs } };
      if (leftBytes === 0) return 'close';
    }
  }
  return { capacityChunks: 1, closesOnRemoval: false, run };
}
