import { closePeers, describe, measureRounds, startPeers, toResults } from '../compare.ts';
import { BenchRoom } from '../machine/bench-room.ts';
import { peers } from '../peers/peers.ts';
import type { BenchCase, BenchResult } from '../result.ts';

/** One proxy between client and application, HTTP/1.1 on both sides, 1 KB answers. */
export const plainHopCase: BenchCase = {
  name: 'plain-hop',
  needs: 'linux',
  run: async (say, options) => {
    const room = await BenchRoom.open();
    const started = await startPeers(room, 'hop', peers, options, say);
    const results: BenchResult[] = [];
    try {
      const seconds = options.seconds ?? (options.quick ? 1 : 1.5);
      const counts =
        options.connections.length > 0 ? options.connections : options.quick ? [32, 8, 1] : [32, 8, 1, 256];
      for (const connections of counts) {
        const load = {
          kind: 'closed',
          connections,
          sizeBytes: 1_024,
          warmUpMs: 400,
          durationMs: seconds * 1_000,
        } as const;
        const measured = await measureRounds(room, started, load, options.rounds ?? (options.quick ? 3 : 5));
        const rows = toResults('plain-hop', load, measured);
        say(`${connections} connections`);
        for (const row of rows) say(`  ${describe(row)}`);
        results.push(...rows);
      }
    } finally {
      await closePeers(started);
      await room.close();
    }
    return results;
  },
};
