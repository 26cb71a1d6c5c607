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
import { meshAlpn } from '../../model/identity.ts';
import type { Address, ConnectionHandler, DownstreamContext } from '../connection.ts';
import type { CompiledConfig } from '../http/compiled-config.ts';
import type { CompiledService } from '../http/compiled-service.ts';
import type { Logger } from '../logger.ts';
import type { QuietConnection } from '../tcp/quiet-connection.ts';
import type { ConnectionRecorder, TcpHandler } from '../tcp/tcp-handler.ts';
import { toUnknownEdge } from '../tcp/tcp-routing.ts';
import { handshakeTimeoutMs, type MeshTerminator } from '../tls/mesh-terminator.ts';
import { decide, type Expectation, type Sight, type Wait, waitFor } from './detection.ts';
import type { FirstBytes } from './first-bytes.ts';
import { type InboundTarget, inboundPort } from './inbound-port.ts';
import { quietClientMs, readFirstBytes, stalledClientMs } from './read-first-bytes.ts';
import { readProxyHeader } from './read-proxy-header.ts';

const noBytes = Buffer.alloc(0);
const tlsRecord = 0x16;
const meshProtocols: ReadonlySet<string> = new Set(Object.values(meshAlpn));
const silentMs: Readonly<Record<Exclude<Wait, 'none'>, number>> = {
  brief: quietClientMs,
  handshake: handshakeTimeoutMs,
  client: Number.POSITIVE_INFINITY,
};

export interface IntakeOptions {
  readonly config: () => CompiledConfig;
  readonly http: ConnectionHandler;
  /** HTTP/2 with prior knowledge; `null`: it passes as TCP. */
  readonly http2: ConnectionHandler | null;
  /** Requests of other sidecars. */
  readonly mux: ConnectionHandler;
  readonly tcp: ConnectionHandler & Pick<TcpHandler, 'serveQuiet'>;
  readonly terminator: Pick<MeshTerminator, 'terminate'>;
  readonly edge: (key: ReturnType<typeof toUnknownEdge>) => ConnectionRecorder;
  readonly logger: Logger;
}

export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  outbound(socket: Socket, context: DownstreamContext): void {
    if (context.forwardProxy) this.#options.http.serve(socket, noBytes, context);
    else this.#begin(socket, context, this.#outboundExpectation(context));
  }

  inbound(socket: Socket, context: DownstreamContext): void {
    const { source } = this.#options.config();
    const port = context.target?.servicePort ?? context.originalDestination?.port ?? 0;
    const listed = inboundPort(source, context);
    const seen = listed?.target === undefined ? context : withTarget(context, port, listed.target);
    const expectation: Expectation = {
      direction: 'inbound',
      declared: listed?.protocol ?? 'auto',
      mtls: listed?.mtls ?? source.inbound.mtls,
      port,
    };
    if (listed?.proxyProtocol?.accept === true) this.#acceptProxied(socket, seen, expectation);
    else this.#begin(socket, seen, expectation);
  }

  /** Plaintext begins with a PROXY header. Other sidecars send none: whoever begins with TLS has to be one of them. */
  #acceptProxied(socket: Socket, context: DownstreamContext, expectation: Expectation): void {
    readProxyHeader(socket, {
      onHeader: ({ source }) => {
        const remote = source ?? context.remote;
        this.#begin(socket, { ...context, remote }, expectation);
      },
      onAbsent: (firstByte) => {
        if (firstByte === tlsRecord) this.#begin(socket, context, { ...expectation, mtls: 'STRICT' });
        else this.#refuse(socket, context, 'no PROXY header, which is asked for at this port');
      },
      onRefused: (reason) => this.#refuse(socket, context, reason),
    });
  }

  #begin(socket: Socket, context: DownstreamContext, expectation: Expectation): void {
    const { tcp } = this.#options;
    const { wait } = waitFor(expectation);
    if (wait === 'none') {
      tcp.serve(socket, noBytes, context);
      return;
    }
    let quiet: QuietConnection | null = null;
    const stopReading = readFirstBytes(socket, {
      quietMs: silentMs[wait],
      stalledMs: stalledClientMs,
      onDetected: (kind, head) => {
        const seen =
          kind.kind === 'tls' && kind.serverName !== null ? { ...context, serverName: kind.serverName } : context;
        const { verdict, because } = decide(expectation, toSight(kind));
        const handler = this.#handlerOf(verdict);
        if (handler === tcp && quiet !== null) {
          quiet.join(head);
          return;
        }
        quiet?.release();
        if (handler !== null) handler.serve(socket, head, seen);
        else if (verdict === 'terminate') this.#terminate(socket, head, context);
        else this.#refuse(socket, context, because);
      },
      onQuiet: () => {
        const { verdict, because } = decide(expectation, 'quiet');
        if (verdict === 'ask-server') {
          quiet = tcp.serveQuiet(socket, context, stopReading);
          return;
        }
        stopReading();
        this.#refuse(socket, context, because);
      },
    });
  }

  #handlerOf(verdict: ReturnType<typeof decide>['verdict']): ConnectionHandler | null {
    const { http, http2, tcp } = this.#options;
    switch (verdict) {
      case 'http':
        return http;
      case 'h2':
        return http2 ?? tcp;
      case 'tcp':
        return tcp;
      default:
        return null;
    }
  }

  #outboundExpectation(context: DownstreamContext): Expectation {
    const config = this.#options.config();
    const asked = context.originalDestination;
    const located = asked === null ? null : config.endpointAt(asked.host, asked.port);
    const dialled = asked === null || located !== null ? null : calledBy(config, asked);
    if (dialled === 'nobody')
      return { direction: 'outbound', declared: 'tcp', port: asked?.port ?? 0, mtls: 'DISABLE' };
    const named = context.service === null ? dialled : config.serviceByKey(context.service.key);
    const service = located?.service ?? named?.config;
    const port = context.service?.port ?? located?.port ?? asked?.port ?? 0;
    const declared = service?.ports.find((listed) => listed.port === port)?.protocol ?? 'auto';
    return { direction: 'outbound', declared, port, mtls: 'DISABLE' };
  }

  #terminate(socket: Socket, head: Buffer, context: DownstreamContext): void {
    const { http, mux, tcp, terminator } = this.#options;
    terminator.terminate(socket, head, {
      accept: (mesh) => {
        const handlers = { mux, http, tcp };
        const handler = handlers[mesh.protocol];
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

/** The application listens elsewhere for this port (Istio Sidecar, `ingress`). */
function withTarget(context: DownstreamContext, servicePort: number, { host, port }: InboundTarget): DownstreamContext {
  const dialled = context.target?.host ?? context.originalDestination?.host ?? '127.0.0.1';
  return { ...context, target: { host: host ?? dialled, port, servicePort } };
}

/**
 * The service that takes an address; `null`: nobody is known to, names have to say. `nobody`: only known services may be
 * reached, and none has this port, so whatever is said is not listened to (Istio: no listener, BlackHoleCluster).
 */
function calledBy(config: CompiledConfig, { host, port }: Address): CompiledService | 'nobody' | null {
  const service = config.serviceAt(host, port) ?? config.serviceOnPort(port);
  if (service !== null || config.source.outbound !== 'registry-only') return service;
  return config.source.services.some(({ ports }) => ports.some((listed) => listed.port === port)) ? null : 'nobody';
}

function toSight(kind: FirstBytes): Sight {
  if (kind.kind !== 'tls') return kind.kind;
  return kind.alpn.some((name) => meshProtocols.has(name)) ? 'mesh-tls' : 'tls';
}
