/** WebSockets and their like between HTTP/1.1 and HTTP/2 (RFC 8441): whoever asks, the application is asked as it can be. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
} from 'node:http2';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { type PairOptions, startSidecarPair } from '../../support/declared-pair.ts';
import { eventually } from '../../support/eventually.ts';

let closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

async function listening(server: Server): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
    closers.push(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, sockets };
}

async function start(application: number, options?: PairOptions): Promise<number> {
  const pair = await startSidecarPair([application], options);
  closers.push(() => pair.close());
  return pair.port;
}

interface Echo {
  readonly port: number;
  readonly asked: Record<string, unknown>[];
  readonly sockets: readonly Socket[];
}

/** Speaks HTTP/1.1 only; `/no` is declined. */
async function startWebSockets(): Promise<Echo> {
  const asked: Record<string, unknown>[] = [];
  const server = createHttpServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (incoming, socket, head) => {
    asked.push({ method: incoming.method, url: incoming.url, ...incoming.headers });
    if (incoming.url === '/no') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
      return;
    }
    sockets.handleUpgrade(incoming, socket, head, (accepted) => {
      accepted.on('message', (message) => accepted.send(message.toString()));
    });
  });
  return { ...(await listening(server)), asked };
}

/** Speaks HTTP/2 only; gives back the bytes of its tunnels. */
async function startHttp2Echo(): Promise<Echo> {
  const asked: Record<string, unknown>[] = [];
  const server = createHttp2Server({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream, headers) => {
    asked.push(headers);
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'x-from': 'http2' });
    stream.pipe(stream);
  });
  return { ...(await listening(server as unknown as Server)), asked };
}

async function openClient(port: number): Promise<ClientHttp2Session> {
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  client.on('error', () => undefined);
  closers.push(() => client.destroy());
  const [settings] = await once(client, 'remoteSettings');
  expect(settings.enableConnectProtocol).toBe(true);
  return client;
}

async function ask(client: ClientHttp2Session, path = '/chat') {
  const stream: ClientHttp2Stream = client.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':authority': 'shop',
      ':path': path,
      'sec-websocket-version': '13',
      origin: 'http://shop',
    },
    { endStream: false },
  );
  let received = Buffer.alloc(0);
  stream.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part]);
  });
  stream.on('error', () => undefined);
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  return { stream, headers, received: () => received };
}

/** A masked frame with a short text, as a client sends it; the mask is nought. */
const frame = (text: string) => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
const answerFrame = (text: string) => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);

describe.each([
  ['with a sidecar at either end', true],
  ['with one sidecar', false],
])('a client of HTTP/2 asks an application of HTTP/1.1, %s', (_how, mesh) => {
  it('and gets a tunnel that carries both ways and ends in halves', async () => {
    const shop = await startWebSockets();
    const client = await openClient(await start(shop.port, { mesh }));
    const { stream, headers, received } = await ask(client);
    expect(headers[':status']).toBe(200);
    expect(headers['sec-websocket-accept']).toBeUndefined();
    expect(headers['upgrade']).toBeUndefined();
    expect(shop.asked).toMatchObject([
      { method: 'GET', url: '/chat', upgrade: 'websocket', host: 'shop', origin: 'http://shop' },
    ]);
    stream.write(frame('hello'));
    await eventually('the echo', () => received().equals(answerFrame('hello')));
    stream.write(frame('again'));
    await eventually('another', () => received().length === 14);
    stream.end();
    await once(stream, 'close');
    expect(stream.rstCode).toBe(0);
  });

  it('and is told when it declines, and may go on with others meanwhile', async () => {
    const shop = await startWebSockets();
    const client = await openClient(await start(shop.port, { mesh }));
    const [declined, taken] = await Promise.all([ask(client, '/no'), ask(client)]);
    expect([declined.headers[':status'], taken.headers[':status']]).toEqual([403, 200]);
    await eventually('the reason', () => declined.received().toString() === 'no');
    taken.stream.write(frame('still'));
    await eventually('the echo', () => taken.received().equals(answerFrame('still')));
  });
});

describe('an application of HTTP/2', () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const upgrade = `GET /chat HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;

  it.each([true, false])('is asked with CONNECT by a client of HTTP/1.1 (mesh: %s)', async (mesh) => {
    const shop = await startHttp2Echo();
    const socket = connect({ port: await start(shop.port, { mesh, protocol: 'http2' }), host: '127.0.0.1' });
    closers.push(() => socket.destroy());
    let received = '';
    socket.on('data', (part) => {
      received += part.toString('latin1');
    });
    socket.write(upgrade);
    await eventually('the answer', () => received.includes('\r\n\r\n'));
    expect(received).toMatch(/^HTTP\/1\.1 101 /);
    expect(received).toMatch(/\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
    expect(received).toMatch(/\r\nupgrade: websocket\r\n/i);
    expect(received).toMatch(/\r\nx-from: http2\r\n/i);
    expect(shop.asked).toMatchObject([{ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' }]);
    expect(shop.asked[0]).not.toHaveProperty('sec-websocket-key');
    received = '';
    socket.write('ping');
    await eventually('the echo', () => received === 'ping');
    socket.end();
    await once(socket, 'close');
  });

  it('is asked with CONNECT by a client of HTTP/2', async () => {
    const shop = await startHttp2Echo();
    const client = await openClient(await start(shop.port, { protocol: 'http2' }));
    const { stream, headers, received } = await ask(client);
    expect(headers).toMatchObject({ ':status': 200, 'x-from': 'http2' });
    stream.write('ping');
    await eventually('the echo', () => received().toString() === 'ping');
    stream.end();
    await once(stream, 'close');
  });

  it('that goes away takes its tunnels with it', async () => {
    const shop = await startHttp2Echo();
    const client = await openClient(await start(shop.port, { protocol: 'http2' }));
    const { stream } = await ask(client);
    const closed = new Promise((resolve) => stream.once('close', resolve));
    for (const socket of shop.sockets) socket.destroy();
    await closed;
    expect(stream.rstCode).not.toBe(0);
  });
});
