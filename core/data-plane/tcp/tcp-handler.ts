/**
 * TCP as it is: everything that is not HTTP, or was declared not to be. A connection is joined to one upstream
 * connection for its whole life, so the endpoint is chosen once, and counted on one edge.
 *
 *   tcp-routing       where a connection goes
 *   quiet-connection  a client that is silent: whoever speaks first decides
 *   splice            two wires joined, with half-close, back-pressure, byte counts, and toxics when there are any
 *
 * Draining leaves connections alone (a database pool must live on until it ends or the deadline); `closeAll` ends them.
 * It must not look into what is sent.
 */
import type { Socket } from 'node:net';
import type { ProxyProtocol } from '../../model/protocol.ts';
import type { Endpoint } from '../../model/sidecar-config.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import type { Random } from '../../shared/random.ts';
import type {
  ConnectionHandler,
  DownstreamContext,
  EdgeRecorder,
  UpstreamConnector,
  UpstreamTarget,
} from '../connection.ts';
import type { CompiledConfig } from '../http/compiled-config.ts';
import { proxyProtocolOf } from '../listener/inbound-port.ts';
import { toProxyHeader } from '../listener/proxy-protocol.ts';
import type { Logger } from '../logger.ts';
import { toMessage } from '../logger.ts';
import { resetConnection } from '../reset-connection.ts';
import type { ToxicDesk, ToxicSeat } from '../toxics/toxic-desk.ts';
import { openWire } from '../wire/open-wire.ts';
import { ConnectionClock } from './connection-clock.ts';
import { openTunnel } from './open-tunnel.ts';
import { QuietConnection } from './quiet-connection.ts';
import { Splice } from './splice.ts';
import { TcpClusters, type TcpLease } from './tcp-clusters.ts';
import { routeConnection, type TcpUpstream, toUnknownEdge } from './tcp-routing.ts';

/** An edge on which a connection itself can fail. */
export interface ConnectionRecorder extends EdgeRecorder {
  /** Counts a response flag of semantics Envoy's (`UF` connect failure, `UH` no healthy upstream ...). */
  flag(flag: string): void;
}

export interface TcpHandlerOptions {
  readonly config: () => CompiledConfig;
  readonly connector: UpstreamConnector;
  readonly edge: (key: EdgeKey) => ConnectionRecorder;
  /** Faults of connections to services. */
  readonly toxics: ToxicDesk;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: the process's clock. */
  readonly monotonicMs?: () => number;
}

interface Upstream extends TcpUpstream {
  /** `null`: it leads to no service of the mesh. */
  readonly seat: ToxicSeat | null;
  /** What the application reads before anything of the client's; empty: nothing. */
  readonly prologue: Buffer;
  /** At a gateway: its client's edge, besides the one to the server; `null` elsewhere. */
  readonly front: EdgeKey | null;
}

const nothing = Buffer.alloc(0);
/** As for connecting. */
const tunnelTimeoutMs = 10_000;

export class TcpHandler implements ConnectionHandler {
  readonly #options: TcpHandlerOptions;
  /** Not joined yet. */
  readonly #waiting = new Set<Socket>();
  readonly #joined = new Set<Splice>();
  readonly #perEndpoint = new Map<string, number>();
  readonly #clusters: TcpClusters;
  readonly #clock: ConnectionClock;
  readonly #active = (endpoint: Endpoint) => this.#perEndpoint.get(endpoint.id) ?? 0;

  constructor(options: TcpHandlerOptions) {
    const { random, monotonicMs = () => performance.now() } = options;
    this.#options = options;
    this.#clusters = new TcpClusters(random, monotonicMs);
    this.#clock = new ConnectionClock(monotonicMs);
  }

  /** What is known of endpoints under a traffic policy. */
  get clusters(): TcpClusters['set'] {
    return this.#clusters.set;
  }

  get active(): number {
    return this.#waiting.size + this.#joined.size;
  }

