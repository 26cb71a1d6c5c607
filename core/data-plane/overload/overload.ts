/**
 * Keeps the sidecar alive under more than it can carry: watches what is scarce, and sheds before it runs out.
 *
 *   signal   one scarce thing and how much of it is used: connections, requests, bytes that wait, heap, memory, event loop
 *   level    none; `shed`: new requests are answered 503 with flag `OM`, as Envoy's overload manager does; `refuse`: new
 *            connections are reset as well. What is under way goes on, and the control stream always does
 *
 * A level is left only well below where it began, so that it does not flutter. The event loop alone never refuses
 * connections: a machine that was asleep is not overloaded. Pure but for the clock and the readings it is given.
 */
import type { OverloadFigures } from '../../model/telemetry-report.ts';

export type OverloadLevel = OverloadFigures['level'];

export interface OverloadLimits {
  /** Accepted and open, over all listeners and through one of them: one side must not starve the other. */
  readonly connections: number;
  readonly connectionsPerListener: number;
  readonly requests: number;
  /** Open at once, connections and everything else. */
  readonly openFiles: number;
  /** Kept for whoever is slow, over all connections: wire/held-bytes.ts. */
  readonly bufferedBytes: number;
  /** Share of the heap's limit, 0 to 1. */
  readonly heapShare: number;
  readonly rssBytes: number;
  /** How late timers are, in every sample of `lagSamples` in a row. */
  readonly lagMs: number;
}

export const defaultLimits: OverloadLimits = {
  connections: 16_384,
  connectionsPerListener: 12_288,
  requests: 8_192,
  openFiles: Number.POSITIVE_INFINITY,
  bufferedBytes: 128 * 1024 * 1024,
  heapShare: 0.9,
  rssBytes: 400 * 1024 * 1024,
  lagMs: 500,
};

/** What is measured from time to time; the rest is counted. */
export interface OverloadReadings {
  readonly openFiles: number;
  readonly heapShare: number;
  readonly rssBytes: number;
  readonly lagMs: number;
}

/** `shed` begins at this share of a limit, `refuse` at the limit itself, and either ends this much below. */
const shedShare = 0.9;
const hysteresis = 0.1;
const lagSamples = 3;
/**
 * With fewer connections than this, memory is not load: allocators keep what a crowd has needed long after it has gone, and to
 * refuse the next client would give none of it back.
 */
const crowd = 256;

type Signal = 'connections' | 'requests' | 'open files' | 'buffered bytes' | 'heap' | 'memory' | 'event loop lag';

export class Overload {
  readonly #limits: OverloadLimits;
  readonly #bufferedBytes: () => number;
  readonly #perListener = new Map<string, number>();
  #readings: OverloadReadings = { openFiles: 0, heapShare: 0, rssBytes: 0, lagMs: 0 };
  #level: OverloadLevel = 'none';
  #reason: Signal | null = null;
  #connections = 0;
  #requests = 0;
  #late = 0;
  #shedRequests = 0;
  #refusedConnections = 0;

  /** @param bufferedBytes asked with every request, as they may pile up between two readings */
  constructor(limits: OverloadLimits = defaultLimits, bufferedBytes: () => number = () => 0) {
    this.#limits = limits;
    this.#bufferedBytes = bufferedBytes;
  }

  get level(): OverloadLevel {
    return this.#level;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Whether so many connections are open that files could run out: with fewer, counting them is not worth its while. */
  get mayLackFiles(): boolean {
    return 2 * this.#connections >= shedShare * this.#limits.openFiles;
  }

  /** Whether memory is load at all, with so many connections: with fewer, reading it is not worth its while. */
  get isCrowded(): boolean {
    return this.#connections >= crowd;
  }

  /** False: reset it. True: `closed` has to follow. */
  opened(listener: string): boolean {
    const here = this.#perListener.get(listener) ?? 0;
    const isFull = this.#connections >= this.#limits.connections || here >= this.#limits.connectionsPerListener;
    if (isFull || this.#level === 'refuse') {
      this.#refusedConnections += 1;
      return false;
    }
    this.#connections += 1;
    this.#perListener.set(listener, here + 1);
    this.#judge();
    return true;
  }

  closed(listener: string): void {
    this.#connections -= 1;
    const left = (this.#perListener.get(listener) ?? 1) - 1;
    if (left === 0) this.#perListener.delete(listener);
    else this.#perListener.set(listener, left);
    if (this.#level !== 'none') this.#judge();
  }

  /** False: answer it 503 with flag `OM`. True: `requestEnded` has to follow. */
  requestBegan(): boolean {
    if (this.#level === 'none' && this.#bufferedBytes() >= shedShare * this.#limits.bufferedBytes) this.#judge();
    if (this.#level !== 'none' || this.#requests >= this.#limits.requests) {
      this.#shedRequests += 1;
      return false;
    }
    this.#requests += 1;
    return true;
  }

  requestEnded(): void {
    this.#requests -= 1;
  }

  /** Called a few times per second while there is something to watch. */
  sample(readings: OverloadReadings): void {
    this.#readings = readings;
    this.#late = readings.lagMs >= this.#limits.lagMs ? this.#late + 1 : 0;
    this.#judge();
  }

  /** What happened since the last call, and how things stand. */
  take(): OverloadFigures {
    const figures = {
      level: this.#level,
      reason: this.#reason,
      shedRequests: this.#shedRequests,
      refusedConnections: this.#refusedConnections,
      requests: this.#requests,
      bufferedBytes: this.#bufferedBytes(),
    };
    this.#shedRequests = 0;
    this.#refusedConnections = 0;
    return figures;
  }

  #judge(): void {
    const [share, signal] = this.#worst();
    const shedAt = shedShare - (this.#level === 'none' ? 0 : hysteresis);
    const refuseAt = 1 - (this.#level === 'refuse' ? hysteresis : 0);
    if (share >= refuseAt) this.#level = 'refuse';
    else this.#level = share >= shedAt ? 'shed' : 'none';
    this.#reason = this.#level === 'none' ? null : signal;
  }

  /** The scarcest, as a share of its limit. Requests have no part: beyond their number the next one is shed, and that is all. */
  #worst(): [number, Signal] {
    const { openFiles, heapShare, rssBytes } = this.#readings;
    const bufferedBytes = this.#bufferedBytes();
    const limits = this.#limits;
    let worst: [number, Signal] = [this.#connections / limits.connections, 'connections'];
    const consider = (share: number, signal: Signal) => {
      if (share > worst[0]) worst = [share, signal];
    };
    consider(openFiles / limits.openFiles, 'open files');
    consider(bufferedBytes / limits.bufferedBytes, 'buffered bytes');
    consider(heapShare / limits.heapShare, 'heap');
    if (this.isCrowded) consider(rssBytes / limits.rssBytes, 'memory');
    if (this.#late >= lagSamples) consider(shedShare, 'event loop lag');
    return worst;
  }
}
