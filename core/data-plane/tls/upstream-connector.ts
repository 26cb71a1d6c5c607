import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { type UpstreamConnector, UpstreamError, type UpstreamFailure, type UpstreamTarget } from '../connection.ts';
import { toProxyHeader } from '../listener/proxy-protocol.ts';
import { toMessage } from '../logger.ts';
import { rememberTransport } from '../reset-connection.ts';
import { toOriginatedOptions } from './originated-tls.ts';
import { SessionTickets } from './session-tickets.ts';
import { spiffeIdFromNames } from './spiffe.ts';
import { tuneKeepAlive } from './tune-keep-alive.ts';
import type { WorkloadIdentity } from './workload-identity.ts';

/** Istio's `connectTimeout` default, for TCP and the TLS handshake together. */
export const connectTimeoutMs = 10_000;
/** Finds peers that vanished without a word; the kernel probes after this time without traffic. */
const keepAliveDelayMs = 60_000;

/** Opens connections to endpoints: plaintext, or mesh mTLS that accepts exactly the endpoint's SPIFFE ID. */
export function createUpstreamConnector(identity: WorkloadIdentity, timeoutMs = connectTimeoutMs): UpstreamConnector {
  const mesh: MeshClient = { identity, tickets: new SessionTickets() };
  return {
    get generation() {
      return identity.generation;
    },
    connect: (target, signal) => connect(mesh, target, timeoutMs, signal),
  };
}

interface MeshClient {
  readonly identity: WorkloadIdentity;
  readonly tickets: SessionTickets;
}

function connect(
  mesh: MeshClient,
  target: UpstreamTarget,
  usualTimeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const where = `${target.host}:${target.port}`;
    if (signal?.aborted) return reject(cancelled(where));
    const timeoutMs = target.dial?.timeoutMs ?? usualTimeoutMs;
    let socket: Socket;
    try {
      socket = dial(mesh, target);
    } catch (error) {
      return reject(toUpstreamError(error, where));
    }
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', onError);
      socket.removeListener('close', onClose);
    };
    const fail = (error: UpstreamError) => {
      settle();
      // Late errors of a connection nobody has any more say nothing new.
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onError = (error: Error) => fail(toUpstreamError(error, where));
    const onClose = () => fail(failure('reset', `${where} closed the connection during the handshake`));
    const onAbort = () => fail(cancelled(where));
    const timer = setTimeout(
      () => fail(failure('timeout', `no answer from ${where} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    timer.unref();
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.once(isSecure(target) ? 'secureConnect' : 'connect', () => {
      if (target.tls !== null) {
        const offers = toOffers(target.tls);
        if (!offers.includes((socket as TLSSocket).alpnProtocol || '')) {
          const names = offers.join(' or ');
          return fail(failure('tls', `${where} did not agree to the mesh protocol ${names}; is it a sidecar?`));
        }
      }
      settle();
      resolve(socket);
    });
  });
}

function isSecure({ tls, dial: policy }: UpstreamTarget): boolean {
  return tls !== null || policy?.originate !== undefined;
}

function dial(mesh: MeshClient, target: UpstreamTarget): Socket {
  if (target.tls !== null) return dialMesh(mesh, target, target.tls);
  const originate = target.dial?.originate;
  if (originate === undefined) return dialTransport(target);
  const options = toOriginatedOptions(originate);
  return overTls(dialTransport(target), options);
}

/** The TCP connection, with what goes ahead of everything else on it. */
function dialTransport(target: UpstreamTarget): Socket {
  const transport = connectTcp(toDialOptions(target));
  const { dial: policy, onBehalfOf } = target;
  const probes = policy?.keepAlive;
  if (probes !== undefined) transport.once('connect', () => tuneKeepAlive(transport, probes));
  if (policy?.proxyProtocol !== undefined && onBehalfOf !== undefined) {
    const { source, destination } = onBehalfOf;
    // Queued until it is connected: before the first byte of TLS.
    transport.write(toProxyHeader(policy.proxyProtocol, source, destination ?? target));
  }
  return transport;
}

function overTls(transport: Socket, options: ConnectionOptions): Socket {
  const socket = connectTls({ ...options, socket: transport });
  rememberTransport(socket, transport);
  return socket;
}

function toDialOptions(target: UpstreamTarget) {
  return {
    host: target.host,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: target.dial?.keepAlive?.timeMs ?? keepAliveDelayMs,
    ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
  };
}

function dialMesh(
  { identity, tickets }: MeshClient,
  target: UpstreamTarget,
  tls: NonNullable<UpstreamTarget['tls']>,
): Socket {
  const { context, generation } = identity;
  if (context === null) {
    throw failure('tls', 'this sidecar has no certificate yet; the control plane issues one when it is connected');
  }
  const offers = toOffers(tls);
  const peer = { host: target.host, port: target.port, spiffeId: tls.spiffeId, offers };
  const session = tickets.find(peer, generation, Date.now());
  const transport = dialTransport(target);
  const socket = connectTls({
    socket: transport,
    secureContext: context,
    ALPNProtocols: [...offers],
    servername: tls.serverName,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    ...(session === null ? {} : { session }),
    // The chain is verified before; the host name plays no part, the SPIFFE ID decides. Not called when the session is
    // resumed: see session-tickets.ts.
    checkServerIdentity: (_name, certificate) => {
      const id = spiffeIdFromNames(certificate.subjectaltname);
      return id === tls.spiffeId
        ? undefined
        : failure('tls', `the endpoint is ${id ?? 'without a SPIFFE ID'}, expected ${tls.spiffeId}`);
    },
  });
  // Tickets come after the handshake, when the identity is known to be right; without it the connection is closed.
  socket.on('session', (ticket: Buffer) => {
    if (socket.destroyed || !socket.authorized || socket.isSessionReused()) return;
    const validToMs = Date.parse(socket.getPeerCertificate().valid_to);
    if (validToMs > 0) tickets.keep(peer, ticket, validToMs, generation, Date.now());
  });
  if (session !== null) socket.once('error', () => tickets.forget(peer));
  rememberTransport(socket, transport);
  return socket;
}

function toOffers({ alpn, offers }: NonNullable<UpstreamTarget['tls']>): readonly string[] {
  return offers ?? [alpn];
}

function failure(kind: UpstreamFailure['kind'], message: string, cause?: unknown): UpstreamError {
  return new UpstreamError({ kind, message }, cause === undefined ? undefined : { cause });
}

function cancelled(where: string): UpstreamError {
  return failure('reset', `connecting to ${where} was given up: the client went away`);
}

const kindOfCode: Readonly<Record<string, UpstreamFailure['kind']>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
};

function toUpstreamError(error: unknown, where: string): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  // Everything that is not a socket error comes from the TLS layer: chain, protocol version, alert of the peer.
  return failure(kindOfCode[code] ?? 'tls', `${where}: ${toMessage(error)}`, error);
}
