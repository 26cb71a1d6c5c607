import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A Unix socket that leads to another one and can be cut: an engine that goes away and comes back, without harming it. */
export class UnixProxy {
  readonly path: string;
  readonly #target: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;

  constructor(path: string, target: string) {
    this.path = path;
    this.#target = target;
  }

  async open(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const upstream = connect({ path: this.#target, allowHalfOpen: true });
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
    server.listen(this.path);
    await once(server, 'listening');
    this.#server = server;
  }

  /** Ends every connection and refuses new ones. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
    await rm(this.path, { force: true });
  }
}
