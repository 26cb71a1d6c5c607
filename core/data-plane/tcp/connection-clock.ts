import type { PoolPolicy } from '../upstream/connection-policy.ts';

/** Istio's default for TCP. */
export const defaultIdleMs = 3_600_000;
const lookEveryMs = 500;

/** One connection whose time may run out. */
export interface TimedConnection {
  /** Bytes that have passed so far, in both directions. */
  bytes: number;
  /** `idle`: nothing has passed for too long. `duration`: it is older than it may be. */
  end(reason: 'idle' | 'duration'): void;
}

interface Watched {
  readonly connection: TimedConnection;
  readonly idleMs: number;
  readonly endsAtMs: number;
  seenBytes: number;
  idleSinceMs: number;
}

/** Ends TCP connections that are idle or old. Looks at all of them now and then, which costs nothing per byte. */
export class ConnectionClock {
  readonly #monotonicMs: () => number;
  readonly #watched = new Map<TimedConnection, Watched>();
  #timer: NodeJS.Timeout | null = null;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  add(connection: TimedConnection, pool: PoolPolicy | undefined): void {
    const nowMs = this.#monotonicMs();
    const idleMs =
      pool?.tcpIdleTimeoutMs === undefined ? defaultIdleMs : pool.tcpIdleTimeoutMs || Number.POSITIVE_INFINITY;
    const endsAtMs = nowMs + (pool?.maxConnectionDurationMs ?? Number.POSITIVE_INFINITY);
    this.#watched.set(connection, { connection, idleMs, endsAtMs, seenBytes: 0, idleSinceMs: nowMs });
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
  }

  delete(connection: TimedConnection): void {
    this.#watched.delete(connection);
    if (this.#watched.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const nowMs = this.#monotonicMs();
    for (const watched of this.#watched.values()) {
      const { connection, idleMs, endsAtMs } = watched;
      if (connection.bytes !== watched.seenBytes) {
        watched.seenBytes = connection.bytes;
        watched.idleSinceMs = nowMs;
      }
      if (nowMs >= endsAtMs) connection.end('duration');
      else if (nowMs - watched.idleSinceMs >= idleMs) connection.end('idle');
    }
  }
}
