/** WebSocket (RFC 6455) through one and two sidecars, each a process as it ships: after the upgrade they are a pipe that changes and delays nothing. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { RawClient } from '../support/conformance/raw-client.ts';
import { openPathOf, pathNames, type SidecarPath } from '../support/conformance/sidecar-paths.ts';
import { SidecarProcess } from '../support/conformance/sidecar-process.ts';
import { eventually } from '../support/eventually.ts';

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const handshake = [
  'GET /chat HTTP/1.1',
  'Host: orders',
  'Connection: keep-alive, Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');

describe.each(pathNames)('WebSocket, %s', (path) => {
  let server: WebSocketServer;
  let sidecars: SidecarPath;
  const opened: WebSocket[] = [];

  beforeAll(async () => {
    server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      maxPayload: 256 * 1024 * 1024,
      handleProtocols: (protocols) => [...protocols][0] ?? false,
    });
    await once(server, 'listening');
    server.on('connection', (socket, request) => {
      socket.on('error', () => undefined);
      if (request.url === '/close') socket.close(4_321, 'enough');
      else if (request.url === '/break') socket.terminate();
      else socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    sidecars = await openPathOf(path, (server.address() as AddressInfo).port, (options) =>
      SidecarProcess.start(options),
    );
  });

  afterEach(() => {
    for (const socket of opened.splice(0)) socket.terminate();
  });

  afterAll(async () => {
    for (const socket of server.clients) socket.terminate();
    await sidecars.close();
    server.close();
  });

  const create = (target = '/chat', protocols: string[] = []) => {
    const socket = new WebSocket(`ws://127.0.0.1:${sidecars.port}${target}`, protocols, {
      perMessageDeflate: false,
      maxPayload: 256 * 1024 * 1024,
    });
    socket.on('error', () => undefined);
    opened.push(socket);
    return socket;
  };

  async function open(target?: string, protocols?: string[]): Promise<WebSocket> {
    const socket = create(target, protocols);
    await once(socket, 'open');
    return socket;
  }

  async function echo(socket: WebSocket, data: Buffer | string): Promise<Buffer> {
    const answer = once(socket, 'message');
    socket.send(data);
    const [received] = await answer;
    return received as Buffer;
  }

  test('echoes text, binary and empty messages, with the subprotocol that was agreed on', async () => {
    const socket = await open('/chat', ['orders.v1', 'orders.v2']);
    expect(socket.protocol).toBe('orders.v1');
    expect((await echo(socket, 'hällo')).toString()).toBe('hällo');
    const bytes = randomBytes(1_000);
    expect((await echo(socket, bytes)).equals(bytes)).toBe(true);
    expect((await echo(socket, '')).length).toBe(0);
  });

  test('keeps the order of many messages', async () => {
    const socket = await open();
    const received: string[] = [];
    socket.on('message', (data: Buffer) => received.push(data.toString()));
    const sent = Array.from({ length: 2_000 }, (_, index) => `message ${index}`);
    for (const message of sent) socket.send(message);
    await eventually('all of them', () => received.length === sent.length);
    expect(received).toEqual(sent);
  });

  test('carries fragments, with pings between them', async () => {
    const socket = await open();
    const pongs: string[] = [];
    socket.on('pong', (data) => pongs.push(data.toString()));
    const answer = once(socket, 'message');
    socket.send('one ', { fin: false });
    socket.ping('between');
    socket.send('two ', { fin: false });
    socket.send('three', { fin: true });
    const [received] = await answer;
    expect(received.toString()).toBe('one two three');
    await eventually('the pong', () => pongs.length === 1);
    expect(pongs).toEqual(['between']);
  });

  test('carries pings of the server', async () => {
    const socket = await open('/pinged');
    const [seen] = await Promise.all([once(socket, 'ping'), pingAll()]);
    expect(seen.toString()).toBe('are you there');
  });

  async function pingAll(): Promise<void> {
    await eventually('the connection at the server', () => server.clients.size > 0);
    for (const client of server.clients) client.ping('are you there');
  }

  test.each([1_000, 1_001, 3_000, 4_999])('carries the close code %i of the client, and the answer', async (code) => {
    const socket = await open();
    const closed = once(socket, 'close');
    socket.close(code, 'because');
    const [received, reason] = await closed;
    expect([received, reason.toString()]).toEqual([code, 'because']);
  });

  test('carries the close code of the server', async () => {
    const socket = create('/close');
    const [code, reason] = await once(socket, 'close');
    expect([code, reason.toString()]).toEqual([4_321, 'enough']);
  });

  test('tells the client when the server breaks off', async () => {
    const [code] = await once(create('/break'), 'close');
    expect(code).toBe(1_006);
  });

  test('tells the server when the client breaks off', async () => {
    const socket = await open('/lost');
    const [peer] = await eventually('the connection at the server', () =>
      server.clients.size > 0 ? [...server.clients].slice(-1) : null,
    );
    if (peer === undefined) throw new Error('there is no connection');
    const closed = once(peer, 'close');
    socket.terminate();
    const [code] = await closed;
    expect(code).toBe(1_006);
  });

  test('carries a message of 64 MiB there and back', async () => {
    const socket = await open();
    const bytes = randomBytes(64 * 1024 * 1024);
    const received = await echo(socket, bytes);
    expect(hashOf(received)).toBe(hashOf(bytes));
  });

  test('passes on what the client sent right behind its handshake', async () => {
    const client = await RawClient.open(sidecars.port);
    // A text frame "hi", masked with zeros.
    await client.send(`${handshake}\x81\x82\0\0\0\0hi`);
    await client.until('the echo', () => client.received.endsWith('\x81\x02hi'));
    expect(client.received).toMatch(/^HTTP\/1\.1 101 .*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/is);
    client.close();
  });

  test('understands a handshake that arrives byte by byte', async () => {
    const client = await RawClient.open(sidecars.port);
    await client.send(`${handshake}\x81\x82\0\0\0\0hi`, 'bytes');
    await client.until('the echo', () => client.received.endsWith('\x81\x02hi'));
    expect(client.received.startsWith('HTTP/1.1 101 ')).toBe(true);
    client.close();
  });

  test('carries 1,000 connections at once', { timeout: 180_000 }, async () => {
    const sockets: WebSocket[] = [];
    for (let batch = 0; batch < 10; batch += 1) {
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => open('/many')))));
    }
    const answers = await Promise.all(sockets.map((socket, index) => echo(socket, `connection ${index}`)));
    expect(answers.map(String)).toEqual(sockets.map((_, index) => `connection ${index}`));
    const closed = sockets.map((socket) => once(socket, 'close'));
    for (const socket of sockets) socket.close(1_000);
    const codes = (await Promise.all(closed)).map(([code]) => code);
    expect(new Set(codes)).toEqual(new Set([1_000]));
    await eventually('all of them to be gone at the server', () => server.clients.size === 0);
  });
});
