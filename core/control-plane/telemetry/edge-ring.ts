import type { EdgeCounters } from '../../model/telemetry-report.ts';
import { Histogram } from '../../shared/histogram.ts';
import { mergePacked, packHistogram } from './packed-histogram.ts';

/** Ten minutes of one-second slots. A slot is a second since the Unix epoch. */
export const ringSlots = 600;

const columns = [
  'slot',
  'requests',
  'errors',
  'wireRequests',
  'mtlsRequests',
  'opened',
  'closed',
  'mtlsOpened',
  'sent',
  'received',
] as const;
type Column = (typeof columns)[number];
const stride = columns.length;
const at = Object.fromEntries(columns.map((name, index) => [name, index])) as Record<Column, number>;

/** What an edge saw in a range of slots. */
export class EdgeSum {
  requests = 0;
  /** 5xx and requests without an answer. */
  errors = 0;
  /** Requests that were sent on to somebody. */
  wireRequests = 0;
  mtlsRequests = 0;
  opened = 0;
  mtlsOpened = 0;
  bytes = 0;
  /** Connections that are open now. */
  active = 0;
  mtlsActive = 0;
  readonly latency = new Histogram();
  readonly flags = new Map<string, number>();

  get isIdle(): boolean {
    return this.requests === 0 && this.opened === 0 && this.bytes === 0 && this.active === 0;
  }
}

/** Counters of one edge to one version of its destination, second by second. */
export class EdgeRing {
  readonly from: string;
  readonly to: string;
  readonly version: string | null;
  readonly protocol: 'http' | 'tcp';
  /** First and last slot that anything was counted in. */
  firstSlot = Number.POSITIVE_INFINITY;
  lastSlot = 0;
  readonly reporters = new Set<string>();
  readonly #table = new Float64Array(ringSlots * stride);
  readonly #latency: string[] = new Array<string>(ringSlots).fill('');
  readonly #flags = new Map<number, Map<string, number>>();
  readonly #gauges = new Map<string, { active: number; mtls: number }>();

  constructor(from: string, to: string, version: string | null, protocol: 'http' | 'tcp') {
    this.from = from;
    this.to = to;
    this.version = version;
    this.protocol = protocol;
  }

  add(slot: number, counters: EdgeCounters): void {
    const row = this.#open(slot);
    const { requests, key } = counters;
    const total = Object.values(requests).reduce((sum, count) => sum + count, 0);
    this.#add(row, 'requests', total);
    this.#add(row, 'errors', requests['5xx'] + requests.other);
    this.#add(row, 'opened', counters.connectionsOpened);
    this.#add(row, 'closed', counters.connectionsClosed);
    this.#add(row, 'sent', counters.bytesSent);
    this.#add(row, 'received', counters.bytesReceived);
    // A request that the sidecar answered by itself (abort, no route) crossed no wire: it says nothing of encryption.
    if (key.peerAddress !== null || key.mtls) this.#add(row, 'wireRequests', total);
    if (key.mtls) {
      this.#add(row, 'mtlsRequests', total);
      this.#add(row, 'mtlsOpened', counters.connectionsOpened);
    }
    this.#latency[slot % ringSlots] += packHistogram(counters.latencyUs);
    for (const [flag, count] of Object.entries(counters.flags)) this.#addFlag(slot, flag, count);
  }

  /** How many connections one sidecar holds open on this edge; 0 forgets it. */
  setGauge(reporter: string, active: number, mtls: number): void {
    if (active === 0) this.#gauges.delete(reporter);
    else this.#gauges.set(reporter, { active, mtls });
  }

  /** Adds what was counted in the slots `from` to `to`, both included. */
  sumInto(sum: EdgeSum, from: number, to: number): void {
    for (let slot = Math.max(from, to - ringSlots + 1); slot <= to; slot += 1) {
      const row = (slot % ringSlots) * stride;
      if (this.#table[row] !== slot) continue;
      sum.requests += this.#read(row, 'requests');
      sum.errors += this.#read(row, 'errors');
      sum.wireRequests += this.#read(row, 'wireRequests');
      sum.mtlsRequests += this.#read(row, 'mtlsRequests');
      sum.opened += this.#read(row, 'opened');
      sum.mtlsOpened += this.#read(row, 'mtlsOpened');
      sum.bytes += this.#read(row, 'sent') + this.#read(row, 'received');
      mergePacked(sum.latency, this.#latency[slot % ringSlots] ?? '');
      for (const [flag, count] of this.#flags.get(slot) ?? []) sum.flags.set(flag, (sum.flags.get(flag) ?? 0) + count);
    }
    for (const { active, mtls } of this.#gauges.values()) {
      sum.active += active;
      sum.mtlsActive += mtls;
    }
  }

  #open(slot: number): number {
    const row = (slot % ringSlots) * stride;
    if (this.#table[row] !== slot) {
      this.#table.fill(0, row, row + stride);
      this.#table[row] = slot;
      this.#latency[slot % ringSlots] = '';
    }
    this.firstSlot = Math.min(this.firstSlot, slot);
    this.lastSlot = Math.max(this.lastSlot, slot);
    return row;
  }

  #addFlag(slot: number, flag: string, count: number): void {
    const flags = this.#flags.get(slot) ?? new Map<string, number>();
    flags.set(flag, (flags.get(flag) ?? 0) + count);
    this.#flags.set(slot, flags);
    for (const old of this.#flags.keys()) {
      if (old > slot - ringSlots) break;
      this.#flags.delete(old);
    }
  }

  #add(row: number, column: Column, value: number): void {
    this.#table[row + at[column]] = (this.#table[row + at[column]] ?? 0) + value;
  }

  #read(row: number, column: Column): number {
    return this.#table[row + at[column]] ?? 0;
  }
}
