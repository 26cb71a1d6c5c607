import type { Socket } from 'node:net';
import type { Endpoint, ServiceConfig } from '../../model/sidecar-config.ts';
import type { TelemetrySink, UpstreamConnector, UpstreamTarget } from '../connection.ts';
import { UpstreamError } from '../connection.ts';
import { toMessage } from '../logger.ts';
import type { ToxicDesk, ToxicSeat } from '../toxics/toxic-desk.ts';
import { ToxicWire } from '../toxics/toxic-wire.ts';
import { openWire } from '../wire/open-wire.ts';
import type { Wire, WireOwner } from '../wire/wire.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { EndpointState, type SessionWaiter } from './endpoint-state.ts';
import type { ClientStream, UpstreamCarrier, UpstreamSession } from './streams.ts';

export interface UpstreamsOptions {
  readonly connector: UpstreamConnector;
  readonly telemetry: TelemetrySink;
  readonly monotonicMs: () => number;
  /** In order of preference; the first one for plaintext HTTP/1.1 must be there. */
  readonly carriers: readonly UpstreamCarrier[];
  /** Faults of connections; absent: there are none. */
  readonly toxics?: ToxicDesk;
  /** A connection was opened: `tick` is needed from now on. */
  readonly onOpened?: () => void;
}

function toIdentity({ id, address, ports, mesh, spiffeId }: Endpoint): string {
  const targets = ports.map(({ port, targetPort }) => `${port}:${targetPort}`).join(',');
  return `${id} ${address} ${targets} ${mesh ? spiffeId : ''}`;
}

const lostAtOnce = new UpstreamError({ kind: 'reset', message: 'the connection was closed at once' });

type Protocol = ClientStream['protocol'];

