import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type UpstreamConnector, UpstreamError, type UpstreamFailure, type UpstreamTarget } from '../connection.ts';
import { toMessage } from '../logger.ts';
import { rememberTransport } from '../reset-connection.ts';
import { spiffeIdFromNames } from './spiffe.ts';
import type { WorkloadIdentity } from './workload-identity.ts';

/** Istio's `connectTimeout` default, for TCP and the TLS handshake together. */
export const connectTimeoutMs = 10_000;
/** Finds peers that vanished without a word; the kernel probes after this time without traffic. */
const keepAliveDelayMs = 60_000;

/** Opens connections to endpoints: plaintext, or mesh mTLS that accepts exactly the endpoint's SPIFFE ID. */
export function createUpstreamConnector(identity: WorkloadIdentity, timeoutMs = connectTimeoutMs): UpstreamConnector {
  return {
    get generation() {
      return identity.generation;
    },
    connect: (target, signal) => connect(identity, target, timeoutMs, signal),
  };
}

function connect(
  identity: WorkloadIdentity,
  target: UpstreamTarget,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const where = `${target.host}:${target.port}`;
    if (signal?.aborted) return reject(cancelled(where));
    let socket: Socket;
    try {
      socket = target.tls === null ? connectTcp(toDialOptions(target)) : dialMesh(identity, target, target.tls);
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
    socket.once(target.tls === null ? 'connect' : 'secureConnect', () => {
      const seen = target.tls === null ? null : (socket as TLSSocket).alpnProtocol;
      if (target.tls !== null && seen !== target.tls.alpn) {
        return fail(failure('tls', `${where} did not agree to the mesh protocol ${target.tls.alpn}; is it a sidecar?`));
      }
      settle();
      resolve(socket);
    });
  });
}

function toDialOptions(target: UpstreamTarget) {
  return {
    host: target.host,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelayMs,
    ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
  };
}

function dialMesh(identity: WorkloadIdentity, target: UpstreamTarget, tls: NonNullable<UpstreamTarget['tls']>): Socket {
  if (identity.context === null) {
    throw failure('tls', 'this sidecar has no certificate yet; the control plane issues one when it is connected');
  }
  const transport = connectTcp(toDialOptions(target));
  const socket = connectTls({
    socket: transport,
    secureContext: identity.context,
    ALPNProtocols: [tls.alpn],
    servername: tls.serverName,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    // The chain is verified before; the host name plays no part, the SPIFFE ID decides.
    checkServerIdentity: (_name, certificate) => {
      const id = spiffeIdFromNames(certificate.subjectaltname);
      return id === tls.spiffeId
        ? undefined
        : failure('tls', `the endpoint is ${id ?? 'without a SPIFFE ID'}, expected ${tls.spiffeId}`);
    },
  });
  rememberTransport(socket, transport);
  return socket;
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
