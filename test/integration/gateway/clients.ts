/** Clients of a gateway, and what is to be ended after each test. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';

let closers: (() => unknown)[] = [];

/** Done after the test, the last one first. */
export function keep(close: () => unknown): void {
  closers.push(close);
}

export async function closeAll(): Promise<void> {
  for (const close of closers.reverse()) await close();
  closers = [];
}

/** Listens on a free port of loopback until the test is over. */
export async function listening(server: Server): Promise<number> {
  server.on('connection', (socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  keep(() => server.close());
  return (server.address() as AddressInfo).port;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request on a connection of its own. Rejects when there is no answer. */
export async function ask(asked: {
  readonly port: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly tls?: ConnectionOptions;
}): Promise<Answer> {
  const { port, path = '/', method = 'GET', headers = {}, tls } = asked;
  const named = tls?.servername === undefined ? headers : { host: tls.servername, ...headers };
  const options = { host: '127.0.0.1', port, path, method, headers: named, agent: false };
  const outgoing = tls === undefined ? requestHttp(options) : requestHttps({ ...options, ...tls });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

export function dialTls(port: number, options: ConnectionOptions): TLSSocket {
  const socket = connectTls({ host: '127.0.0.1', port, ...options });
  keep(() => socket.destroy());
  return socket;
}

/** Everything until the other side ends. Rejects when it breaks off. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  // Node 24 leaves a half-open socket open when its reader is at the end.
  socket.destroy();
  return Buffer.concat(chunks);
}

/** Of a connection that was closed without an answer: nothing came, or it broke off. */
export function isNothing(read: Buffer | null): boolean {
  return read === null || read.length === 0;
}
