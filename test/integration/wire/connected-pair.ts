/** Connections as the wire suite wants them: a wire on one end, a plain socket of Node's on the other. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { rememberTransport } from '../../../core/data-plane/reset-connection.ts';
import { openWire, type WireKind } from '../../../core/data-plane/wire/open-wire.ts';
import type { Wire, WireOwner } from '../../../core/data-plane/wire/wire.ts';
import { createCsr } from '../../support/create-csr.ts';
import { TestCa } from '../../support/test-ca.ts';

export type Transport = 'tcp' | 'tls';

/** Keeps all that it is told; a test may put a step of its own before or instead of it. */
export class RecordingOwner implements WireOwner {
  readonly received: Buffer[] = [];
  receivedBytes = 0;
  ended = 0;
  drained = 0;
  closed = 0;
  error: Error | null = null;
  keep = true;
  onBytesDo: ((bytes: Buffer, start: number, end: number) => void) | null = null;
  onEndDo: (() => void) | null = null;
  onDrainDo: (() => void) | null = null;

  get text(): string {
    return Buffer.concat(this.received).toString('latin1');
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.receivedBytes += end - start;
    if (this.keep) this.received.push(Buffer.from(bytes.subarray(start, end)));
    this.onBytesDo?.(bytes, start, end);
  }

  onEnd(): void {
    this.ended += 1;
    this.onEndDo?.();
  }

  onDrain(): void {
    this.drained += 1;
    this.onDrainDo?.();
  }

  onClose(error: Error | null): void {
    this.closed += 1;
    this.error = error;
  }
}

/** The other end of a wire. */
export class Peer {
  readonly socket: net.Socket;
  /** The TCP connection, below TLS if there is any. */
  readonly transport: net.Socket;
  received: Buffer[] = [];
  receivedBytes = 0;
  ended = false;
  closed = false;
  error: Error | null = null;

  constructor(socket: net.Socket, transport: net.Socket) {
    this.socket = socket;
    this.transport = transport;
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error) => {
      this.error = error;
    });
    transport.on('error', (error) => {
      this.error ??= error;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1');
  }

  /** Reads and keeps everything from now on. */
  read(): this {
    this.socket.on('data', (bytes: Buffer) => {
      this.receivedBytes += bytes.length;
      this.received.push(bytes);
    });
    return this;
  }
}

export interface Pair {
  /** The accepted socket, for tests that take it over by themselves. */
  readonly socket: net.Socket;
  readonly peer: Peer;
}

export class PairMaker {
  readonly #transport: Transport;
  readonly #server: net.Server;
  readonly #accepted: ((socket: net.Socket) => void)[] = [];
  readonly #sockets = new Set<net.Socket>();
  #port = 0;

  private constructor(transport: Transport, identity: { key: string; cert: string } | null) {
    this.#transport = transport;
    if (identity === null) {
      this.#server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
        this.#accept(socket),
      );
      return;
    }
    const terminator = tls.createServer({ ...identity, minVersion: 'TLSv1.3', allowHalfOpen: true });
    const transports = new Map<number, net.Socket>();
    terminator.on('secureConnection', (socket) => {
      const below = transports.get(socket.remotePort ?? 0);
      if (below !== undefined) rememberTransport(socket, below);
      this.#accept(socket);
    });
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      transports.set(socket.remotePort ?? 0, socket);
      terminator.emit('connection', socket);
    });
  }

  static async listen(transport: Transport): Promise<PairMaker> {
    const maker = new PairMaker(transport, transport === 'tls' ? await createIdentity() : null);
    maker.#server.listen(0, '127.0.0.1', 2_048);
    await once(maker.#server, 'listening');
    maker.#port = (maker.#server.address() as net.AddressInfo).port;
    return maker;
  }

  async connect(): Promise<Pair> {
    const accepted = new Promise<net.Socket>((resolve) => this.#accepted.push(resolve));
    const transport = net.connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.#sockets.add(transport);
    await once(transport, 'connect');
    let socket = transport;
    if (this.#transport === 'tls') {
      const secure = tls.connect({ socket: transport, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
      await once(secure, 'secureConnect');
      secure.allowHalfOpen = true;
      socket = secure;
    }
    const peer = new Peer(socket, transport);
    return { socket: await accepted, peer };
  }

  async open(kind: WireKind): Promise<{ wire: Wire; owner: RecordingOwner; peer: Peer; socket: net.Socket }> {
    const { socket, peer } = await this.connect();
    const owner = new RecordingOwner();
    return { wire: openWire(socket, owner, kind), owner, peer, socket };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: net.Socket): void {
    this.#sockets.add(socket);
    this.#accepted.shift()?.(socket);
  }
}

async function createIdentity(): Promise<{ key: string; cert: string }> {
  const ca = await TestCa.create();
  const { csrPem, privateKeyPem } = await createCsr({ uri: 'spiffe://cluster.local/ns/shop/sa/web' });
  return { key: privateKeyPem, cert: await ca.sign(csrPem) };
}
