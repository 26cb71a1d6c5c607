import { goesPast } from './attached-callers.ts';
import type { DownstreamConnection } from './downstream-connection.ts';
import type { ClientStream } from './streams.ts';
import type { Upstreams } from './upstreams.ts';

/** Deadlines are looked at this often; see limits.ts. */
const tickMs = 1_000;
const drainCheckMs = 250;

/** The accepted connections of a handler: their deadlines, and their polite end. */
export class DownstreamSet {
  readonly #connections = new Set<DownstreamConnection>();
  readonly #leaving = new Set<ClientStream>();
  readonly #upstreams: Upstreams;
  readonly #monotonicMs: () => number;
  readonly #drainGraceMs: number;
  #drainSinceMs: number | null = null;
  #drainTimer: NodeJS.Timeout | null = null;
  #ticker: NodeJS.Timeout | null = null;

  constructor(upstreams: Upstreams, monotonicMs: () => number, drainGraceMs: number) {
    this.#upstreams = upstreams;
    this.#monotonicMs = monotonicMs;
    this.#drainGraceMs = drainGraceMs;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Whether this connection ends with its next answer. */
  isLeaving(connection: ClientStream): boolean {
    return this.#drainSinceMs !== null || (this.#leaving.size > 0 && this.#leaving.has(connection));
  }

  /** What these callers have open past their sidecars ends with its next answer. */
  leavePast(callers: ReadonlySet<string>): void {
    for (const connection of this.#connections) {
      if (goesPast(connection.context, callers)) this.#leaving.add(connection);
    }
  }

  add(connection: DownstreamConnection): void {
    this.#connections.add(connection);
    this.wake();
  }

  delete(connection: DownstreamConnection): void {
    this.#connections.delete(connection);
    this.#leaving.delete(connection);
  }

  /** There are connections whose deadlines count, on either side. */
  wake(): void {
    this.#ticker ??= setInterval(() => this.#tick(), tickMs).unref();
  }

  drain(): void {
    if (this.#drainSinceMs !== null) return;
    this.#drainSinceMs = this.#monotonicMs();
    const everyMs = Math.min(drainCheckMs, Math.max(10, this.#drainGraceMs / 4));
    this.#drainTimer = setInterval(() => this.#endIdle(), everyMs).unref();
  }

  undrain(): void {
    if (this.#drainTimer !== null) clearInterval(this.#drainTimer);
    this.#drainTimer = null;
    this.#drainSinceMs = null;
  }

  closeAll(): void {
    this.undrain();
    for (const connection of [...this.#connections]) connection.destroy();
  }

  #endIdle(): void {
    if (this.#drainSinceMs === null) return;
    const nowMs = this.#monotonicMs();
    for (const connection of this.#connections) connection.endIfIdle(nowMs, this.#drainGraceMs, this.#drainSinceMs);
  }

  #tick(): void {
    const nowMs = this.#monotonicMs();
    for (const connection of this.#connections) connection.tick(nowMs);
    this.#upstreams.tick(nowMs);
    if (this.#connections.size > 0 || this.#upstreams.size > 0 || this.#ticker === null) return;
    clearInterval(this.#ticker);
    this.#ticker = null;
  }
}
