import type { SeenProtocol } from '../../model/protocol.ts';
import type { EdgeRecorder, TelemetrySink, UpstreamError } from '../connection.ts';
import { RequestLimit } from '../upstream/request-limit.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { maxIdlePerEndpoint } from './limits.ts';
import type { UpstreamCarrier, UpstreamSession } from './streams.ts';

/** A request that waits for a connection. Told once, never inside the call that made it wait. */
export interface SessionWaiter {
  /** Wants a connection that nobody has used before. */
  readonly fresh: boolean;
  sessionReady(session: UpstreamSession): void;
  connectFailed(error: UpstreamError): void;
}

/** A server that takes no more over one connection has several opened to it at a time. */
const fewRequests = 16;
const mostDials = 8;

/** Everything that is known about one endpoint while requests go there. */
export class EndpointState {
  readonly endpoint: HttpEndpoint;
  readonly carrier: UpstreamCarrier;
  /** Counts the connections of an outbound edge; `null` inbound. */
  readonly recorder: EdgeRecorder | null;
  /** Of `recorder`. */
  readonly protocol: SeenProtocol;
  /** Requests under way, for least-request balancing. */
  active = 0;
  generation = -1;
  /** Whether a connection is expected to take many requests: the carrier's promise, then what the peer has agreed to. */
  shared: boolean;
  readonly sessions = new Set<UpstreamSession>();
  readonly waiters: SessionWaiter[] = [];
  readonly dials: AbortController[] = [];
  /** Connected, but not ready for requests yet. */
  readonly preparing = new Set<UpstreamSession>();
  /** Those with room, the one used last at the end. */
  readonly #room: UpstreamSession[] = [];
  readonly requestLimit = new RequestLimit();
  readonly #recorders = new Map<SeenProtocol, EdgeRecorder>();

  constructor(endpoint: HttpEndpoint, carrier: UpstreamCarrier, recorder: EdgeRecorder | null) {
    this.endpoint = endpoint;
    this.carrier = carrier;
    this.recorder = recorder;
    this.protocol = endpoint.edge.protocol;
    this.shared = carrier.shared;
  }

  /** Connections that are worth opening for those who wait. */
  get wantedDials(): number {
    if (!this.shared) return this.waiters.length;
    if (this.preparing.size > 0) return 0;
    return Math.min(this.requestLimit.most <= fewRequests ? mostDials : 1, this.waiters.length);
  }

  get isUnused(): boolean {
    return this.active === 0 && this.sessions.size === 0 && this.waiters.length === 0 && this.dials.length === 0;
  }

  /** Counts requests of this protocol; connections are counted by `recorder`, whatever travels on them. */
  recorderOf(protocol: SeenProtocol, telemetry: TelemetrySink): EdgeRecorder | null {
    if (this.recorder === null || protocol === this.protocol) return this.recorder;
    const known = this.#recorders.get(protocol);
    if (known !== undefined) return known;
    const made = telemetry.edge({ ...this.endpoint.edge, protocol });
    this.#recorders.set(protocol, made);
    return made;
  }

  take(): UpstreamSession | null {
    const room = this.#room;
    for (let session = room.pop(); session !== undefined; session = room.pop()) {
      if (session.available) {
        // One that has room for more stays where it is until it is full.
        if (session.shared) room.push(session);
        return session;
      }
      if (session.active === 0) session.destroy();
    }
    return null;
  }

  keep(session: UpstreamSession): void {
    const room = this.#room;
    if (session.shared && room.includes(session)) return;
    if (room.length >= maxIdlePerEndpoint) session.destroy();
    else room.push(session);
  }

  /** The waiter that a session serves next; those who insist on a new connection are passed over by others. */
  nextWaiter(isFresh: boolean): SessionWaiter | null {
    const index = isFresh ? 0 : this.waiters.findIndex(({ fresh }) => !fresh);
    return index < 0 ? null : (this.waiters.splice(index, 1)[0] ?? null);
  }

  /** False when nobody waited for it any more. */
  dialEnded(dial: AbortController): boolean {
    const index = this.dials.indexOf(dial);
    if (index >= 0) this.dials.splice(index, 1);
    return index >= 0;
  }

  retireAll(): void {
    this.#room.length = 0;
    for (const session of [...this.sessions]) session.retire();
  }

  forget(session: UpstreamSession): void {
    this.sessions.delete(session);
    const index = this.#room.indexOf(session);
    if (index >= 0) this.#room.splice(index, 1);
  }
}
