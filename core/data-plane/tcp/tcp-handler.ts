/**
 * TCP as it is: everything that is not HTTP, or was declared not to be. A connection is joined to one upstream
 * connection for its whole life, so the endpoint is chosen once, and counted on one edge.
 *
 * Draining leaves connections alone (a database pool must live on until it ends or the deadline); `closeAll` ends them.
 */
import type { Socket } from 'node:net';
import { meshAlpn } from '../../model/identity.ts';
import type { Endpoint } from '../../model/sidecar-config.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { pickEndpoint } from '../../policy/pick-endpoint.ts';
import type { Random } from '../../shared/random.ts';
import type {
  ConnectionHandler,
  DownstreamContext,
  EdgeRecorder,
  UpstreamConnector,
  UpstreamTarget,
} from '../connection.ts';
import type { CompiledConfig, LocatedEndpoint } from '../http/compiled-config.ts';
import { toTargetPort } from '../http/compiled-service.ts';
import type { Logger } from '../logger.ts';
import { toMessage } from '../logger.ts';
import { QuietConnection } from './quiet-connection.ts';
import { breakOff, splice } from './splice.ts';

/** An edge on which a connection itself can fail. */
export interface ConnectionRecorder extends EdgeRecorder {
  /** Counts a response flag of semantics Envoy's (`UF` connect failure, `UH` no healthy upstream ...). */
  flag(flag: string): void;
}

export interface TcpHandlerOptions {
  readonly config: () => CompiledConfig;
  readonly connector: UpstreamConnector;
  readonly edge: (key: EdgeKey) => ConnectionRecorder;
  readonly random: Random;
  readonly logger: Logger;
}

interface Upstream {
  readonly target: UpstreamTarget;
  readonly key: EdgeKey;
  readonly endpointId: string | null;
}

export class TcpHandler implements ConnectionHandler {
  readonly #options: TcpHandlerOptions;
  readonly #clients = new Set<Socket>();
  readonly #perEndpoint = new Map<string, number>();

  constructor(options: TcpHandlerOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#clients.size;
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
        this.#clients.delete(client);
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
    for (const client of this.#clients) breakOff(client);
  }

  #adopt(client: Socket, context: DownstreamContext): Upstream | null {
    this.#clients.add(client);
    client.once('close', () => this.#clients.delete(client));
    // The splice hears of errors too; this one keeps those before it from being fatal.
    client.on('error', () => client.destroy());
    const upstream = this.#upstreamOf(context);
    if (upstream === null) {
      this.#options.edge(toUnknownEdge(context)).flag('UH');
      breakOff(client);
    }
    return upstream;
  }

  /** `null` when it failed, and the client was told by a reset, or when `cancel` was used. */
  async #connect(client: Socket, { target, key }: Upstream, cancel: AbortController): Promise<Socket | null> {
    const onClose = () => cancel.abort();
    client.once('close', onClose);
    try {
      const server = await this.#options.connector.connect(target, cancel.signal);
      server.on('error', () => server.destroy());
      return server;
    } catch (error) {
      if (!cancel.signal.aborted) {
        this.#options.edge(key).flag('UF');
        this.#options.logger.warn(`a TCP connection could not be passed on: ${toMessage(error)}`);
        breakOff(client);
      }
      return null;
    } finally {
      client.removeListener('close', onClose);
    }
  }

  #join(client: Socket, server: Socket, head: Buffer, { key, endpointId }: Upstream): void {
    const edge = this.#options.edge(key);
    edge.connectionOpened();
    this.#count(endpointId, 1);
    const meter = {
      toServer: (bytes: number) => edge.bytes(bytes, 0),
      toClient: (bytes: number) => edge.bytes(0, bytes),
    };
    splice(client, server, head, meter, () => {
      edge.connectionClosed();
      this.#count(endpointId, -1);
    });
  }

  #count(endpointId: string | null, change: 1 | -1): void {
    if (endpointId === null) return;
    const count = (this.#perEndpoint.get(endpointId) ?? 0) + change;
    if (count === 0) this.#perEndpoint.delete(endpointId);
    else this.#perEndpoint.set(endpointId, count);
  }

  #upstreamOf(context: DownstreamContext): Upstream | null {
    if (context.direction === 'inbound') return toInbound(context);
    const config = this.#options.config();
    if (context.service !== null) {
      const service = config.serviceByKey(context.service.key)?.config;
      const active = (endpoint: Endpoint) => this.#perEndpoint.get(endpoint.id) ?? 0;
      const endpoint = service && pickEndpoint(service.endpoints, active, this.#options.random);
      return service && endpoint ? toOutbound({ service, endpoint, port: context.service.port }) : null;
    }
    const asked = context.originalDestination;
    if (asked === null) return null;
    const located = config.endpointAt(asked.host, asked.port);
    if (located !== null) return toOutbound(located);
    const target = { host: asked.host, port: asked.port, tls: null };
    return { target, key: toUnknownEdge(context), endpointId: null };
  }
}

function toOutbound({ service, endpoint, port }: LocatedEndpoint): Upstream {
  const { mesh, spiffeId } = endpoint;
  return {
    target: {
      host: endpoint.address,
      port: toTargetPort(endpoint, port),
      tls: mesh ? { alpn: meshAlpn.tcp, spiffeId, serverName: service.key } : null,
    },
    key: {
      direction: 'outbound',
      peerService: service.key,
      peerWorkload: endpoint.id,
      peerAddress: endpoint.address,
      peerSpiffeId: mesh ? spiffeId : null,
      port,
      protocol: 'tcp',
      mtls: mesh,
    },
    endpointId: endpoint.id,
  };
}

function toInbound(context: DownstreamContext): Upstream | null {
  const application = context.target ?? context.originalDestination;
  if (application === null) return null;
  return {
    target: { host: application.host, port: application.port, tls: null },
    key: toUnknownEdge(context),
    endpointId: null,
  };
}

/** The edge to a peer of which only the address (and, with mTLS, the identity) is known. */
export function toUnknownEdge(context: DownstreamContext): EdgeKey {
  const isInbound = context.direction === 'inbound';
  return {
    direction: context.direction,
    peerService: context.service?.key ?? null,
    peerWorkload: null,
    peerAddress: isInbound ? context.remote.host : (context.originalDestination?.host ?? null),
    peerSpiffeId: context.peerSpiffeId,
    port: context.service?.port ?? context.target?.servicePort ?? context.originalDestination?.port ?? 0,
    protocol: 'tcp',
    mtls: context.peerSpiffeId !== null,
  };
}
