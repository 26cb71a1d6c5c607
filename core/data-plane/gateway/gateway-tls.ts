import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, DEFAULT_CIPHERS, type PeerCertificate, type Server, type TLSSocket } from 'node:tls';
import { rememberTransport } from '../reset-connection.ts';
import { handshakeTimeoutMs } from '../tls/mesh-terminator.ts';
import type { CompiledServer } from './compiled-gateway.ts';

/** Handshakes under way at once, for all servers of a gateway. */
const maxHandshakes = 1_024;

export interface GatewayTlsResult {
  /** `clientCertificate`: for `x-forwarded-client-cert`. */
  readonly accept: (socket: TLSSocket, clientCertificate: string | null) => void;
  readonly refuse: (reason: string) => void;
}

interface Handshake extends GatewayTlsResult {
  readonly transport: Socket;
}

interface Terminating {
  /** What it was made from; another one needs another TLS server. */
  readonly of: CompiledServer;
  readonly server: Server;
}

/** Ends TLS of clients outside the mesh, with the certificates that a Gateway names. Open connections outlive a change of them. */
export class GatewayTls {
  readonly #servers = new Map<string, Terminating>();
  readonly #waiting = new Map<string, Handshake>();

  /** Continues `socket`, of which `head` has been read. Calls one of the two, or none when the client goes away. */
  terminate(socket: Socket, head: Buffer, port: number, server: CompiledServer, result: GatewayTlsResult): void {
    const refuse = (reason: string) => {
      socket.destroy();
      result.refuse(reason);
    };
    const { mode } = server.config.tls ?? {};
    if ((mode === 'mutual' || mode === 'optional-mutual') && server.clientCas.length === 0) {
      refuse('there is no CA of its clients');
      return;
    }
    if (server.certificates.length === 0) {
      refuse('there is no certificate for this server');
      return;
    }
    if (this.#waiting.size >= maxHandshakes) {
      refuse(`${maxHandshakes} handshakes are under way`);
      return;
    }
    let terminating: Server;
    try {
      terminating = this.#serverOf(port, server);
    } catch (error) {
      refuse(`its certificate cannot be used: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    const id = toId(socket);
    const handshake = { ...result, transport: socket };
    this.#waiting.set(id, handshake);
    socket.once('close', () => {
      if (this.#waiting.get(id) === handshake) this.#waiting.delete(id);
    });
    if (head.length > 0) socket.unshift(head);
    // Documented way to hand a connection to a TLS server that does not listen by itself.
    terminating.emit('connection', socket);
  }

  #serverOf(port: number, of: CompiledServer): Server {
    const key = `${port} ${of.config.id}`;
    const known = this.#servers.get(key);
    if (known?.of === of || (known !== undefined && isSame(known.of, of))) return known.server;
    const server = createServer(toOptions(of));
    server.on('secureConnection', (socket) => this.#onSecure(socket, of));
    server.on('tlsClientError', (error, socket) => this.#take(socket)?.refuse(error.message));
    this.#servers.set(key, { of, server });
    return server;
  }

  #onSecure(socket: TLSSocket, { config }: CompiledServer): void {
    const handshake = this.#take(socket);
    socket.on('error', () => socket.destroy());
    if (handshake === undefined || config.tls === undefined) {
      socket.destroy();
      return;
    }
    const certificate = socket.getPeerCertificate(true);
    const isShown = Object.keys(certificate).length > 0;
    const reason = whyNot(socket, isShown ? certificate : null, config.tls);
    if (reason !== null) {
      socket.destroy();
      handshake.refuse(reason);
      return;
    }
    rememberTransport(socket, handshake.transport);
    handshake.accept(socket, isShown ? describeClient(certificate) : null);
  }

  #take(socket: Socket): Handshake | undefined {
    const id = toId(socket);
    const handshake = this.#waiting.get(id);
    this.#waiting.delete(id);
    return handshake;
  }
}

type Tls = NonNullable<CompiledServer['config']['tls']>;

function isSame(a: CompiledServer, b: CompiledServer): boolean {
  return (
    a.config.protocol === b.config.protocol &&
    JSON.stringify([a.config.tls, a.certificates, a.clientCas]) ===
      JSON.stringify([b.config.tls, b.certificates, b.clientCas])
  );
}

function toOptions({ config, certificates, clientCas }: CompiledServer): Parameters<typeof createServer>[0] & object {
  const tls = config.tls ?? { mode: 'simple', certificates: [] };
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', cipherSuites = [] } = tls;
  const revoked = certificates.flatMap(({ clientCrlPem }) => clientCrlPem ?? []);
  // Those of TLS 1.3 are not for a configuration to choose, as in Envoy.
  const always = DEFAULT_CIPHERS.split(':').filter((name) => name.startsWith('TLS_'));
  return {
    key: certificates.map(({ keyPem }) => keyPem),
    cert: certificates.map(({ chainPem }) => chainPem),
    ...(clientCas.length === 0 ? {} : { ca: [...clientCas] }),
    ...(revoked.length === 0 ? {} : { crl: revoked }),
    ...(config.protocol === 'http' ? { ALPNProtocols: ['h2', 'http/1.1'] } : {}),
    ...(cipherSuites.length === 0 ? {} : { ciphers: [...always, ...cipherSuites].join(':') }),
    requestCert: tls.mode === 'mutual' || tls.mode === 'optional-mutual',
    // Looked at in `whyNot`: Node would close the connection without a word to anybody.
    rejectUnauthorized: false,
    minVersion,
    maxVersion,
    handshakeTimeout: handshakeTimeoutMs,
    allowHalfOpen: true,
  };
}

/** Why a client may not come in; `null`: it may. */
function whyNot(socket: TLSSocket, certificate: PeerCertificate | null, tls: Tls): string | null {
  if (tls.mode === 'simple') return null;
  if (certificate === null) return tls.mode === 'mutual' ? 'the client has shown no certificate' : null;
  if (tls.acceptUntrusted === true) return null;
  if (!socket.authorized) return `the client's certificate is not accepted: ${socket.authorizationError}`;
  const { subjectAltNames = [], hashes = [], spkis = [] } = tls;
  const names = (certificate.subjectaltname ?? '').split(', ').map((name) => name.replace(/^[^:]+:/, ''));
  if (subjectAltNames.length > 0 && !subjectAltNames.some((name) => names.includes(name)))
    return `the client's certificate is for ${names.join(', ') || 'nobody'}`;
  if (hashes.length + spkis.length === 0) return null;
  const isPinned =
    hashes.includes(hashOf(certificate)) ||
    (certificate.pubkey !== undefined &&
      spkis.includes(createHash('sha256').update(certificate.pubkey).digest('base64')));
  return isPinned ? null : "the client's certificate is none of those that are listed";
}

function hashOf({ fingerprint256 = '' }: PeerCertificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase();
}

/** Envoy's form: `Hash`, `Cert`, `Subject`, then the names. */
function describeClient(certificate: PeerCertificate): string {
  const pem = `-----BEGIN CERTIFICATE-----\n${certificate.raw.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
  const subject = Object.entries(certificate.subject ?? {})
    .reverse()
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}=${String(one).replace(/[",\\+<>;]/g, '\\$&')}`))
    .join(',');
  const names = (certificate.subjectaltname ?? '').split(', ');
  const of = (kind: string, label: string) =>
    names.filter((name) => name.startsWith(kind)).map((name) => `${label}=${name.slice(kind.length)}`);
  const parts = [
    `Hash=${hashOf(certificate)}`,
    `Cert="${encodeURIComponent(pem)}"`,
    `Subject="${subject.replaceAll('"', '\\"')}"`,
    ...of('URI:', 'URI'),
    ...of('DNS:', 'DNS'),
  ];
  return parts.join(';');
}

/** A TLS socket and the connection below it have the same ends; there is no documented way from one to the other. */
function toId(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}
