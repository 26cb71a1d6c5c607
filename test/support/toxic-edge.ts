import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { TcpAction } from '../../core/data-plane/faults/injection-set.ts';
import type { InjectionConfig } from '../../core/model/injection-config.ts';
import { switchedOn } from './switched-on.ts';
import { emptyConfig, freePort, serviceOf, TestSidecar } from './test-sidecar.ts';

export const toxicPort = 5_432;

/** A switched-on fault of connections to `db.shop`. */
export const tcpFault = (action: TcpAction, changes: Partial<InjectionConfig> = {}) =>
  switchedOn('db.shop', action, changes);

/** client -> sidecar of `web` -> server: an edge whose connections are put under faults while they live. */
export class ToxicEdge {
  readonly sidecar: TestSidecar;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly accepted: Socket[] = [];
  #revision = 0;
  #protocol: 'tcp' | 'auto' | 'http';

  private constructor(sidecar: TestSidecar, port: number, server: Server, protocol: 'tcp' | 'auto' | 'http') {
    this.sidecar = sidecar;
    this.port = port;
    this.#server = server;
    this.#protocol = protocol;
    server.on('connection', (socket) => {
      this.accepted.push(socket);
      this.#keep(socket);
    });
  }

  /** `server`: not listening yet. */
  static async start(server: Server, options: { leaseMs?: number; protocol?: 'tcp' | 'auto' | 'http' } = {}) {
    const sidecar = await TestSidecar.start({ name: 'web', leaseMs: options.leaseMs ?? 60_000 });
    const edge = new ToxicEdge(sidecar, await freePort(), server, options.protocol ?? 'tcp');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await edge.inject();
    return edge;
  }

  /** Only these faults from now on. */
  async inject(...injections: readonly InjectionConfig[]): Promise<void> {
    this.#revision += 1;
    const targetPort = (this.#server.address() as AddressInfo).port;
    const endpoint = { ports: [{ port: toxicPort, targetPort }] };
    const answer = await this.sidecar.control.push(
      emptyConfig('web', this.#revision, {
        listeners: {
          kind: 'explicit',
          inbound: [],
          outbound: [{ listen: { host: '127.0.0.1', port: this.port }, service: 'db.shop', port: toxicPort }],
          httpProxy: null,
        },
        services: [serviceOf('db', toxicPort, [endpoint], this.#protocol)],
        ...(injections.length === 0 ? {} : { injections: [...injections] }),
      }),
    );
    if (answer.type !== 'ack') throw new Error(`the configuration was refused: ${JSON.stringify(answer)}`);
  }

  /** A connection through the sidecar; the server has accepted it when this resolves. */
  async open(): Promise<{ client: Socket; server: Socket }> {
    const before = this.accepted.length;
    const client = this.dial();
    await once(client, 'connect');
    while (this.accepted.length === before) await once(this.#server, 'connection');
    const server = this.accepted[before];
    if (server === undefined) throw new Error('nobody connected');
    return { client, server };
  }

  dial(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.port, allowHalfOpen: true, noDelay: true });
    this.#keep(socket);
    return socket;
  }

  async close(): Promise<void> {
    await this.sidecar.close();
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
  }
}

/** A server that keeps its side open when the client ends, and does nothing else by itself. */
export const quietServer = () => createServer({ allowHalfOpen: true, noDelay: true });

/** What a socket was told: its data, and how it ended. */
export function watchSocket(socket: Socket) {
  const seen = { text: '', pieces: 0, end: false, closed: false, error: null as string | null };
  socket.on('data', (chunk: Buffer) => {
    seen.text += chunk.toString('latin1');
    seen.pieces += 1;
  });
  socket.on('end', () => {
    seen.end = true;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.error = error.code ?? error.message;
  });
  socket.on('close', () => {
    seen.closed = true;
  });
  return seen;
}
