import type { PoolPolicy } from './connection-policy.ts';

const unlimited = Number.POSITIVE_INFINITY;

/** How long one connection lives, and how much it may carry. Monotonic milliseconds. */
export class ConnectionLife {
  /** It takes no new request from then on. */
  readonly ageLimitMs: number;
  /** Without a request for this long it is closed. */
  readonly idleMs: number;
  /** Requests at a time, as far as we are concerned. */
  readonly maxStreams: number;
  requestsLeft: number;

  constructor(pool: PoolPolicy | undefined, nowMs: number, usualIdleMs: number) {
    this.ageLimitMs = nowMs + (pool?.maxConnectionDurationMs ?? unlimited);
    this.idleMs = pool?.idleTimeoutMs === undefined ? usualIdleMs : pool.idleTimeoutMs || unlimited;
    this.maxStreams = pool?.maxConcurrentStreams ?? unlimited;
    this.requestsLeft = pool?.maxRequestsPerConnection ?? unlimited;
  }
}