  /** Sent by one side, not taken by the other yet. */
  get bufferedBytes(): number {
    let sum = 0;
    for (const { bufferedBytes } of this.#joined) sum += bufferedBytes;
    return sum;
  }

  serve(client: Socket, head: Buffer, context: DownstreamContext): void {
    const upstream = this.#adopt(client, context);
    if (upstream === null) return;
    void this.#connect(client, upstream, new AbortController()).then((server) => {
      if (server !== null) this.#join(client, server, head, upstream);
    });
  }

  /**
   * Serves a client that is silent: connects, and joins the two when the server speaks. `stopReading` ends the wait for
   * the client and returns what came of it. `null` when there is nowhere to connect to (the client has been closed).
   */
  serveQuiet(client: Socket, context: DownstreamContext, stopReading: () => Buffer): QuietConnection | null {
    const upstream = this.#adopt(client, context);
    if (upstream === null) return null;
    const cancel = new AbortController();
    return new QuietConnection({
      connecting: this.#connect(client, upstream, cancel),
      abort: () => {
        this.#waiting.delete(client);
        upstream.seat?.leave();
        upstream.lease?.leave();
        cancel.abort();
      },
      serverSpoke: stopReading,
      join: (server, head) => this.#join(client, server, head, upstream),
    });
  }

  drain(): void {
    // Connections end when their owners end them; see the head of this file.
  }

  undrain(): void {
    // Nothing was begun by `drain`.
  }

  closeAll(): void {
    for (const client of this.#waiting) resetConnection(client);
    for (const splice of [...this.#joined]) splice.breakOff();
  }

  #adopt(client: Socket, context: DownstreamContext): Upstream | null {
    let seat: ToxicSeat | null = null;
    let lease: TcpLease | undefined;
    this.#waiting.add(client);
    client.once('close', () => {
      if (!this.#waiting.delete(client)) return;
      seat?.leave();
      lease?.leave();
    });
    // The wire hears of errors too; this one keeps those before it from being fatal.
    client.on('error', () => client.destroy());
    const config = this.#options.config();
    const upstream = routeConnection(context, config, this.#active, this.#options.random, this.#clusters);
    if (upstream === null || upstream === 'overflow') {
      this.#options.edge(toUnknownEdge(context)).flag(upstream === null ? 'UH' : 'UO');
      resetConnection(client);
      return null;
    }
    lease = upstream.lease;
    const { peerService, port } = upstream.key;
    if (context.direction === 'outbound' && peerService !== null) {
      seat = this.#options.toxics.seat({ service: peerService, port });
      if (seat.isRefused) {
        lease?.leave();
        this.#options.edge(upstream.key).flag('FI');
        resetConnection(client);
        return null;
      }
    }
    const front = context.gateway === undefined ? null : toUnknownEdge(context);
    return {
      ...upstream,
      seat,
      front,
      prologue: toPrologue(proxyProtocolOf(config.source, context), context, upstream),
    };
  }

  /** `null` when it failed, and the client was told by a reset, or when `cancel` was used. */
  async #connect(client: Socket, upstream: Upstream, cancel: AbortController): Promise<Socket | null> {
    const onClose = () => cancel.abort();
    client.once('close', onClose);
    try {
      const server = await this.#dial(upstream.target, cancel.signal);
      upstream.lease?.noted(true);
      server.on('error', () => server.destroy());
      // At once: a server that speaks first waits for it.
      if (upstream.prologue.length > 0) server.write(upstream.prologue);
      return server;
    } catch (error) {
      if (!cancel.signal.aborted) {
        upstream.lease?.noted(false);
        this.#options.edge(upstream.key).flag('UF');
        this.#options.logger.warn(`a TCP connection could not be passed on: ${toMessage(error)}`);
        resetConnection(client);
      }
      return null;
    } finally {
      client.removeListener('close', onClose);
    }
  }

  async #dial(target: UpstreamTarget, signal: AbortSignal): Promise<Socket> {
    const server = await this.#options.connector.connect(target, signal);
    const { tunnel, timeoutMs = tunnelTimeoutMs } = target.dial ?? {};
    return tunnel === undefined ? server : await openTunnel(server, tunnel, timeoutMs, signal);
  }

  #join(client: Socket, server: Socket, head: Buffer, { key, endpointId, seat, lease, pool, front }: Upstream): void {
    if (client.destroyed || server.destroyed) {
      lease?.leave();
      resetConnection(client);
      resetConnection(server);
      return;
    }
    const edge = this.#options.edge(key);
    const caller = front === null ? null : this.#options.edge(front);
    edge.connectionOpened();
    caller?.connectionOpened();
    this.#count(endpointId, 1);
    const timed = {
      bytes: 0,
      end: (reason: 'idle' | 'duration') => {
        if (reason === 'duration') edge.flag('DT');
        splice.close();
      },
    };
    const meter = {
      toServer: (bytes: number) => {
        timed.bytes += bytes;
        edge.bytes(bytes, 0);
        caller?.bytes(bytes, 0);
      },
      toClient: (bytes: number) => {
        timed.bytes += bytes;
        edge.bytes(0, bytes);
        caller?.bytes(0, bytes);
      },
    };
    const splice = new Splice(
      (owner) => openWire(client, owner),
      (owner) => openWire(server, owner),
      meter,
      () => {
        this.#joined.delete(splice);
        this.#clock.delete(timed);
        seat?.leave();
        lease?.leave();
        edge.connectionClosed();
        caller?.connectionClosed();
        this.#count(endpointId, -1);
      },
    );
    this.#joined.add(splice);
    this.#waiting.delete(client);
    if (key.direction === 'outbound') this.#clock.add(timed, pool);
    seat?.occupy({
      setToxics: (upstream, downstream) => splice.setToxics(upstream, downstream),
      refuse: () => splice.breakOff(),
    });
    splice.begin(head);
  }

  #count(endpointId: string | null, change: 1 | -1): void {
    if (endpointId === null) return;
    const count = (this.#perEndpoint.get(endpointId) ?? 0) + change;
    if (count === 0) this.#perEndpoint.delete(endpointId);
    else this.#perEndpoint.set(endpointId, count);
  }
}

function toPrologue(version: ProxyProtocol['send'], context: DownstreamContext, { target }: TcpUpstream): Buffer {
  if (version === null) return nothing;
  return toProxyHeader(version, context.remote, context.originalDestination ?? target);
}
