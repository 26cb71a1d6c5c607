/**
 * Peers side by side: all of them run, one at a time is measured, in an order that changes from round to round, so that a
 * slow minute of the machine hits all alike. Ratios are taken within a round.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchRoom, type Measurement, maxOthersPercent } from './machine/bench-room.ts';
import type { Peer, Role, RunningPeer } from './peers/peer.ts';
import { type BenchOptions, type BenchResult, median, quantile, round, toMb } from './result.ts';

/** Disturbed measurements are repeated, this many for each peer in all; then they are kept and counted. */
const repeatsPerPeer = 1;

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
  upstreamPort = room.upstreamPort,
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
    started.push({ name: peer.name, running: await peer.start(role, { upstreamPort, dir, profile: options.profile }) });
  }
  return started;
}

export async function closePeers(peers: readonly StartedPeer[]): Promise<void> {
  await Promise.all(peers.map(({ running }) => running.close()));
}

/** By peer, one measurement a round. */
export type Rounds = ReadonlyMap<string, readonly Measurement[]>;

export async function measureRounds(
  peers: readonly StartedPeer[],
  rounds: number,
  measure: (peer: RunningPeer) => Promise<Measurement>,
): Promise<Rounds> {
  const measured = new Map<string, Measurement[]>(peers.map(({ name }) => [name, []]));
  let repeats = repeatsPerPeer * peers.length;
  for (let index = 0; index < rounds; index += 1) {
    const order = peers.map((_, at) => peers[(at + index) % peers.length] as StartedPeer);
    for (const { name, running } of order) {
      let best = await measure(running).catch((error: unknown) => {
        throw new Error(`${name} cannot be measured: ${String(error)}`, { cause: error });
      });
      if (best.requests === 0) throw new Error(`${name} answers nothing: ${best.firstFailure}`);
      if (best.othersPercent > maxOthersPercent && repeats > 0) {
        repeats -= 1;
        const again = await measure(running);
        if (again.othersPercent < best.othersPercent) best = again;
      }
      measured.get(name)?.push(best);
    }
  }
  return measured;
}

/** What the rows of one comparison have in common. */
export type RowFrame = Pick<BenchResult, 'case'> & Partial<BenchResult>;

export function toResults(frame: RowFrame, measured: Rounds): BenchResult[] {
  return [...measured].map(([program, rounds]) => {
    const middle = (pick: (one: Measurement) => number) => median(rounds.map(pick));
    const failures = rounds.reduce((sum, each) => sum + each.failures, 0);
    const firstFailure = rounds.find((each) => each.firstFailure !== null)?.firstFailure;
    return {
      ...frame,
      program,
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
      cpuPercent: round(
        middle((one) => one.cpuPercent),
        1,
      ),
      rssMb: toMb(middle((one) => one.rssBytes)),
      rounds: rounds.length,
      disturbed: rounds.filter(({ othersPercent }) => othersPercent > maxOthersPercent).length,
      failures,
      ...(firstFailure == null ? {} : { firstFailure }),
      ...toRatios(rounds, measured.get('nginx')),
      ...toAdded(rounds, measured),
    };
  });
}

const pairs = (one: readonly Measurement[], other: readonly Measurement[]) =>
  one.flatMap((left, index) => {
    const right = other[index];
    return right === undefined ? [] : [[left, right] as const];
  });

function toRatios(rounds: readonly Measurement[], nginx: readonly Measurement[] | undefined): Partial<BenchResult> {
  if (nginx === undefined) return {};
  const ratios = pairs(rounds, nginx).map(([own, peer]) => own.requestsPerSecond / peer.requestsPerSecond);
  const cpu = pairs(rounds, nginx).map(([own, peer]) => peer.cpuUsPerRequest / own.cpuUsPerRequest);
  return {
    ratioToNginx: round(median(ratios), 2),
    ratioSpread: round((quantile(ratios, 0.75) - quantile(ratios, 0.25)) / 2, 2),
    ...(cpu.every(Number.isFinite) ? { cpuRatioToNginx: round(median(cpu), 2) } : {}),
  };
}

/** Only where a constant rate was asked for: under a closed loop, latency is throughput in another guise. */
function toAdded(rounds: readonly Measurement[], measured: Rounds): Partial<BenchResult> {
  const direct = measured.get('direct');
  if (direct === undefined || rounds === direct || rounds[0]?.lateP50Us === undefined) return {};
  const added = (of: readonly Measurement[], pick: (one: Measurement) => number) =>
    median(pairs(of, direct).map(([own, without]) => pick(own) - pick(without)));
  const nginx = measured.get('nginx');
  const toNginx = (pick: (one: Measurement) => number) =>
    nginx === undefined ? Number.NaN : round(added(rounds, pick) / added(nginx, pick), 2);
  return {
    addedP50Us: round(
      added(rounds, (one) => one.p50Us),
      1,
    ),
    addedP99Us: round(
      added(rounds, (one) => one.p99Us),
      1,
    ),
    addedP999Us: round(
      added(rounds, (one) => one.p999Us),
      1,
    ),
    addedP50ToNginx: toNginx((one) => one.p50Us),
    addedP99ToNginx: toNginx((one) => one.p99Us),
  };
}

export function describe(result: BenchResult): string {
  if (result.requestsPerSecond === undefined) {
    const failed = (result.failures ?? 0) > 0 ? ` ${result.failures} FAILED: ${result.firstFailure}` : '';
    return `${result.program.padEnd(16)} ${result.rssMb} MB${failed}`;
  }
  const { program, requestsPerSecond = 0, disturbed = 0, failures = 0, addedP50Us } = result;
  const { ratioToNginx, ratioSpread = 0, cpuRatioToNginx = Number.NaN, ratioToPlain } = result;
  const latency =
    addedP50Us === undefined
      ? `p50 ${result.p50Us} p99 ${result.p99Us} p99.9 ${result.p999Us} us`
      : `adds p50 ${addedP50Us} p99 ${result.addedP99Us} p99.9 ${result.addedP999Us} us`;
  return [
    program.padEnd(16),
    `${requestsPerSecond}/s`.padStart(9),
    (ratioToNginx === undefined ? '' : `${ratioToNginx.toFixed(2)} ±${ratioSpread.toFixed(2)} nginx`).padStart(17),
    (ratioToPlain === undefined ? '' : `${ratioToPlain.toFixed(3)} of plain`).padStart(14),
    latency.padStart(42),
    `cpu ${result.cpuUsPerRequest} us`.padStart(13),
    Number.isNaN(cpuRatioToNginx) ? '' : `(${cpuRatioToNginx.toFixed(2)})`,
    `${result.rssMb} MB`.padStart(9),
    disturbed > 0 ? ` ${disturbed}/${result.rounds} disturbed` : '',
    failures > 0 ? ` ${failures} FAILED: ${result.firstFailure}` : '',
  ].join(' ');
}
