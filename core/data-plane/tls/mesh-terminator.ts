import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { meshAlpn } from '../../model/identity.ts';
import { rememberTransport } from '../reset-connection.ts';
import type { FaultyMaterial } from './faulty-identity.ts';
import { sessionLifetimeMs } from './session-tickets.ts';
import { isOfTrustDomain, spiffeIdFromNames } from './spiffe.ts';
import type { IdentityMaterial, WorkloadIdentity } from './workload-identity.ts';

/** A client that does not finish its handshake within this time is closed. */
export const handshakeTimeoutMs = 10_000;
/** Handshakes under way at once. Above it the oldest goes, when it has had `stalledHandshakeMs`; else the newest. */
const maxHandshakes = 1_024;
const stalledHandshakeMs = 1_000;
const meshProtocols: ReadonlyMap<string, MeshProtocol> = new Map([
  [meshAlpn.mux, 'mux'],
  [meshAlpn.http, 'http'],
  [meshAlpn.tcp, 'tcp'],
]);

/** What is inside a mesh connection. */
export type MeshProtocol = keyof typeof meshAlpn;

export interface MeshConnection {
  readonly socket: TLSSocket;
  readonly protocol: MeshProtocol;
  readonly peerSpiffeId: string;
}

interface Waiting {
  readonly accept: (connection: MeshConnection) => void;
  readonly refuse: (reason: string) => void;
}

interface Handshake extends Waiting {
  readonly transport: Socket;
  readonly startedAtMs: number;
}

export interface MeshTerminatorOptions {
  /** Offered to clients, best first; a client of another version chooses what both know. Default: all. */
  readonly protocols?: readonly MeshProtocol[];
  readonly maxHandshakes?: number;
  /** Asked for every handshake; `null`: the sidecar's own certificate. Absent: always that. */
  readonly faulty?: () => FaultyMaterial | null;
}

/**
 * The server side of mesh mTLS: TLS 1.3 only, a client certificate of the trust bundle with a SPIFFE ID of the trust
 * domain, and one of our ALPN protocols. A rotation changes what new handshakes use; open connections live on, sessions
 * (tickets) of before are not resumed: each generation encrypts them with a key of its own.
 */
export class MeshTerminator {
  readonly #identity: WorkloadIdentity;
  readonly #trustDomain: () => string;
  readonly #server: Server;
  readonly #alpns: readonly string[];
  readonly #maxHandshakes: number;
  /** By the ends of the connection, oldest first. */
  readonly #waiting = new Map<string, Handshake>();
  #generation = -1;
  readonly #faulty: () => FaultyMaterial | null;
  #faultyServer: { readonly material: FaultyMaterial; readonly server: Server } | null = null;

  constructor(identity: WorkloadIdentity, trustDomain: () => string, options: MeshTerminatorOptions = {}) {
    const { protocols = ['mux', 'http', 'tcp'] } = options;
    this.#identity = identity;
    this.#trustDomain = trustDomain;
    this.#maxHandshakes = options.maxHandshakes ?? maxHandshakes;
    this.#faulty = options.faulty ?? (() => null);
    this.#alpns = protocols.map((name) => meshAlpn[name]);
    this.#server = this.#createServer({});
  }

  #createServer(certificate: Pick<TlsOptions, 'key' | 'cert' | 'ca'>): Server {
    const server = createServer({
      ...certificate,
      ALPNProtocols: [...this.#alpns],
      requestCert: true,
      // Checked in `#whyNot`: Node would close the connection of an untrusted client without a word to anybody.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      handshakeTimeout: handshakeTimeoutMs,
      sessionTimeout: sessionLifetimeMs / 1_000,
      allowHalfOpen: true,
    });
    server.on('secureConnection', (socket) => this.#onSecure(socket));
    server.on('tlsClientError', (error, socket) => this.#take(socket)?.refuse(error.message));
    return server;
  }

  /** Continues `socket`, of which `head` has been read, as TLS. Exactly one of `accept` and `refuse` is called, or none when the client goes away. */
  terminate(socket: Socket, head: Buffer, waiting: Waiting): void {
    const { material } = this.#identity;
    if (material === null) {
      socket.destroy();
      waiting.refuse('this sidecar has no certificate yet');
      return;
    }
    if (!this.#hasRoom()) {
      socket.destroy();
      waiting.refuse(`${this.#maxHandshakes} handshakes are under way`);
      return;
    }
    if (this.#generation !== this.#identity.generation) {
      this.#generation = this.#identity.generation;
      // Brings new ticket keys too.
      this.#server.setSecureContext({
        key: material.keyPem,
        cert: material.chainPem.join('\n'),
        ca: [...material.trustBundlePem],
        minVersion: 'TLSv1.3',
      });
    }
    const id = toId(socket);
    const handshake = { ...waiting, transport: socket, startedAtMs: performance.now() };
    this.#waiting.set(id, handshake);
    socket.once('close', () => {
      if (this.#waiting.get(id) === handshake) this.#waiting.delete(id);
    });
    if (head.length > 0) socket.unshift(head);
    // Documented way to hand a connection to a TLS server that does not listen by itself.
    this.#serverNow(material).emit('connection', socket);
  }

  /** One that shows what a fault says, with ticket keys of its own: a session of before is not resumed there. */
  #serverNow({ trustBundlePem }: IdentityMaterial): Server {
    const material = this.#faulty();
    if (material === null) {
      this.#faultyServer = null;
      return this.#server;
    }
    if (this.#faultyServer?.material !== material) {
      const { keyPem, chainPem } = material;
      const server = this.#createServer({ key: keyPem, cert: chainPem.join('\n'), ca: [...trustBundlePem] });
      this.#faultyServer = { material, server };
    }
    return this.#faultyServer.server;
  }

  #onSecure(socket: TLSSocket): void {
    const waiting = this.#take(socket);
    socket.on('error', () => socket.destroy());
    if (waiting === undefined) {
      socket.destroy();
      return;
    }
    // The certificate is looked at every time: in a resumed session Node reports `authorized` for a client without one.
    const certificate = socket.getPeerCertificate();
    const peer = spiffeIdFromNames(certificate.subjectaltname);
    const reason = this.#whyNot(socket, peer, certificate.valid_to);
    const protocol = meshProtocols.get(socket.alpnProtocol || '');
    if (peer === null || reason !== null || protocol === undefined) {
      socket.destroy();
      waiting.refuse(reason ?? 'no protocol of the mesh was agreed on');
      return;
    }
    rememberTransport(socket, waiting.transport);
    waiting.accept({ socket, protocol, peerSpiffeId: peer });
  }

  #whyNot(socket: TLSSocket, peer: string | null, validTo: string | undefined): string | null {
    if (!socket.authorized) return `the client's certificate is not accepted: ${socket.authorizationError}`;
    if (peer === null || !isOfTrustDomain(peer, this.#trustDomain())) {
      return `${peer ?? 'a certificate without SPIFFE ID'} is not of trust domain ${this.#trustDomain()}`;
    }
    // OpenSSL does not look at the certificate of a resumed session again.
    if (!(Date.parse(validTo ?? '') > Date.now())) return `the certificate of ${peer} has expired`;
    return null;
  }

  #hasRoom(): boolean {
    if (this.#waiting.size < this.#maxHandshakes) return true;
    const [oldest] = this.#waiting;
    if (oldest === undefined || performance.now() - oldest[1].startedAtMs < stalledHandshakeMs) return false;
    this.#waiting.delete(oldest[0]);
    oldest[1].transport.destroy();
    oldest[1].refuse('a stalled handshake made room for another one');
    return true;
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
