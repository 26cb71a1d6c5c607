import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach } from 'vitest';

/** What a test has opened and that ends with it, in reverse order. */
export interface Closers {
  add(close: () => unknown): void;
  /** Lets a server listen on a port of loopback, which is returned; it ends with all its connections. */
  listening(server: Server): Promise<number>;
}

export function prepareClosers(): Closers {
  let closers: (() => unknown)[] = [];
  afterEach(async () => {
    const open = closers.reverse();
    closers = [];
    for (const close of open) await close();
  });
  return {
    add: (close) => closers.push(close),
    async listening(server) {
      const sockets = new Set<Socket>();
      server.on('connection', (socket: Socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => sockets.delete(socket));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      closers.push(() => {
        server.close();
        for (const socket of sockets) socket.destroy();
      });
      return (server.address() as AddressInfo).port;
    },
  };
}
