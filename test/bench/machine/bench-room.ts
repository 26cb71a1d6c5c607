/**
 * Where peers are measured: the upstream and the load generator on one core, whatever is measured on the other, and an eye
 * on everybody else. A measurement during which other processes took more than `maxOthersPercent` of a core is disturbed.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LoadOptions, LoadResult } from '../load/load-options.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { takeBenchLock } from './bench-lock.ts';
import { loadCore, type PinnedProcess, pinProcess, startPinned } from './pinned-process.ts';
import { busyMs, cpuMsOf, cpuMsWithChildrenOf, rssBytesOf } from './proc.ts';

export const maxOthersPercent = 4;
const programs = dirname(fileURLToPath(import.meta.url));

export interface Measurement extends LoadResult {
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
  /** Share of its core that one process of the proxy used on average. */
  readonly cpuPercent: number;
  readonly rssBytes: number;
  /** CPU time of everybody else during the measured part, in per cent of one core. */
  readonly othersPercent: number;
}

interface Mark {
  readonly busyMs: number;
  readonly proxyMs: number;
  readonly oursMs: number;
  readonly rssBytes: number;
}

/** `ours`: processes of the bench beside this one and the proxy's. */
function takeMark({ pids }: RunningPeer, ours: readonly number[]): Mark {
  const proxyMs = sum(pids.map(cpuMsOf));
  return {
    busyMs: busyMs(),
    proxyMs,
    oursMs: proxyMs + sum(ours.map(cpuMsOf)) + cpuMsWithChildrenOf(process.pid),
    rssBytes: sum(pids.map(rssBytesOf)),
  };
}

function toMeasurement(result: LoadResult, marks: readonly Mark[], { pids }: RunningPeer): Measurement {
  const [from, to] = marks;
  if (from === undefined || to === undefined) throw new Error('the load generator did not say when it measured');
  const proxyMs = to.proxyMs - from.proxyMs;
  const othersMs = to.busyMs - from.busyMs - (to.oursMs - from.oursMs);
  return {
    ...result,
    requestsPerSecond: result.requests / result.seconds,
    cpuUsPerRequest: (proxyMs * 1_000) / result.requests,
    cpuPercent: proxyMs / result.seconds / 10 / Math.max(1, pids.length),
    rssBytes: to.rssBytes,
    othersPercent: Math.max(0, othersMs / result.seconds / 10),
  };
}

export class BenchRoom {
  readonly dir: string;
  readonly upstreamPort: number;
  readonly #upstream: PinnedProcess;
  readonly #generator: PinnedProcess;
  readonly #lines: Interface;
  readonly #unlock: () => void;

  private constructor(
    dir: string,
    upstreamPort: number,
    upstream: PinnedProcess,
    generator: PinnedProcess,
    unlock: () => void,
  ) {
    this.#unlock = unlock;
    this.dir = dir;
    this.upstreamPort = upstreamPort;
    this.#upstream = upstream;
    this.#generator = generator;
    if (generator.child.stdout === null) throw new Error('the load generator has no output');
    this.#lines = createInterface(generator.child.stdout);
  }

  static async open(): Promise<BenchRoom> {
    const unlock = await takeBenchLock();
    pinProcess(loadCore, process.pid);
    const upstream = await startPinned(loadCore, process.execPath, [join(programs, 'bench-upstream.mjs')]);
    if (upstream.child.stdout === null) throw new Error('the upstream has no output');
    const [port] = (await once(createInterface(upstream.child.stdout), 'line')) as [string];
    const generator = await startPinned(loadCore, process.execPath, [join(programs, 'load-generator.mjs')]);
    return new BenchRoom(await mkdtemp(join(tmpdir(), 'bench-')), Number(port), upstream, generator, unlock);
  }

  async measure(peer: RunningPeer, options: Omit<LoadOptions, 'port'>): Promise<Measurement> {
    const marks: Mark[] = [];
    const ours = [this.#upstream.pid, this.#generator.pid];
    const result = await this.#load({ ...options, port: peer.port }, () => marks.push(takeMark(peer, ours)));
    return toMeasurement(result, marks, peer);
  }

  /** The same for a load generator that is no process of this room, from its start to its end. */
  async measureLoad(peer: RunningPeer, upstreamPid: number, load: () => Promise<LoadResult>): Promise<Measurement> {
    const marks = [takeMark(peer, [upstreamPid])];
    const result = await load();
    marks.push(takeMark(peer, [upstreamPid]));
    return toMeasurement(result, marks, peer);
  }

  async close(): Promise<void> {
    await this.#generator.close();
    await this.#upstream.close();
    await rm(this.dir, { recursive: true, force: true });
    this.#unlock();
  }

  #load(options: LoadOptions, mark: () => void): Promise<LoadResult> {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error(`the load generator ended: ${this.#generator.said()}`));
      const onLine = (line: string) => {
        if (line === 'begin' || line === 'end') {
          mark();
          return;
        }
        this.#lines.removeListener('line', onLine);
        this.#generator.child.removeListener('exit', onExit);
        const answer = JSON.parse(line) as LoadResult | { readonly error: string };
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer);
      };
      this.#lines.on('line', onLine);
      this.#generator.child.once('exit', onExit);
      this.#generator.child.stdin?.write(`${JSON.stringify(options)}\n`);
    });
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
