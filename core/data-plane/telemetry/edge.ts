import type { EdgeCounters, EdgeKey } from '../../model/telemetry-report.ts';
import { Histogram } from '../../shared/histogram.ts';
import type { ConnectionRecorder } from '../tcp/tcp-handler.ts';

type StatusClass = keyof EdgeCounters['requests'];
const classes: readonly StatusClass[] = ['other', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** Counters of one edge since the last report. Adding to them allocates nothing. */
export class Edge implements ConnectionRecorder {
  readonly key: EdgeKey;
  /** By status class, in the order of `classes`. */
  readonly #requests = new Uint32Array(classes.length);
  readonly #latency = new Histogram();
  readonly #flags = new Map<string, number>();
  readonly #onTouch: (edge: Edge) => void;
  #sent = 0;
  #received = 0;
  #opened = 0;
  #closed = 0;
  #active = 0;
  #dirty = false;

  /** `onTouch` is called by the first change after each report. */
  constructor(key: EdgeKey, onTouch: (edge: Edge) => void) {
    this.key = key;
    this.#onTouch = onTouch;
  }

  get active(): number {
    return this.#active;
  }

  get isDirty(): boolean {
    return this.#dirty;
  }

  connectionOpened(): void {
    this.#touch();
    this.#opened += 1;
    this.#active += 1;
  }

  connectionClosed(): void {
    this.#touch();
    this.#closed += 1;
    this.#active -= 1;
  }

  bytes(sent: number, received: number): void {
    this.#touch();
    this.#sent += sent;
    this.#received += received;
  }

  request(status: number, flags: string, durationUs: number): void {
    this.#touch();
    const index = status >= 100 && status < 600 ? Math.floor(status / 100) : 0;
    this.#requests[index] = (this.#requests[index] ?? 0) + 1;
    if (flags !== '') for (const flag of flags.split(',')) this.flag(flag);
    this.#latency.record(durationUs);
  }

  flag(flag: string): void {
    this.#touch();
    this.#flags.set(flag, (this.#flags.get(flag) ?? 0) + 1);
  }

  /** What was counted; starts anew. */
  take(): EdgeCounters {
    const requests = { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, other: 0 };
    classes.forEach((name, index) => {
      requests[name] = this.#requests[index] ?? 0;
    });
    const counters: EdgeCounters = {
      key: this.key,
      requests,
      flags: Object.fromEntries(this.#flags),
      latencyUs: this.#latency.toSparse().map(([bucket, count]) => [bucket, count]),
      bytesSent: this.#sent,
      bytesReceived: this.#received,
      connectionsOpened: this.#opened,
      connectionsClosed: this.#closed,
      activeConnections: Math.max(0, this.#active),
    };
    this.#requests.fill(0);
    this.#flags.clear();
    if (this.#latency.total > 0) this.#latency.clear();
    this.#sent = this.#received = this.#opened = this.#closed = 0;
    this.#dirty = false;
    return counters;
  }

  #touch(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#onTouch(this);
  }
}
