import { closePeers, describe, measureRounds, startPeers, toResults } from '../compare.ts';
import { BenchRoom } from '../machine/bench-room.ts';
import type { Role } from '../peers/peer.ts';
import { peers } from '../peers/peers.ts';
import type { BenchCase, BenchResult } from '../result.ts';

/** Closed loop, 1 KB answers, at several numbers of connections: what one core gives. */
function throughputCase(name: string, role: Role): BenchCase {
  return {
    name,
    needs: 'linux',
    run: async (say, options) => {
      const room = await BenchRoom.open();
      const started = await startPeers(room, role, peers, options, say);
      const results: BenchResult[] = [];
      try {
        const seconds = options.seconds ?? (options.quick ? 0.7 : 1.5);
        const some = options.quick ? [32, 1] : [32, 8, 1, 256];
        for (const connections of options.connections.length > 0 ? options.connections : some) {
          const durationMs = seconds * 1_000;
          const load = { kind: 'closed', connections, sizeBytes: 1_024, warmUpMs: 400, durationMs } as const;
          const measured = await measureRounds(room, started, load, options.rounds ?? (options.quick ? 3 : 5));
          const rows = toResults(name, load, measured);
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
}

/** One proxy between client and application, HTTP/1.1 on both sides. */
export const plainHopCase = throughputCase('plain-hop', 'hop');
/** Two proxies with mutual TLS 1.3 between them. */
export const mtlsPairCase = throughputCase('mtls-pair', 'pair');
/** The same load through a proxy that does not look into it. */
export const tcpSpliceCase = throughputCase('tcp-splice', 'tcp');