/**
 * Open connections per endpoint, whatever they speak. The one used last is used first, so that the rest grow old and go.
 * Those of an older generation (certificate, trust) take no new requests.
 */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #states = new Map<string, EndpointState>();
  readonly #http2States = new Map<string, EndpointState>();
  readonly #alpns: readonly string[];
  /** For plaintext, for TLS between sidecars, for HTTP/2 in plaintext. */
  readonly #plain: UpstreamCarrier;
  readonly #mesh: UpstreamCarrier;
  readonly #http2: UpstreamCarrier | null;

  constructor(options: UpstreamsOptions) {
    this.#options = options;
    const { carriers } = options;
    const plain = carriers.find(({ plaintext }) => plaintext === 'http/1.1');
    if (plain === undefined) throw new Error('a carrier for HTTP/1.1 is needed');
    this.#plain = plain;
    this.#mesh = carriers.find(({ alpn }) => alpn !== null) ?? plain;
    this.#http2 = carriers.find(({ plaintext }) => plaintext === 'http/2') ?? null;
    this.#alpns = carriers.flatMap(({ alpn }) => (alpn === null ? [] : [alpn]));
  }

  /** Open connections. */
  get size(): number {
    let size = 0;
    for (const state of this.#all()) size += state.sessions.size;
    return size;
  }

  /** What is kept about an endpoint, for requests of clients that speak `protocol`. */
  stateOf(endpoint: HttpEndpoint, protocol: Protocol): EndpointState {
    if (endpoint.toxic === true) return this.#stateApart(endpoint, protocol);
    const speaksHttp2 =
      this.#http2 !== null && endpoint.target.tls === null && (endpoint.speaks ?? protocol) === 'http/2';
    const states = speaksHttp2 ? this.#http2States : this.#states;
    return (
      states.get(endpoint.poolKey ?? endpoint.key) ?? this.#begin(states, endpoint, speaksHttp2 ? this.#http2 : null)
    );
  }

  /**
   * An endpoint whose connections are under faults: requests of HTTP/1.1 have connections of their own, as they would
   * without a mesh, so that each is drawn for. Those of HTTP/2 share one, as their client does.
   */
  #stateApart(endpoint: HttpEndpoint, protocol: Protocol): EndpointState {
    const isPlain = endpoint.target.tls === null;
    const sharesOne = (isPlain ? (endpoint.speaks ?? protocol) : protocol) === 'http/2';
    const states = sharesOne ? this.#http2States : this.#states;
    const shared = isPlain ? this.#http2 : this.#mesh;
    return (
      states.get(endpoint.poolKey ?? endpoint.key) ?? this.#begin(states, endpoint, sharesOne ? shared : this.#plain)
    );
  }

  /** Whether requests to this endpoint may be sent in form `chunked`. */
  takesChunked(endpoint: HttpEndpoint, protocol: Protocol): boolean {
    return this.stateOf(endpoint, protocol).carrier.takesChunked;
  }

  /** A session that takes a request now, or `null`. */
  take(state: EndpointState): UpstreamSession | null {
    const { generation } = this.#options.connector;
    if (state.generation !== generation) {
      state.retireAll();
      state.generation = generation;
    }
    return state.take();
  }

  /**
   * Tells `waiter` when a session takes a request, or that connecting failed. `fresh`: only a new connection will do.
   */
  wait(state: EndpointState, waiter: SessionWaiter): void {
    state.waiters.push(waiter);
    this.#dialForWaiters(state);
  }

  /** `waiter` hears nothing any more. */
  giveUp(state: EndpointState, waiter: SessionWaiter): void {
    const index = state.waiters.indexOf(waiter);
    if (index < 0) return;
    state.waiters.splice(index, 1);
    while (state.dials.length > state.wantedDials) state.dials.pop()?.abort();
  }

  /**
   * A new configuration: connections to endpoints that it has no more, or has otherwise, take no new requests. An endpoint
   * that went and came back is another one, even at the same address: what was open to the old one leads nowhere.
   */
  retain(services: readonly ServiceConfig[]): void {
    const known = new Set(services.flatMap(({ endpoints }) => endpoints.map(toIdentity)));
    for (const state of this.#all()) {
      const { endpoint } = state.endpoint;
      // An address that belongs to no service is none of the configuration's.
      if (endpoint.id !== '' && !known.has(toIdentity(endpoint))) state.retireAll();
    }
  }

  /** About once a second. */
  tick(nowMs: number): void {
    for (const states of [this.#states, this.#http2States]) {
      for (const [key, state] of states) {
        for (const session of state.sessions) session.tick(nowMs);
        if (state.isUnused) states.delete(key);
      }
    }
  }

  close(): void {
    for (const state of this.#all()) {
      for (const dial of state.dials.splice(0)) dial.abort();
      for (const session of [...state.sessions]) session.destroy();
    }
  }

  #all(): EndpointState[] {
    return [...this.#states.values(), ...this.#http2States.values()];
  }

  #begin(states: Map<string, EndpointState>, endpoint: HttpEndpoint, http2: UpstreamCarrier | null): EndpointState {
    // Inbound edges count the connections of their clients, not ours to the application.
    const { direction } = endpoint.edge;
    const recorder = direction === 'outbound' ? this.#options.telemetry.edge(endpoint.edge) : null;
    const carrier = http2 ?? (endpoint.target.tls === null ? this.#plain : this.#mesh);
    const state = new EndpointState(endpoint, carrier, recorder);
    states.set(endpoint.poolKey ?? endpoint.key, state);
    return state;
  }

  #dialForWaiters(state: EndpointState): void {
    while (state.dials.length < state.wantedDials) this.#dial(state);
  }

  #dial(state: EndpointState): void {
    const { connector } = this.#options;
    const dial = new AbortController();
    const { generation } = connector;
    state.dials.push(dial);
    const seat = this.#seatOf(state.endpoint);
    const connected =
      seat?.isRefused === true
        ? Promise.reject(new UpstreamError({ kind: 'refused', message: 'a fault refuses connections' }))
        : connector.connect(this.#targetOf(state), dial.signal);
    connected.then(
      (socket) => {
        state.dialEnded(dial);
        const alpn = (socket as { alpnProtocol?: string | false | null }).alpnProtocol || null;
        const carrier = this.#options.carriers.find((known) => alpn !== null && known.alpn === alpn) ?? state.carrier;
        const session = this.#open(state, carrier, socket, seat);
        if (generation !== connector.generation || dial.signal.aborted) {
          session.retire();
        } else {
          state.preparing.add(session);
          if (session.available) this.#serve(state, session);
        }
        this.#dialForWaiters(state);
      },
      (error: unknown) => {
        seat?.leave();
        const wasWanted = state.dialEnded(dial);
        if (wasWanted) this.#fail(state, error);
      },
    );
  }

  #seatOf({ toxic, edge }: HttpEndpoint): ToxicSeat | null {
    if (toxic !== true || edge.peerService === null) return null;
    return this.#options.toxics?.seat({ service: edge.peerService, port: edge.port }) ?? null;
  }

  #open(
    state: EndpointState,
    carrier: UpstreamCarrier,
    socket: Parameters<UpstreamCarrier['createSession']>[0],
    seat: ToxicSeat | null,
  ) {
    const session = carrier.createSession(socket, {
      ...(seat === null ? {} : { openWire: (owner: WireOwner) => openToxicWire(socket, owner, seat) }),
      endpoint: state.endpoint,
      recorder: state.recorder,
      monotonicMs: this.#options.monotonicMs,
      requestLimit: state.requestLimit,
      onRoom: (room) => this.#serve(state, room),
      onClosed: (closed) => {
        state.forget(closed);
        seat?.leave();
        if (state.preparing.delete(closed)) this.#fail(state, lostAtOnce);
        else this.#dialForWaiters(state);
      },
    });
    state.sessions.add(session);
    this.#options.onOpened?.();
    state.shared = session.shared;
    return session;
  }

  /** A session has room: those who wait come first. */
  #serve(state: EndpointState, session: UpstreamSession): void {
    const isFresh = state.preparing.delete(session);
    if (state.generation !== this.#options.connector.generation && !isFresh) {
      session.retire();
      return;
    }
    while (session.available) {
      const waiter = state.nextWaiter(isFresh);
      if (waiter === null) break;
      waiter.sessionReady(session);
    }
    if (session.available) state.keep(session);
  }

  /** One attempt to connect has failed: of those who share it, everybody hears of it. */
  #fail(state: EndpointState, thrown: unknown): void {
    const error =
      thrown instanceof UpstreamError
        ? thrown
        : new UpstreamError({ kind: 'unreachable', message: toMessage(thrown) }, { cause: thrown });
    const concerned = state.shared ? state.waiters.splice(0) : state.waiters.splice(0, 1);
    for (const waiter of concerned) waiter.connectFailed(error);
    this.#dialForWaiters(state);
  }

  #targetOf({ endpoint, carrier }: EndpointState): UpstreamTarget {
    const { target } = endpoint;
    const { tls, dial } = target;
    if (dial?.originate !== undefined && carrier === this.#http2) {
      return { ...target, dial: { ...dial, originate: { ...dial.originate, alpn: 'h2' } } };
    }
    if (tls === null || this.#alpns.length < 2) return target;
    if (endpoint.toxic === true && carrier === this.#plain) return target;
    return { ...target, tls: { ...tls, offers: this.#alpns } };
  }
}

function openToxicWire(socket: Socket, owner: WireOwner, seat: ToxicSeat): Wire {
  const wire = new ToxicWire((below) => openWire(socket, below), owner);
  seat.occupy({
    setToxics: (upstream, downstream) => wire.setToxics(upstream, downstream),
    refuse: () => wire.reset(),
  });
  return wire;
}
