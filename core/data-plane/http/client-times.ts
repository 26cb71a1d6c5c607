import { bodyStallMs, headTimeoutMs, idleClientMs, quietClientMs } from './limits.ts';

const never = Number.POSITIVE_INFINITY;

/** What a client's connection is doing. `stuck`: in the middle of a request's body that it owes us. */
export type ClientState = 'closing' | 'busy' | 'stuck' | 'in-head' | 'idle';

/** What is due: give the connection up, answer for a body or a head that does not come, end an idle one, give memory back. */
export type ClientDue = 'destroy' | 'body-stalled' | 'head-late' | 'close' | 'rest' | null;

/** When a client did what, monotonic milliseconds; looked at about once a second. */
export class ClientTimes {
  idleSinceMs: number;
  /** The first byte of the request under way. */
  arrivedAtMs = 0;
  /** It went on with what it owes us: its head or its body. */
  activeAtMs = 0;
  /** After our FIN. */
  destroyAtMs = never;

  constructor(nowMs: number) {
    this.idleSinceMs = nowMs;
  }

  due(nowMs: number, state: ClientState): ClientDue {
    switch (state) {
      case 'closing':
        return nowMs >= this.destroyAtMs ? 'destroy' : null;
      case 'stuck':
        return nowMs - this.activeAtMs >= bodyStallMs ? 'body-stalled' : null;
      case 'in-head':
        return nowMs - this.arrivedAtMs >= headTimeoutMs ? 'head-late' : null;
      case 'idle':
        if (nowMs - this.idleSinceMs >= idleClientMs) return 'close';
        // Many clients keep connections that they seldom use; what serves requests is made again with the next one.
        return nowMs - this.idleSinceMs >= quietClientMs ? 'rest' : null;
      default:
        return null;
    }
  }
}
