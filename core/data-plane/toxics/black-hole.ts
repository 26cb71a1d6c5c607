import { isChunk, type Toxic, type ToxicRun } from './toxic.ts';

/**
 * toxiproxy's `timeout`: all data is dropped; the connection is closed `timeoutMs` after the last data, 0: never. Taken
 * away it closes the connection, in which bytes are missing.
 */
export function createBlackHole(timeoutMs: number): Toxic {
  return { capacityChunks: 1, closesOnRemoval: true, run: () => run(timeoutMs > 0 ? timeoutMs : null) };
}

function* run(withinMs: number | null): ToxicRun {
  for (;;) {
    const outcome = yield { kind: 'take', withinMs };
    if (isChunk(outcome)) continue;
    return outcome === 'end' ? 'pass' : outcome === 'elapsed' ? 'close' : 'interrupted';
  }
}
