/**
 * From an accepted connection to the handler that serves it.
 *
 *   outbound  from the application: detect, then http/ or tcp/. TLS of the application's own is TCP to us.
 *   inbound   to the application: mesh TLS is terminated (its ALPN says what is inside); otherwise the port's mTLS mode
 *             decides whether plaintext, and TLS that is not ours, may pass untouched.
 *
 * original destination  where the client wanted to go before the redirect rules brought it here
 * quiet client          one that waits for the server to speak first; never made to wait for ever
 *
 * It must not parse more than the first bytes, and it opens no connection.
 */
import type { Socket } from 'node:net';
import { type MtlsMode, meshAlpn } from '../../model/identity.ts';
import type { PortProtocol } from '../../model/protocol.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { ConnectionHandler, DownstreamContext } from '../connection.ts';
import type { CompiledConfig } from '../http/compiled-config.ts';
import type { Logger } from '../logger.ts';
import { type ConnectionRecorder, toUnknownEdge } from '../tcp/tcp-handler.ts';
import { handshakeTimeoutMs, type MeshTerminator } from '../tls/mesh-terminator.ts';
import type { FirstBytes } from './first-bytes.ts';
import { quietClientMs, readFirstBytes, stalledClientMs } from './read-first-bytes.ts';

/** Never inspected: Istio's list (25, 53, 3306, 27017) and, of Linkerd's opaque ports, the databases one meets on a desk. */
const alwaysTcpPorts: ReadonlySet<number> = new Set([25, 53, 587, 3306, 5432, 6379, 11_211, 27_017]);
const noBytes = Buffer.alloc(0);

export interface IntakeOptions {
  readonly config: () => CompiledConfig;
  readonly http: ConnectionHandler;
  readonly tcp: ConnectionHandler;
  readonly terminator: MeshTerminator;
  readonly edge: (key: ReturnType<typeof toUnknownEdge>) => ConnectionRecorder;
  readonly logger: Logger;
}

export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  outbound(socket: Socket, context: DownstreamContext): void {
    const { http, tcp } = this.#options;
    if (context.forwardProxy) {
      http.serve(socket, noBytes, context);
      return;
    }
    const protocol = this.#outboundProtocol(context);
    if (protocol === 'tcp' || protocol === 'tls') {
      tcp.serve(socket, noBytes, context);
      return;
    }
    const quietMs = protocol === 'http' ? Number.POSITIVE_INFINITY : quietClientMs;
    readFirstBytes(socket, { quietMs, stalledMs: stalledClientMs }, (kind, head) =>
      (kind.kind === 'http' ? http : tcp).serve(socket, head, context),
    );
  }

  inbound(socket: Socket, context: DownstreamContext): void {
    const port = context.target?.servicePort ?? context.originalDestination?.port ?? 0;
    const { mtls, protocol } = inboundPort(this.#options.config().source, port);
    const isOpaque = protocol === 'tcp' || protocol === 'tls' || (protocol === 'auto' && alwaysTcpPorts.has(port));
    if (isOpaque && mtls === 'DISABLE') {
      this.#options.tcp.serve(socket, noBytes, context);
      return;
    }
    const quietMs = inboundQuietMs(protocol, mtls);
    readFirstBytes(socket, { quietMs, stalledMs: stalledClientMs }, (kind, head) => {
      if (mtls !== 'DISABLE' && isMesh(kind)) return this.#terminate(socket, head, context);
      if (mtls === 'STRICT') return this.#refuse(socket, context, 'plaintext to a port that takes mesh mTLS only');
      const handler = kind.kind === 'http' && !isOpaque ? this.#options.http : this.#options.tcp;
      handler.serve(socket, head, context);
    });
  }

  #outboundProtocol(context: DownstreamContext): PortProtocol {
    const config = this.#options.config();
    const asked = context.originalDestination;
    const located = asked === null ? null : config.endpointAt(asked.host, asked.port);
    const service = context.service === null ? located?.service : config.serviceByKey(context.service.key)?.config;
    const port = context.service?.port ?? located?.port ?? asked?.port ?? 0;
    const declared = service?.ports.find((listed) => listed.port === port)?.protocol ?? 'auto';
    return declared === 'auto' && alwaysTcpPorts.has(port) ? 'tcp' : declared;
  }

  #terminate(socket: Socket, head: Buffer, context: DownstreamContext): void {
    const { http, tcp, terminator } = this.#options;
    terminator.terminate(socket, head, {
      accept: (mesh) => {
        const handler = mesh.protocol === 'http' ? http : tcp;
        handler.serve(mesh.socket, noBytes, { ...context, peerSpiffeId: mesh.peerSpiffeId });
      },
      refuse: (reason) => this.#refuse(socket, context, reason),
    });
  }

  /** Envoy closes such a connection for want of a matching filter chain: flag `NR`. */
  #refuse(socket: Socket, context: DownstreamContext, reason: string): void {
    this.#options.edge(toUnknownEdge(context)).flag('NR');
    const port = context.target?.servicePort ?? context.originalDestination?.port;
    this.#options.logger.warn(`refused a connection from ${context.remote.host} to port ${port}: ${reason}`);
    socket.destroy();
  }
}

/** How long a client may be silent before it counts as one that waits for the server. */
function inboundQuietMs(protocol: PortProtocol, mtls: MtlsMode): number {
  // Only TLS is welcome, and in TLS the client speaks first: silence is nothing but slowness.
  if (mtls === 'STRICT') return handshakeTimeoutMs;
  return protocol === 'http' ? Number.POSITIVE_INFINITY : quietClientMs;
}

function isMesh(kind: FirstBytes): boolean {
  return kind.kind === 'tls' && kind.alpn.some((name) => name === meshAlpn.http || name === meshAlpn.tcp);
}

function inboundPort(config: SidecarConfig, port: number): { mtls: MtlsMode; protocol: PortProtocol } {
  return config.inbound.ports.find((listed) => listed.port === port) ?? { mtls: config.inbound.mtls, protocol: 'auto' };
}
