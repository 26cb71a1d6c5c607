/**
 * Peers side by side: all of them run, one at a time is measured, in an order that changes from round to round, so that a
 * slow minute of the machine hits all alike. Ratios are taken within a round.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadOptions } from './load/load-options.ts';
import { type BenchRoom, type Measurement, maxOthersPercent } from './machine/bench-room.ts';
import type { Peer, Role, RunningPeer } from './peers/peer.ts';
import { type BenchOptions, type BenchResult, median, quantile, round, toMb } from './result.ts';

/** A disturbed measurement is repeated this often, then kept and counted. */
const maxRepeats = 2;

export interface StartedPeer {
  readonly name: string;
  readonly running: RunningPeer;
}

/** Starts those of `peers` that play `role`; says which are not here. */
export async function startPeers(
  room: BenchRoom,
  role: Role,
  peers: readonly Peer[],
  options: BenchOptions,
  say: (line: string) => void,
): Promise<StartedPeer[]> {
  const started: StartedPeer[] = [];
  for (const peer of peers.filter(({ roles }) => roles.includes(role))) {
    if (options.programs.length > 0 && !options.programs.includes(peer.name)) continue;
    const absent = peer.absent(role);
    if (absent !== null) {
      say(`${peer.name}: not present (${absent})`);
      continue;
    }
    const dir = join(room.dir, `${role}-${peer.name}`);
    await mkdir(dir, { recursive: true });
    started.push({ name: peer.name, running: await peer.start(role, { upstreamPort: room.upstreamPort, dir }) });
  }
  return started;
}

export async function closePeers(peers: readonly StartedPeer[]): Promise<void> {
  await Promise.all(peers.map(({ running }) => running.close()));
}

/** By peer, one measurement a round. */
export type Rounds = ReadonlyMap<string, readonly Measurement[]>;

export async function measureRounds(
  room: BenchRoom,
  peers: readonly StartedPeer[],
  load: Omit<LoadOptions, 'port'>,
  rounds: number,
): Promise<Rounds> {
  const measured = new Map<string, Measurement[]>(peers.map(({ name }) => [name, []]));
  for (let index = 0; index < rounds; index += 1) {
    const order = peers.map((_, at) => peers[(at + index) % peers.length] as StartedPeer);
    for (const { name, running } of order) {
      let best = await room.measure(running, load);
      if (best.requests === 0) throw new Error(`${name} answers nothing: ${best.firstFailure}`);
      for (let repeat = 0; repeat < maxRepeats && best.othersPercent > maxOthersPercent; repeat += 1) {
        const again = await room.measure(running, load);
        if (again.othersPercent < best.othersPercent) best = again;
      }
      measured.get(name)?.push(best);
    }
  }
  return measured;
}

export function toResults(caseName: string, load: Omit<LoadOptions, 'port'>, measured: Rounds): BenchResult[] {
  const nginx = measured.get('nginx');
  return [...measured].map(([program, rounds]) => {
    const middle = (pick: (one: Measurement) => number) => median(rounds.map(pick));
    const ratios = rounds.flatMap(({ requestsPerSecond }, index) => {
      const reference = nginx?.[index]?.requestsPerSecond;
      return reference === undefined ? [] : [requestsPerSecond / reference];
    });
    const failures = rounds.reduce((sum, each) => sum + each.failures, 0);
    const firstFailure = rounds.find(({ firstFailure }) => firstFailure !== null)?.firstFailure;
    return {
      case: caseName,
      program,
      connections: load.connections,
      sizeBytes: load.sizeBytes,
      ...(load.ratePerSecond === undefined ? {} : { ratePerSecond: load.ratePerSecond }),
      requestsPerSecond: Math.round(middle((one) => one.requestsPerSecond)),
      p50Us: round(
        middle((one) => one.p50Us),
        1,
      ),
      p99Us: round(
        middle((one) => one.p99Us),
        1,
      ),
      p999Us: round(
        middle((one) => one.p999Us),
        1,
      ),
      cpuUsPerRequest: round(
        middle((one) => one.cpuUsPerRequest),
        1,
      ),
      rssMb: toMb(middle((one) => one.rssBytes)),
      rounds: rounds.length,
      disturbed: rounds.filter(({ othersPercent }) => othersPercent > maxOthersPercent).length,
      failures,
      ...(firstFailure == null ? {} : { firstFailure }),
      ...(ratios.length === 0
        ? {}
        : {
            ratioToNginx: round(median(ratios), 2),
            ratioSpread: round((quantile(ratios, 0.75) - quantile(ratios, 0.25)) / 2, 2),
          }),
    };
  });
}

export function describe(result: BenchResult): string {
  const { program, requestsPerSecond = 0, ratioToNginx, ratioSpread = 0, disturbed = 0, failures = 0 } = result;
  const ratio = ratioToNginx === undefined ? '' : `${ratioToNginx.toFixed(2)} ±${ratioSpread.toFixed(2)} nginx`;
  return [
    program.padEnd(12),
    `${requestsPerSecond}/s`.padStart(9),
    ratio.padStart(17),
    `p50 ${result.p50Us} p99 ${result.p99Us} p99.9 ${result.p999Us} us`.padStart(38),
    `cpu ${result.cpuUsPerRequest} us`.padStart(13),
    `${result.rssMb} MB`.padStart(9),
    disturbed > 0 ? ` ${disturbed}/${result.rounds} rounds disturbed` : '',
    failures > 0 ? ` ${failures} FAILED: ${result.firstFailure}` : '',
  ].join(' ');
}
