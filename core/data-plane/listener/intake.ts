/**
 * From an accepted connection to the handler that serves it.
 *
 *   outbound  from the application: detect, then http/ or tcp/. TLS of the application's own is TCP to us.
 *   inbound   to the application: mesh TLS is terminated (its ALPN says what is inside); otherwise the port's mTLS mode
 *             decides whether plaintext, and TLS that is not ours, may pass untouched.
 *
 * original destination  where the client wanted to go before the redirect rules brought it here
 * quiet client          one that may wait for the server to speak first; never made to wait for ever
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
import type { QuietConnection } from '../tcp/quiet-connection.ts';
import { type ConnectionRecorder, type TcpHandler, toUnknownEdge } from '../tcp/tcp-handler.ts';
import { handshakeTimeoutMs, type MeshTerminator } from '../tls/mesh-terminator.ts';
import type { FirstBytes } from './first-bytes.ts';
import { quietClientMs, readFirstBytes, stalledClientMs } from './read-first-bytes.ts';

/** Never inspected: Istio's list (25, 53, 3306, 27017) and, of Linkerd's opaque ports, the databases one meets on a desk. */
const alwaysTcpPorts: ReadonlySet<number> = new Set([25, 53, 587, 3306, 5432, 6379, 11_211, 27_017]);
/** A client may be silent for this long at a port that takes mesh TLS only. */
const strictlySilentMs = handshakeTimeoutMs;
const noBytes = Buffer.alloc(0);

export interface IntakeOptions {
  readonly config: () => CompiledConfig;
  readonly http: ConnectionHandler;
  readonly tcp: TcpHandler;
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
    this.#detect(socket, context, quietMs, (kind) =>
      kind.kind === 'http' ? (head) => http.serve(socket, head, context) : null,
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
    const quietMs = protocol === 'http' ? Number.POSITIVE_INFINITY : quietClientMs;
    const isStrict = mtls === 'STRICT';
    this.#detect(socket, context, isStrict ? strictlySilentMs : quietMs, (kind) => {
      if (mtls !== 'DISABLE' && isMesh(kind)) return (head) => this.#terminate(socket, head, context);
      if (isStrict) return () => this.#refuse(socket, context, 'plaintext to a port that takes mesh mTLS only');
      return kind.kind === 'http' && !isOpaque ? (head) => this.#options.http.serve(socket, head, context) : null;
    });
  }

  /** `decide`: who serves a connection that begins like this; `null`: it is TCP. */
  #detect(
    socket: Socket,
    context: DownstreamContext,
    quietMs: number,
    decide: (kind: FirstBytes) => ((head: Buffer) => void) | null,
  ): void {
    const { tcp } = this.#options;
    let quiet: QuietConnection | null = null;
    const stopReading = readFirstBytes(socket, {
      quietMs,
      stalledMs: stalledClientMs,
      onDetected: (kind, head) => {
        const serve = decide(kind);
        if (serve !== null) {
          quiet?.release();
          serve(head);
        } else if (quiet !== null) {
          quiet.join(head);
        } else {
          tcp.serve(socket, head, context);
        }
      },
      onQuiet: () => {
        // At a strict port nothing but TLS is welcome, and in TLS the client speaks first: no server to connect.
        const refuse = quietMs === strictlySilentMs ? decide({ kind: 'tcp' }) : null;
        if (refuse === null) quiet = tcp.serveQuiet(socket, context, stopReading);
        else refuse(stopReading());
      },
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

function isMesh(kind: FirstBytes): boolean {
  return kind.kind === 'tls' && kind.alpn.some((name) => name === meshAlpn.http || name === meshAlpn.tcp);
}

function inboundPort(config: SidecarConfig, port: number): { mtls: MtlsMode; protocol: PortProtocol } {
  return config.inbound.ports.find((listed) => listed.port === port) ?? { mtls: config.inbound.mtls, protocol: 'auto' };
}
