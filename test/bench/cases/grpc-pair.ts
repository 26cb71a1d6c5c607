import { closePeers, describe, measureRounds, type StartedPeer, startPeers, toResults } from '../compare.ts';
import { h2loadAbsent, runH2load } from '../load/h2load.ts';
import { BenchRoom } from '../machine/bench-room.ts';
import { checkUnary, grpcUpstreamAbsent, startGrpcUpstream } from '../machine/grpc-upstream.ts';
import { peers } from '../peers/peers.ts';
import type { BenchCase, BenchResult } from '../result.ts';

const streams = 4;

/** Drops peers through which a call does not come back as it should, and says so. */
async function onlyWorking(started: readonly StartedPeer[], say: (line: string) => void): Promise<StartedPeer[]> {
  const working: StartedPeer[] = [];
  for (const peer of started) {
    const problem = await checkUnary(peer.running.port);
    if (problem === null) working.push(peer);
    else say(`${peer.name}: left out, a unary call fails: ${problem}`);
  }
  return working;
}

/** gRPC unary calls (100 bytes each way) through two proxies with mutual TLS between them, HTTP/2 with prior knowledge outside. */
export const grpcPairCase: BenchCase = {
  name: 'grpc-pair',
  needs: 'linux',
  run: async (say, options) => {
    const absent = h2loadAbsent() ?? grpcUpstreamAbsent();
    if (absent !== null) {
      say(`left out: ${absent}`);
      return [];
    }
    const room = await BenchRoom.open();
    const upstream = await startGrpcUpstream(room.dir);
    let started: StartedPeer[] = [];
    const results: BenchResult[] = [];
    try {
      started = await startPeers(room, 'grpc', peers, options, say, upstream.port);
      const working = await onlyWorking(started, say);
      for (const connections of options.connections.length > 0 ? options.connections : [32, 8, 1]) {
        const load = { connections, streams, requests: options.quick ? 8_000 : 20_000, dir: room.dir };
        const rounds = options.rounds ?? (options.quick ? 3 : 5);
        const run = (requests: number) => (peer: StartedPeer['running']) =>
          room.measureLoad(peer, upstream.pid, () => runH2load({ ...load, requests, port: peer.port }));
        await measureRounds(working, 1, run(3_000));
        const measured = await measureRounds(working, rounds, run(load.requests));
        const rows = toResults({ case: 'grpc-pair', program: '', rounds: 0, connections }, measured);
        say(`${connections} connections, ${streams} calls at a time on each`);
        for (const row of rows) say(`  ${describe(row)}`);
        results.push(...rows);
      }
    } finally {
      await closePeers(started);
      await upstream.close();
      await room.close();
    }
    return results;
  },
};
