/** Large bodies in both directions: nothing lost, nothing piled up. Driven with Node's own client and server. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endpoint, listen, service, sidecarConfig, startProxy, type TestProxy, until } from './harness.ts';

const big = randomBytes(16 * 1024 * 1024);
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const bigHash = hash(big);

/** A number that grows, once it has stopped growing for a while. */
async function settled(read: () => number): Promise<number> {
  let last = read();
  let same = 0;
  await until(() => {
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
    return same > 20;
  }, 'a number that stays the same');
  return last;
}

let server: http.Server;
let proxy: TestProxy;

/** Hashes what it gets; `/big` sends a length, `/chunked` chunks. */
async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  if (request.url === '/big') {
    response.writeHead(200, { 'content-length': big.length });
    response.end(big);
    return;
  }
  if (request.url === '/chunked') {
    for (let at = 0; at < big.length; at += 70_001) {
      if (!response.write(big.subarray(at, at + 70_001))) await once(response, 'drain');
    }
    response.end();
    return;
  }
  const digest = createHash('sha256');
  for await (const bytes of request) digest.update(bytes);
  response.end(digest.digest('hex'));
}

beforeEach(async () => {
  server = http.createServer((request, response) => void answer(request, response));
  const port = await listen(server);
  proxy = await startProxy({ config: sidecarConfig([service('orders', [endpoint('orders-1', port)])]) });
});
afterEach(async () => {
  await proxy.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function ask(options: http.RequestOptions, body?: (request: http.ClientRequest) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1',
      port: proxy.port,
      ...options,
      headers: { host: 'orders', ...options.headers },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(Buffer.concat(chunks)));
    });
    if (body === undefined) request.end();
    else body(request);
  });
}

describe('16 MiB', () => {
  test('upwards with a length', async () => {
    const body = await ask({ method: 'POST', headers: { 'content-length': big.length } }, (request) =>
      request.end(big),
    );
    expect(body.toString()).toBe(bigHash);
  });

  test('upwards in chunks', async () => {
    const body = await ask({ method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, async (request) => {
      for (let at = 0; at < big.length; at += 50_001) {
        if (!request.write(big.subarray(at, at + 50_001))) await once(request, 'drain');
      }
      request.end();
    });
    expect(body.toString()).toBe(bigHash);
  });

  for (const path of ['/big', '/chunked']) {
    test(`downwards from ${path}, eight at once, on kept connections`, async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
      const bodies = await Promise.all(Array.from({ length: 8 }, () => ask({ path, agent })));
      expect(bodies.map(hash)).toEqual(Array.from({ length: 8 }, () => bigHash));
      agent.destroy();
      expect(proxy.telemetry.requests).toHaveLength(8);
    });
  }

  test('downwards to a slow reader arrives whole', async () => {
    const digest = createHash('sha256');
    const response = await new Promise<http.IncomingMessage>((resolve) => {
      http.get({ host: '127.0.0.1', port: proxy.port, path: '/chunked', headers: { host: 'orders' } }, resolve);
    });
    for await (const bytes of response) {
      digest.update(bytes);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(digest.digest('hex')).toBe(bigHash);
  });
});

describe('back-pressure', () => {
  test('a client that does not read stops the reading from the server', async () => {
    const client = net.connect({ host: '127.0.0.1', port: proxy.port });
    client.pause();
    client.write('GET /big HTTP/1.1\r\nHost: orders\r\n\r\n');
    await until(() => (proxy.connector.sockets[0]?.bytesRead ?? 0) > 0, 'the first bytes');
    expect(await settled(() => proxy.connector.sockets[0]?.bytesRead ?? 0)).toBeLessThan(big.length);
    let received = 0;
    client.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    client.resume();
    await until(() => received > big.length, 'the whole answer');
    client.destroy();
  });

  test('a server that does not read stops the reading from the client', async () => {
    const sockets: net.Socket[] = [];
    const lazy = net.createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket));
    const port = await listen(lazy);
    proxy.configure(sidecarConfig([service('orders', [endpoint('lazy', port)])]));
    const client = net.connect({ host: '127.0.0.1', port: proxy.port });
    client.write(`POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: ${4 * big.length}\r\n\r\n`);
    let written = 0;
    const write = () => {
      while (written < 4 * big.length && client.write(big)) written += big.length;
      written += big.length;
    };
    client.on('drain', write);
    write();
    await until(() => (proxy.clients[0]?.bytesRead ?? 0) > 0, 'the first bytes');
    expect(await settled(() => proxy.clients[0]?.bytesRead ?? 0)).toBeLessThan(4 * big.length);
    let received = 0;
    sockets[0]?.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    sockets[0]?.resume();
    await until(() => received > 4 * big.length, 'the whole body');
    client.destroy();
    sockets[0]?.destroy();
    await new Promise((resolve) => lazy.close(resolve));
  });
});
