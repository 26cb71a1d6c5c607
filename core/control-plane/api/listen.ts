import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MeshError } from '../../contract/errors.ts';

/** Listens on 127.0.0.1. @param port 0: any free one. Returns the port; rejects with CONFLICT when it is taken. */
export async function listenOnLoopback(server: Server, port: number): Promise<number> {
  try {
    server.listen({ host: '127.0.0.1', port });
    await once(server, 'listening');
  } catch (error) {
    throw new MeshError(
      'CONFLICT',
      `Cannot listen on 127.0.0.1:${port}: ${(error as Error).message}. Choose another one with --port.`,
      { cause: error },
    );
  }
  return (server.address() as AddressInfo).port;
}

/** Listens on a Unix socket that only this user may connect to, or on a named pipe. The caller holds the project's lock. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  const isFile = process.platform !== 'win32';
  if (isFile) await rm(path, { force: true });
  server.listen({ path, readableAll: false, writableAll: false });
  await once(server, 'listening');
  if (isFile) await chmod(path, 0o600);
}
