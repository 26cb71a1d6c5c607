import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { meshAlpn } from '../../model/identity.ts';
import { rememberTransport } from '../reset-connection.ts';
import { isOfTrustDomain, spiffeIdFromNames } from './spiffe.ts';
import type { WorkloadIdentity } from './workload-identity.ts';

/** A client that does not finish its handshake within this time is closed. */
export const handshakeTimeoutMs = 10_000;

export interface MeshConnection {
  readonly socket: TLSSocket;
  readonly protocol: 'http' | 'tcp';
  readonly peerSpiffeId: string;
}

interface Waiting {
  readonly accept: (connection: MeshConnection) => void;
  readonly refuse: (reason: string) => void;
}

interface Handshake extends Waiting {
  readonly transport: Socket;
}

/**
 * The server side of mesh mTLS: TLS 1.3 only, a client certificate of the trust bundle with a SPIFFE ID of the trust
 * domain, and one of our ALPN protocols. A rotation changes what new handshakes use; open connections live on.
 */
export class MeshTerminator {
  readonly #identity: WorkloadIdentity;
  readonly #trustDomain: () => string;
  readonly #server: Server;
  readonly #waiting = new Map<string, Handshake>();
  #generation = -1;

  constructor(identity: WorkloadIdentity, trustDomain: () => string) {
    this.#identity = identity;
    this.#trustDomain = trustDomain;
    this.#server = createServer({
      ALPNProtocols: [meshAlpn.http, meshAlpn.tcp],
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      handshakeTimeout: handshakeTimeoutMs,
      allowHalfOpen: true,
    });
    this.#server.on('secureConnection', (socket) => this.#onSecure(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#take(socket)?.refuse(error.message));
  }

  /** Continues `socket`, of which `head` has been read, as TLS. Exactly one of `accept` and `refuse` is called, or none when the client goes away. */
  terminate(socket: Socket, head: Buffer, waiting: Waiting): void {
    const { material } = this.#identity;
    if (material === null) {
      socket.destroy();
      waiting.refuse('this sidecar has no certificate yet');
      return;
    }
    if (this.#generation !== this.#identity.generation) {
      this.#generation = this.#identity.generation;
      this.#server.setSecureContext({
        key: material.keyPem,
        cert: material.chainPem.join('\n'),
        ca: [...material.trustBundlePem],
        minVersion: 'TLSv1.3',
      });
    }
    const id = toId(socket);
    const handshake = { ...waiting, transport: socket };
    this.#waiting.set(id, handshake);
    socket.once('close', () => {
      if (this.#waiting.get(id) === handshake) this.#waiting.delete(id);
    });
    if (head.length > 0) socket.unshift(head);
    // Documented way to hand a connection to a TLS server that does not listen by itself.
    this.#server.emit('connection', socket);
  }

  #onSecure(socket: TLSSocket): void {
    const waiting = this.#take(socket);
    socket.on('error', () => socket.destroy());
    if (waiting === undefined) {
      socket.destroy();
      return;
    }
    const peer = spiffeIdFromNames(socket.getPeerCertificate().subjectaltname);
    if (peer === null || !isOfTrustDomain(peer, this.#trustDomain())) {
      socket.destroy();
      waiting.refuse(`${peer ?? 'a certificate without SPIFFE ID'} is not of trust domain ${this.#trustDomain()}`);
      return;
    }
    rememberTransport(socket, waiting.transport);
    const protocol = socket.alpnProtocol === meshAlpn.http ? 'http' : 'tcp';
    waiting.accept({ socket, protocol, peerSpiffeId: peer });
  }

  #take(socket: TLSSocket): Handshake | undefined {
    const id = toId(socket);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

/** A TLS socket and the connection below it have the same ends; there is no documented way from one to the other. */
function toId(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}
