/** What HTTP/2 clients and servers get from sidecars: balancing, conversion, faults, records, ends. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect, createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { findInPath } from '../../../core/control-plane/runtime/node-program.ts';
import { prepareClosers } from '../../support/closers.ts';
import { type PairOptions, type SidecarPair, startSidecarPair } from '../../support/declared-pair.ts';
import { eventually } from '../../support/eventually.ts';
import { call, connectShop, GrpcShop } from '../../support/grpc-shop.ts';
import { type Field, greeting, headers, readErrors, readFrames, settingsAck } from '../../support/http2-frames.ts';

const closers = prepareClosers();
const { listening } = closers;

async function start(applications: readonly number[], options?: PairOptions): Promise<SidecarPair> {
  const pair = await startSidecarPair(applications, options);
  closers.add(() => pair.close());
  return pair;
}

async function startShops(count: number): Promise<GrpcShop[]> {
  const shops = await Promise.all(Array.from({ length: count }, () => GrpcShop.start()));
  for (const shop of shops) closers.add(() => shop.stop());
  return shops;
}

function open(port: number): ClientHttp2Session {
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  client.on('error', () => undefined);
  closers.add(() => client.destroy());
  return client;
}

async function ask(client: ClientHttp2Session, fields: Record<string, string>, body?: string | Buffer) {
  const stream = client.request({ ':authority': 'shop', ...fields }, { endStream: body === undefined });
  let trailers: Record<string, unknown> = {};
  stream.on('trailers', (received) => {
    trailers = received;
  });
  if (body !== undefined) stream.end(body);
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  const [received] = await once(stream, 'response');
  if (!stream.readableEnded) await once(stream, 'end');
  return { headers: received as Record<string, unknown>, body: Buffer.concat(parts).toString(), trailers };
}

const edges = (pair: SidecarPair, which: 'web' | number = 'web') =>
  (which === 'web' ? pair.web : pair.servers[which])?.control.reports.flatMap((report) => report.edges) ?? [];

describe('one connection of a client', () => {
  it.each([true, false])('spreads its calls over the endpoints (mesh: %s)', async (mesh) => {
    const shops = await startShops(3);
    const pair = await start(
      shops.map(({ port }) => port),
      { protocol: 'grpc', mesh },
    );
    const client = connectShop(pair.port, 'shop');
    closers.add(() => client.close());
    await Promise.all(Array.from({ length: 90 }, () => call(client, 'echo', Buffer.from('a'))));
    const calls = shops.map((shop) => shop.calls);
    expect(calls.reduce((sum, count) => sum + count, 0)).toBe(90);
    expect(Math.min(...calls)).toBeGreaterThan(5);
  });

  it('is recorded call by call, as gRPC, on both sides', async () => {
    const [shop] = await startShops(1);
    const pair = await start([shop?.port ?? 0], { protocol: 'grpc' });
    const client = connectShop(pair.port, 'shop');
    closers.add(() => client.close());
    for (let count = 0; count < 3; count += 1) await call(client, 'echo', Buffer.from('a'));
    const total = (which: 'web' | number) =>
      edges(pair, which)
        .filter(({ key }) => key.protocol === 'grpc')
        .reduce((sum, { requests }) => sum + requests['2xx'], 0);
    await eventually('both sides have counted', () => total('web') === 3 && total(0) === 3);
    const outbound = edges(pair).find(({ key }) => key.protocol === 'grpc');
    expect(outbound?.key).toMatchObject({ peerService: 'shop.shop', mtls: true, direction: 'outbound' });
    const sample = await eventually('a sample', () => pair.web.control.reports.flatMap(({ samples }) => samples)[0]);
    expect(sample).toMatchObject({ method: 'POST', path: '/test.Shop/Echo', service: 'shop.shop', status: 200 });
  });

  it('is told to go elsewhere when the sidecar drains, and loses no call', async () => {
    const [shop] = await startShops(1);
    const pair = await start([shop?.port ?? 0], { protocol: 'grpc' });
    const client = connectShop(pair.port, 'shop');
    closers.add(() => client.close());
    const chat = client.chat();
    const first = new Promise((resolve) => chat.once('data', resolve));
    chat.write(Buffer.from('a'));
    await first;
    pair.web.control.send({ type: 'drain', deadlineMs: 10_000, tcp: 'keep' });
    const second = new Promise<Buffer>((resolve) => chat.once('data', resolve));
    chat.write(Buffer.from('still there'));
    expect(String(await second)).toBe('still there');
    const status = new Promise((resolve) => chat.once('status', resolve));
    chat.end();
    expect(await status).toMatchObject({ code: grpc.status.OK });
    await eventually('the drain is over', () => pair.web.control.received.some(({ type }) => type === 'drained'));
  });
});

describe('a server that ends connections all the time', () => {
  it.each([true, false])('costs no request, with a body or without (mesh: %s)', { timeout: 180_000 }, async (mesh) => {
    const server = createHttp2Server();
    let sessions = 0;
    server.on('session', (session) => {
      let streams = 0;
      sessions += 1;
      session.on('error', () => undefined);
      session.on('stream', (stream) => {
        streams += 1;
        stream.on('error', () => undefined);
        stream.resume();
        stream.on('end', () => {
          stream.respond({ ':status': 200 });
          stream.end('ok');
        });
        if (streams === 40) session.close();
      });
    });
    const pair = await start([await listening(server as unknown as Server)], { protocol: 'http2', mesh });
    const client = open(pair.port);
    const statuses: unknown[] = [];
    const worker = async () => {
      for (let count = 0; count < 100; count += 1) {
        const answer = await ask(client, { ':method': 'POST', ':path': '/' }, 'a body that must not get lost');
        statuses.push(answer.headers[':status']);
      }
    };
    await Promise.all(Array.from({ length: 10 }, worker));
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(sessions).toBeGreaterThan(10);
  });
});

it('answers CONNECT and heads that are too large itself', async () => {
  const [shop] = await startShops(1);
  const pair = await start([shop?.port ?? 0], { protocol: 'http2' });
  const client = open(pair.port);
  const tunnel = client.request({ ':method': 'CONNECT', ':authority': 'shop:80' });
  tunnel.on('error', () => undefined);
  expect((await once(tunnel, 'response'))[0]).toMatchObject({ ':status': 405 });
  const many = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`x-${index}`, 'v']));
  expect((await ask(client, { ':path': '/', ...many })).headers).toMatchObject({
    ':status': 431,
    'x-mesh-error': 'DPE',
  });
  expect((await ask(client, { ':path': '/' })).headers[':status']).not.toBe(431);
});

describe('faults', () => {
  const fault = (action: { kind: 'abort'; httpStatus: number } | { kind: 'delay'; delayMs: number }) => ({
    ...{ id: 'f', service: 'shop.shop', route: null, action, percent: 100, seed: 1, expiresAtMs: null },
  });

  it.each([
    [503, grpc.status.UNAVAILABLE],
    [404, grpc.status.UNIMPLEMENTED],
    [403, grpc.status.PERMISSION_DENIED],
    [500, grpc.status.UNKNOWN],
  ])('abort a gRPC call with HTTP %i as Envoy does: status 200 and grpc-status %i', async (httpStatus, code) => {
    const [shop] = await startShops(1);
    const pair = await start([shop?.port ?? 0], { protocol: 'grpc' });
    await pair.change((config) => ({ ...config, faults: [fault({ kind: 'abort', httpStatus })] }));
    const answer = await ask(
      open(pair.port),
      { ':method': 'POST', ':path': '/a', 'content-type': 'application/grpc' },
      'x',
    );
    expect(answer.headers).toMatchObject({
      ':status': 200,
      'grpc-status': String(code),
      'grpc-message': 'fault filter abort',
    });
    const client = connectShop(pair.port, 'shop');
    closers.add(() => client.close());
    await expect(call(client, 'echo', Buffer.from('a'))).rejects.toMatchObject({ code, details: 'fault filter abort' });
    expect(shop?.calls).toBe(0);
  });

  it('abort any other request of HTTP/2 with the status itself, and live connections too', async () => {
    const [shop] = await startShops(1);
    const pair = await start([shop?.port ?? 0], { protocol: 'http2' });
    const client = open(pair.port);
    expect((await ask(client, { ':path': '/' })).headers[':status']).not.toBe(418);
    await pair.change((config) => ({ ...config, faults: [fault({ kind: 'abort', httpStatus: 418 })] }));
    expect((await ask(client, { ':path': '/' })).headers).toMatchObject({ ':status': 418, 'x-mesh-error': 'FI' });
    await eventually('the fault is recorded', () => edges(pair).some(({ flags }) => (flags['FI'] ?? 0) === 1));
  });
});

describe('where the two ends speak different protocols', () => {
  const echo = () =>
    createHttpServer((incoming, response) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('end', () => {
        response.setHeader('x-version', incoming.httpVersion);
        response.setHeader('x-host', incoming.headers.host ?? '');
        response.setHeader('x-cookie', incoming.headers.cookie ?? '');
        if (incoming.method === 'HEAD') {
          response.end();
          return;
        }
        response.setHeader('trailer', 'x-sum');
        response.write(Buffer.concat(parts));
        response.addTrailers({ 'x-sum': String(Buffer.concat(parts).length) });
        response.end();
      });
    });

  it.each([true, false])('an HTTP/2 client reaches a port declared http in HTTP/1.1 (mesh: %s)', async (mesh) => {
    const pair = await start([await listening(echo())], { protocol: 'http', mesh });
    const client = open(pair.port);
    const body = Buffer.alloc(300_000, 'xyz');
    const answer = await ask(client, { ':method': 'POST', ':path': '/', cookie: 'a=1; b=2' }, body);
    expect(answer.headers).toMatchObject({
      ':status': 200,
      'x-version': '1.1',
      'x-host': 'shop',
      'x-cookie': 'a=1; b=2',
    });
    expect([answer.body === body.toString(), answer.trailers['x-sum']]).toEqual([true, '300000']);
    const head = await ask(client, { ':method': 'HEAD', ':path': '/' });
    expect([head.headers[':status'], head.body]).toEqual([200, '']);
  });

  it.each([true, false])('an HTTP/1.1 client reaches a port declared http2 in HTTP/2 (mesh: %s)', async (mesh) => {
    const seen: unknown[] = [];
    const server = createHttp2Server();
    server.on('stream', (stream, fields) => {
      seen.push([
        fields[':method'],
        fields[':path'],
        fields[':authority'],
        fields['transfer-encoding'],
        fields['connection'],
      ]);
      stream.respond({ ':status': 200, 'x-version': '2' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }));
      stream.pipe(stream);
    });
    const pair = await start([await listening(server as unknown as Server)], { protocol: 'http2', mesh });
    for (const chunked of [true, false]) {
      const body = Buffer.alloc(200_000, 'abc');
      const outgoing = request({
        host: '127.0.0.1',
        port: pair.port,
        path: '/x?y',
        method: 'POST',
        headers: { host: 'shop' },
      });
      if (!chunked) outgoing.setHeader('content-length', body.length);
      outgoing.write(body.subarray(0, 100_000));
      outgoing.end(body.subarray(100_000));
      const [response] = await once(outgoing, 'response');
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part);
      expect([response.statusCode, response.headers['x-version']]).toEqual([200, '2']);
      expect(Buffer.concat(parts).equals(body)).toBe(true);
      expect(response.trailers['x-end']).toBe('yes');
    }
    expect(seen).toEqual(Array.from({ length: 2 }, () => ['POST', '/x?y', 'shop', undefined, undefined]));
  });

  it('lets nothing of an HTTP/2 head become a second request of HTTP/1.1', async () => {
    let arrived = '';
    const port = await listening(
      createServer((socket) => {
        socket.on('data', (bytes) => {
          arrived += bytes.toString('latin1');
          socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        });
      }),
    );
    const pair = await start([port], { protocol: 'http', mesh: false });
    const base: Field[] = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'shop'],
    ];
    const swap = (name: string, value: string) =>
      base.map((field): Field => (field[0] === name ? [name, value] : field));
    const evil = '\r\n\r\nGET /evil HTTP/1.1\r\nhost: evil';
    const attacks: Field[][] = [
      swap(':path', `/${evil}`),
      swap(':method', `GET / HTTP/1.1${evil}`),
      swap(':authority', `shop${evil}`),
      [...base, ['x-a', `b${evil}`]],
      [...base, [`x-a: b${evil}`, 'c']],
      [...base, ['transfer-encoding', 'chunked']],
      [...base, ['content-length', '10']],
      [...base, ['host', 'evil']],
      [...base, ['connection', 'x-a']],
    ];
    const socket = connect(pair.port, '127.0.0.1');
    closers.add(() => socket.destroy());
    let answers = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      answers = Buffer.concat([answers, bytes]);
    });
    const frames = attacks.map((fields, index) => headers(index * 2 + 1, fields));
    socket.write(Buffer.concat([greeting, settingsAck, ...frames, headers(99, swap(':path', '/good'))]));
    await eventually('the good request has arrived', () => arrived.includes('GET /good'));
    expect(arrived).not.toContain('evil');
    expect(arrived.match(/HTTP\/1\.1/g)).toHaveLength(1);
    const resets = readErrors(readFrames(answers));
    expect(resets).toEqual(attacks.map((_, index) => `RST_STREAM ${index * 2 + 1} PROTOCOL_ERROR`));
  });
});

describe('programs', () => {
  const run = promisify(execFile);

  it.skipIf(findInPath('curl') === null)('serves curl with prior knowledge', async () => {
    const server = createHttp2Server((incoming, response) => {
      response.setHeader('x-version', incoming.httpVersion);
      response.end(`hello ${incoming.url}`);
    });
    const pair = await start([await listening(server as unknown as Server)]);
    const url = `http://127.0.0.1:${pair.port}/a?b=c`;
    const { stdout } = await run('curl', ['-s', '-i', '--http2-prior-knowledge', '-H', 'Host: shop', url]);
    expect(stdout).toMatch(/^HTTP\/2 200/);
    expect(stdout).toContain('x-version: 2.0');
    expect(stdout).toContain('hello /a?b=c');
  });

  it.skipIf(findInPath('h2load') === null)(
    'serves h2load: many connections, many streams, uploads',
    { timeout: 180_000 },
    async () => {
      const server = createHttp2Server((incoming, response) => {
        incoming.resume();
        incoming.on('end', () => response.end('x'.repeat(2_000)));
      });
      const pair = await start([await listening(server as unknown as Server)]);
      const url = `http://127.0.0.1:${pair.port}/`;
      const { stdout } = await run('h2load', ['-n', '3000', '-c', '10', '-m', '20', '-d', 'package.json', url]);
      expect(stdout).toContain('3000 succeeded, 0 failed, 0 errored, 0 timeout');
    },
  );
});
