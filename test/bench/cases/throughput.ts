import { closePeers, describe, measureRounds, type StartedPeer, startPeers, toResults } from '../compare.ts';
import type { LoadOptions } from '../load/load-options.ts';
import { failHeader } from '../load/payload.ts';
import { BenchRoom } from '../machine/bench-room.ts';
import { meshdeskVariants } from '../peers/meshdesk.ts';
import type { Peer, Role } from '../peers/peer.ts';
import { peers as allPeers } from '../peers/peers.ts';
import type { BenchCase, BenchOptions, BenchResult } from '../result.ts';

const kilobyte = 1_024;
type Load = Omit<LoadOptions, 'port'>;

interface Comparison {
  readonly name: string;
  readonly role: Role;
  readonly peers?: readonly Peer[];
  readonly rounds?: number;
  readonly loads: (options: BenchOptions, durationMs: number) => readonly Load[];
  /** Adds to the rows of one load what only this case knows. */
  readonly finish?: (rows: readonly BenchResult[]) => readonly BenchResult[];
}

function compare(comparison: Comparison): BenchCase {
  const { name, role, peers = allPeers, loads, finish = (rows) => rows } = comparison;
  return {
    name,
    needs: 'linux',
    run: async (say, options) => {
      const room = await BenchRoom.open();
      let started: StartedPeer[] = [];
      const results: BenchResult[] = [];
      try {
        started = await startPeers(room, role, peers, options, say);
        const rounds = options.rounds ?? comparison.rounds ?? (options.quick ? 3 : 5);
        const seconds = options.seconds ?? (options.quick ? 0.7 : 1);
        await warmUp(room, started, options.quick ? 700 : 1_500);
        for (const load of loads(options, seconds * 1_000)) {
          const measured = await measureRounds(started, rounds, (peer) => room.measure(peer, load));
          const { connections, sizeBytes, ratePerSecond } = load;
          const rate = ratePerSecond === undefined ? {} : { ratePerSecond };
          const rows = finish(
            toResults({ case: name, program: '', rounds: 0, connections, sizeBytes, ...rate }, measured),
          );
          const atRate = ratePerSecond === undefined ? '' : `, ${ratePerSecond} requests/s`;
          say(`${connections} connections, ${sizeBytes / kilobyte} KB${atRate}`);
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

/** Programs that compile while they run are not to be measured while they do. */
async function warmUp(room: BenchRoom, started: readonly StartedPeer[], durationMs: number): Promise<void> {
  for (const { running } of started) {
    await room.measure(running, { kind: 'closed', connections: 32, sizeBytes: kilobyte, warmUpMs: 0, durationMs });
  }
}

/** 1 KB at several numbers of connections, then larger answers. */
function throughputLoads(options: BenchOptions, durationMs: number): readonly Load[] {
  const load = { kind: 'closed', warmUpMs: 300, durationMs } as const;
  const small = options.connections.length > 0 ? options.connections : options.quick ? [32, 8, 1] : [32, 8, 1, 256];
  const large = options.quick || options.connections.length > 0 ? [] : [64, 1_024];
  return [
    ...small.map((connections) => ({ ...load, connections, sizeBytes: kilobyte })),
    ...large.map((kilobytes) => ({ ...load, connections: 32, sizeBytes: kilobytes * kilobyte })),
  ];
}

/** One proxy between client and application, HTTP/1.1 on both sides. */
export const plainHopCase = compare({ name: 'plain-hop', role: 'hop', loads: throughputLoads });
/** Two proxies with mutual TLS 1.3 between them. */
export const mtlsPairCase = compare({ name: 'mtls-pair', role: 'pair', loads: throughputLoads });
/** The same load through a proxy that does not look into it. */
export const tcpSpliceCase = compare({ name: 'tcp-splice', role: 'tcp', loads: throughputLoads });

const openLoads = (options: BenchOptions, durationMs: number): readonly Load[] =>
  [1_000, 5_000].map((ratePerSecond) => ({
    kind: 'open',
    connections: options.connections[0] ?? 32,
    sizeBytes: kilobyte,
    warmUpMs: 500,
    durationMs: durationMs * 2,
    ratePerSecond,
  }));

/** Latency that a pair adds at a constant rate, open loop. */
export const constantRateCase = compare({ name: 'constant-rate', role: 'pair', loads: openLoads });
export const constantRateHopCase = compare({ name: 'constant-rate-hop', role: 'hop', loads: openLoads });

/** A hop that asks again for the one answer in a hundred that is 503; no client may see it. */
export const retriesCase = compare({
  name: 'retries',
  role: 'retry',
  loads: (options, durationMs) =>
    (options.connections.length > 0 ? options.connections : [32, 8]).map((connections) => ({
      kind: 'closed',
      connections,
      sizeBytes: kilobyte,
      warmUpMs: 300,
      durationMs,
      headers: `${failHeader}\r\n`,
    })),
});

const churnLoads = (options: BenchOptions, durationMs: number): readonly Load[] => [
  { kind: 'churn', connections: options.connections[0] ?? 8, sizeBytes: kilobyte, warmUpMs: 300, durationMs },
];

/** A new connection for every request: what accepting one costs. */
export const churnCase = compare({ name: 'connection-churn', role: 'hop', loads: churnLoads });
/** A new connection through a pair that carries each one as it is: mutual TLS handshakes a second. */
export const handshakesCase = compare({ name: 'handshakes', role: 'tcp-pair', loads: churnLoads });

/** Memory of a hop that holds this many connections, each of which has had an answer. */
export const idleConnectionsCase = compare({
  name: 'idle-connections',
  role: 'hop',
  rounds: 1,
  finish: (rows) =>
    rows.map(({ case: name, program, connections, rssMb, rounds, disturbed, failures, firstFailure }) => ({
      case: name,
      program,
      connections,
      rssMb,
      rounds,
      disturbed,
      failures,
      ...(firstFailure === undefined ? {} : { firstFailure }),
    })) as BenchResult[],
  loads: (options) => [
    {
      kind: 'idle',
      connections: options.connections[0] ?? 10_000,
      sizeBytes: kilobyte,
      warmUpMs: 0,
      durationMs: 2_000,
    },
  ],
});

/** What features cost that are configured and do nothing, and what the counters cost. */
export const featuresCase = compare({
  name: 'features',
  role: 'hop',
  peers: meshdeskVariants,
  loads: (options, durationMs) => [
    { kind: 'closed', connections: options.connections[0] ?? 32, sizeBytes: kilobyte, warmUpMs: 300, durationMs },
  ],
  finish: (rows) => {
    const plain = rows.find(({ program }) => program === 'meshdesk');
    return rows.map((row) => ({
      ...row,
      ratioToPlain: Math.round(((row.requestsPerSecond ?? 0) / (plain?.requestsPerSecond ?? 0)) * 1_000) / 1_000,
    }));
  },
});
