import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { meshAlpn } from '../../model/identity.ts';
import type { DownstreamContext, GatewayEntrance } from '../connection.ts';
import type { IntakeOptions } from '../listener/intake.ts';
import { quietClientMs, readFirstBytes, stalledClientMs } from '../listener/read-first-bytes.ts';
import type { QuietConnection } from '../tcp/quiet-connection.ts';
import { toUnknownEdge } from '../tcp/tcp-routing.ts';
import { handshakeTimeoutMs } from '../tls/mesh-terminator.ts';
import type { CompiledPort, CompiledServer } from './compiled-gateway.ts';
import { GatewayTls } from './gateway-tls.ts';

const noBytes = Buffer.alloc(0);
const meshProtocols: ReadonlySet<string> = new Set(Object.values(meshAlpn));

/**
 * From a connection accepted at a gateway's port to the handler that serves it. Whoever begins with TLS of the mesh is a
 * sidecar (a client of an egress gateway), and that TLS ends here at every port; what is inside meets the port's servers.
 */
export class GatewayIntake {
  readonly #options: IntakeOptions;
  readonly #tls = new GatewayTls();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  accept(socket: Socket, context: DownstreamContext, entrance: GatewayEntrance): void {
    const port = this.#options.config().gateway?.port(entrance.port) ?? null;
    if (port === null) {
      this.#refuse(socket, context, 'nothing is configured for this port');
      return;
    }
    if (port.hasTls && port.plain === null) this.#expectTls(socket, context, port);
    else if (port.plain?.config.protocol === 'tcp') this.#expectBytes(socket, context, port, port.plain);
    else this.#expectRequests(socket, context, port);
  }

  #expectTls(socket: Socket, context: DownstreamContext, port: CompiledPort): void {
    const stop = readFirstBytes(socket, {
      quietMs: handshakeTimeoutMs,
      stalledMs: handshakeTimeoutMs,
      onDetected: (kind, head) => {
        if (kind.kind !== 'tls') {
          this.#refuse(socket, context, 'it is no TLS');
          return;
        }
        this.#takeTls(socket, head, context, port, kind);
      },
      onQuiet: () => {
        stop();
        this.#refuse(socket, context, 'it has said nothing');
      },
    });
  }

  #expectRequests(socket: Socket, context: DownstreamContext, port: CompiledPort): void {
    const { http, http2 } = this.#options;
    const { plain } = port;
    readFirstBytes(socket, {
      quietMs: Number.POSITIVE_INFINITY,
      stalledMs: stalledClientMs,
      onDetected: (kind, head) => {
        if (kind.kind === 'tls') {
          this.#takeTls(socket, head, context, port, kind);
          return;
        }
        if (plain === null) {
          this.#refuse(socket, context, 'it is no TLS');
          return;
        }
        const seen = entered(context, port, plain, false, null);
        if (kind.kind === 'h2' && http2 !== null) http2.serve(socket, head, seen);
        else http.serve(socket, head, seen);
      },
      onQuiet: () => undefined,
    });
  }

  /** Clients of a server-first protocol wait; sidecars begin with TLS at once. */
  #expectBytes(socket: Socket, context: DownstreamContext, port: CompiledPort, server: CompiledServer): void {
    const { tcp } = this.#options;
    const seen = entered(context, port, server, false, null);
    if (seen.service === null) {
      this.#refuse(socket, context, 'no route is bound to this port');
      return;
    }
    let quiet: QuietConnection | null = null;
    const stop = readFirstBytes(socket, {
      quietMs: quietClientMs,
      stalledMs: stalledClientMs,
      onDetected: (kind, head) => {
        if (kind.kind === 'tls' && kind.alpn.some((name) => meshProtocols.has(name))) {
          quiet?.release();
          this.#takeMesh(socket, head, context, port, server);
        } else if (quiet !== null) quiet.join(head);
        else tcp.serve(socket, head, seen);
      },
      onQuiet: () => {
        quiet = tcp.serveQuiet(socket, seen, stop);
      },
    });
  }

  #takeTls(
    socket: Socket,
    head: Buffer,
    context: DownstreamContext,
    port: CompiledPort,
    { serverName, alpn }: { readonly serverName: string | null; readonly alpn: readonly string[] },
  ): void {
    const named = serverName === null ? context : { ...context, serverName };
    const server = port.serverOfName(serverName);
    const isMesh = alpn.some((name) => meshProtocols.has(name));
    if (isMesh) {
      const forMesh = port.meshServer(serverName) ?? port.plain;
      if (forMesh === null) this.#unwrap(socket, head, named, port);
      else this.#takeMesh(socket, head, named, port, forMesh);
      return;
    }
    if (server === null) {
      this.#refuse(socket, context, `no server is for ${serverName ?? 'TLS without a name'}`);
      return;
    }
    if (server.config.tls?.mode === 'mesh') {
      this.#refuse(socket, context, 'only sidecars are let in');
      return;
    }
    if (server.config.tls?.mode === 'passthrough') {
      this.#passOn(socket, head, named, port, server);
      return;
    }
    this.#tls.terminate(socket, head, port.port, server, {
      accept: (secured, client) => this.#serveSecured(secured, entered(named, port, server, true, client), server),
      refuse: (reason) => this.#refuse(socket, context, reason),
    });
  }

  #passOn(socket: Socket, head: Buffer, context: DownstreamContext, port: CompiledPort, server: CompiledServer): void {
    const seen = entered(context, port, server, false, null);
    if (seen.service === null) this.#refuse(socket, context, 'no route is bound to this server');
    else this.#options.tcp.serve(socket, head, seen);
  }

  #serveSecured(socket: TLSSocket, context: DownstreamContext, { config }: CompiledServer): void {
    const { http, http2, tcp } = this.#options;
    if (config.protocol === 'http') {
      if (socket.alpnProtocol === 'h2' && http2 !== null) http2.serve(socket, noBytes, context);
      else http.serve(socket, noBytes, context);
    } else if (context.service === null) this.#refuse(socket, context, 'no route is bound to this server');
    else tcp.serve(socket, noBytes, context);
  }

  #takeMesh(
    socket: Socket,
    head: Buffer,
    context: DownstreamContext,
    port: CompiledPort,
    server: CompiledServer,
  ): void {
    const { http, mux, tcp, terminator } = this.#options;
    terminator.terminate(socket, head, {
      accept: ({ socket: secured, protocol, peerSpiffeId }) => {
        const client = `URI=${peerSpiffeId}`;
        const seen = { ...entered(context, port, server, server.config.tls !== undefined, client), peerSpiffeId };
        if (server.config.protocol === 'tcp' && seen.service === null) {
          this.#refuse(secured, context, 'no route is bound to this port');
          return;
        }
        const handlers = { mux, http, tcp };
        handlers[server.config.protocol === 'tcp' ? 'tcp' : protocol].serve(secured, noBytes, seen);
      },
      refuse: (reason) => this.#refuse(socket, context, reason),
    });
  }

  /** A sidecar's connection with TLS of its application inside: that is what the servers of this port are for. */
  #unwrap(socket: Socket, head: Buffer, context: DownstreamContext, port: CompiledPort): void {
    this.#options.terminator.terminate(socket, head, {
      accept: ({ socket: inner, protocol, peerSpiffeId }) => {
        const { serverName: _outer, ...rest } = context;
        if (protocol === 'tcp') this.#expectTls(inner, { ...rest, peerSpiffeId }, port);
        else this.#refuse(inner, context, 'it is no TLS');
      },
      refuse: (reason) => this.#refuse(socket, context, reason),
    });
  }

  /** Envoy closes such a connection for want of a matching filter chain: flag `NR`. */
  #refuse(socket: Socket, context: DownstreamContext, reason: string): void {
    this.#options.edge(toUnknownEdge(context)).flag('NR');
    this.#options.logger.warn(
      `refused a connection from ${context.remote.host} to port ${context.gateway?.port} of the gateway: ${reason}`,
    );
    socket.destroy();
  }
}

function entered(
  context: DownstreamContext,
  { port }: CompiledPort,
  { config }: CompiledServer,
  secure: boolean,
  clientCertificate: string | null,
): DownstreamContext {
  const service = config.protocol === 'tcp' && config.service !== undefined ? { key: config.service, port } : null;
  return { ...context, service, gateway: { port, server: config.id, secure, clientCertificate } };
}
