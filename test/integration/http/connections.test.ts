/** What becomes of connections: kept, pipelined, lost, half-closed. */
import { describe, expect, test } from 'vitest';
import { useProxy } from './fixture.ts';
import { endpoint, service, sidecarConfig, until } from './harness.ts';

const id = 'X-Request-Id: 1\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const request = (method = 'GET', path = '/') => `${method} ${path} HTTP/1.1\r\nHost: orders\r\n${id}\r\n`;
const post = (body: string, extra = '') =>
  `POST / HTTP/1.1\r\nHost: orders\r\n${id}${extra}Content-Length: ${body.length}\r\n\r\n${body}`;
const headEnd = (text: string) => text.includes('\r\n\r\n');
const heads = (count: number) => (text: string) => text.split('HTTP/1.1').length > count;

describe('keep-alive', () => {
  const setUp = useProxy();

  test('uses one upstream connection for requests of several clients, one after the other', async () => {
    const { upstream, client, connect, proxy } = await setUp();
    const other = await connect();
    for (const [index, connection] of [client, client, other, client].entries()) {
      connection.send(request());
      const server = await upstream.connection(0);
      await server.until(heads(index + 1));
      const before = connection.received.length;
      server.send(ok);
      await connection.until((text) => text.length > before && text.endsWith('ok'));
    }
    expect(upstream.connections).toHaveLength(1);
    expect(proxy.telemetry.connections.opened).toBe(1);
  });

  for (const [name, answer] of [
    ['closes', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    [
      'closes its idle connections within a second',
      'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok',
    ],
    ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['sends more than its answer', `${ok}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`],
  ]) {
    test(`does not use the connection of a server again that ${name}`, async () => {
      const { upstream, client } = await setUp();
      client.send(request());
      const server = await upstream.connection(0);
      await server.until(headEnd);
      server.send(String(answer));
      await client.until((text) => text.endsWith('ok'));
      client.send(request());
      const second = await upstream.connection(1);
      await second.until(headEnd);
      second.send(ok);
      expect(await client.until((text) => text.split('ok').length === 3)).not.toContain('poison');
    });
  }

  test('destroys an idle connection that gets bytes nobody asked for', async () => {
    const { upstream, client } = await setUp();
    client.send(request());
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
    server.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison');
    await until(() => server.ended || server.closed, 'the end of the idle connection');
    client.send(request());
    const second = await upstream.connection(1);
    await second.until(headEnd);
    second.send(ok);
    expect(await client.until((text) => text.split('ok').length === 3)).not.toContain('poison');
  });

  test('does not use connections of an older generation', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(request());
    const server = await upstream.connection(0);
    await server.until(headEnd);
    proxy.connector.generation += 1;
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
    client.send(request());
    await (await upstream.connection(1)).until(headEnd);
    await until(() => server.ended || server.closed, 'the end of the old connection');
  });

  for (const [name, idleMs, answer, connections] of [
    ['4 s without a promise', 4_100, ok, 2],
    ['less than 4 s', 3_500, ok, 1],
    ['what the server promised, less a second', 6_100, ok.replace('Content', 'Keep-Alive: timeout=7\r\nContent'), 2],
    ['less than what the server promised', 5_500, ok.replace('Content', 'Keep-Alive: timeout=7\r\nContent'), 1],
  ] as const) {
    test(`${connections === 1 ? 'uses' : 'does not use'} a connection again that was idle for ${name}`, async () => {
      const { upstream, client, proxy } = await setUp();
      client.send(request());
      const server = await upstream.connection(0);
      await server.until(headEnd);
      server.send(answer);
      await client.until((text) => text.endsWith('ok'));
      proxy.advance(idleMs);
      client.send(request());
      await until(
        () =>
          upstream.connections.some((one, index) => index === connections - 1 && heads(3 - connections)(one.received)),
        'the request',
      );
      expect(upstream.connections).toHaveLength(connections);
    });
  }

  test('repeats an idempotent request once when a kept connection turns out to be dead', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(request());
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
    client.send(request('PUT').replace('\r\n\r\n', '\r\nContent-Length: 3\r\n\r\nabc'));
    await server.until((text) => text.endsWith('abc'));
    server.socket.destroy();
    const second = await upstream.connection(1);
    expect(await second.until((text) => text.endsWith('abc'))).toContain('PUT / HTTP/1.1');
    second.send(ok);
    await client.until((text) => text.split('ok').length === 3);
    expect(proxy.telemetry.requests.map((record) => record.status)).toEqual([200, 200]);
  });

  test('does not repeat a POST that may have been taken: 503 UC', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(request());
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
    client.send(post('abc'));
    await server.until((text) => text.endsWith('abc'));
    server.socket.destroy();
    await client.until((text) => text.includes('HTTP/1.1 503'));
    expect(upstream.connections).toHaveLength(1);
    expect(proxy.telemetry.requests[1]).toMatchObject({ status: 503, flags: 'UC' });
  });

  test('does not repeat on a new connection: 503 UC, and the client may go on', async () => {
    const { upstream, client } = await setUp();
    client.send(request());
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.socket.destroy();
    expect(await client.until(headEnd)).toContain('x-mesh-error: UC');
    client.send(request());
    const second = await upstream.connection(1);
    await second.until(headEnd);
    second.send(ok);
    await client.until((text) => text.endsWith('ok'));
  });
});

describe('pipelining', () => {
  const setUp = useProxy();

  test('answers in order, one request upstream at a time', async () => {
    const { upstream, client } = await setUp();
    client.send(post('abc') + request('GET', '/2') + request('GET', '/3'));
    const server = await upstream.connection(0);
    for (const [index, path] of ['POST / ', 'GET /2 ', 'GET /3 '].entries()) {
      const text = await server.until((received) => received.split('HTTP/1.1').length === index + 2);
      expect(text).toContain(path);
      server.send(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${index + 1}`);
    }
    const text = await client.until((received) => received.split('HTTP/1.1').length === 4 && received.endsWith('3'));
    expect(text.match(/\r\n\r\n\d/g)).toEqual(['\r\n\r\n1', '\r\n\r\n2', '\r\n\r\n3']);
    expect(upstream.connections).toHaveLength(1);
  });

  test('answers everything that came before a half-close', async () => {
    const { upstream, client } = await setUp();
    client.send(request('GET', '/1') + request('GET', '/2'));
    client.socket.end();
    const server = await upstream.connection(0);
    await server.until(heads(1));
    server.send(ok);
    await server.until(heads(2));
    server.send(ok);
    expect((await client.end()).split('ok')).toHaveLength(3);
  });
});

describe('half-close and aborts', () => {
  const setUp = useProxy();

  test('a client that has closed its side gets its answer', async () => {
    const { upstream, client } = await setUp();
    client.send(request());
    client.socket.end();
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(ok);
    expect(await client.end()).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\nContent-Length: 2\r\n\r\nok');
  });

  test('a client that goes away ends the upstream connection and is recorded as DC', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(request());
    const server = await upstream.connection(0);
    await server.until(headEnd);
    client.socket.resetAndDestroy();
    await until(() => server.ended || server.closed, 'the end of the upstream connection');
    await until(() => proxy.handler.active === 0, 'no connection');
    expect(proxy.telemetry.requests).toMatchObject([{ status: 0, flags: 'DC' }]);
  });

  test('a client that goes away in the middle of its body ends the upstream connection', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(`POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 10\r\n\r\nabc`);
    const server = await upstream.connection(0);
    await server.until((text) => text.endsWith('abc'));
    client.socket.end();
    await until(() => server.ended || server.closed, 'the end of the upstream connection');
    await until(() => proxy.telemetry.requests.length === 1, 'the record');
    expect(proxy.telemetry.requests[0]).toMatchObject({ status: 0, flags: 'DC' });
  });

  for (const [name, head] of [
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ] as const) {
    test(`an upstream that goes away in the middle of a body with ${name} ends the client's connection there`, async () => {
      const { upstream, client, proxy } = await setUp();
      client.send(request());
      const server = await upstream.connection(0);
      await server.until(headEnd);
      server.send(head);
      await client.until((text) => text.includes('abc'));
      server.socket.resetAndDestroy();
      expect(await client.end()).toBe(head);
      await until(() => proxy.telemetry.requests.length === 1, 'the record');
      expect(proxy.telemetry.requests).toMatchObject([{ status: 200, flags: 'UC' }]);
    });
  }

  test('an HTTP/1.0 client is reset, as it would take the end for the end of the body', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(request().replace('HTTP/1.1', 'HTTP/1.0'));
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await client.until((text) => text.includes('abc'));
    server.socket.destroy();
    await until(() => client.failed, 'the reset');
    expect(proxy.telemetry.requests).toMatchObject([{ status: 200, flags: 'UC' }]);
  });

  test('an early answer of a server that closes reaches a client that is still sending', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(`POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 1000000\r\n\r\nabc`);
    const server = await upstream.connection(0);
    await server.until((text) => text.endsWith('abc'));
    server.socket.end(
      'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 7\r\n\r\ntoo big',
      'latin1',
    );
    const sending = setInterval(() => client.send('x'.repeat(10_000)), 1);
    const answer = await client.end().finally(() => clearInterval(sending));
    expect(answer).toBe('HTTP/1.1 413 Content Too Large\r\nconnection: close\r\nContent-Length: 7\r\n\r\ntoo big');
    expect(client.failed).toBe(false);
    expect(proxy.telemetry.requests).toMatchObject([{ status: 413, flags: '' }]);
  });

  test('nothing is left open after many aborts on either side', async () => {
    const { upstream, connect, client, proxy } = await setUp();
    for (let round = 0; round < 20; round += 1) {
      const other = await connect();
      other.send(round % 2 === 0 ? request() : `POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 90000\r\n\r\nabc`);
      const server = await upstream.connection(round);
      await server.until(headEnd);
      if (round % 3 === 0) server.socket.resetAndDestroy();
      else other.socket.resetAndDestroy();
      await until(() => proxy.telemetry.requests.length === round + 1, 'the record');
      other.socket.destroy();
    }
    client.socket.destroy();
    await until(() => proxy.handler.active === 0, 'no client connection');
    await until(
      () => proxy.telemetry.connections.closed === proxy.telemetry.connections.opened,
      'no upstream connection',
    );
  });
});

describe('connect failures', () => {
  const setUp = useProxy();

  test('try another endpoint', async () => {
    const { upstream, client, proxy } = await setUp();
    const closed = await closedPort(setUp);
    const endpoints = [endpoint('a', closed), endpoint('b', closed), endpoint('c', upstream.port)];
    proxy.configure(sidecarConfig([service('orders', endpoints)]));
    for (let round = 0; round < 5; round += 1) {
      const before = client.received.length;
      client.send(request().replace('Host', 'Connection: x\r\nHost'));
      await until(
        () => upstream.connections.some((connection) => heads(round + 1)(connection.received)),
        'the request',
      );
      upstream.connections.at(-1)?.send(ok);
      await client.until((text) => text.length > before && text.endsWith('ok'));
    }
    expect(proxy.telemetry.requests.every((record) => record.key.peerWorkload === 'c')).toBe(true);
  });

  test('are answered 503 UF when no endpoint accepts', async () => {
    const { upstream, client, proxy } = await setUp();
    await upstream.close();
    client.send(request());
    expect(await client.until((text) => text.includes('refused'))).toMatch(
      /^HTTP\/1\.1 503 Service Unavailable\r\nserver: meshdesk\r\nx-mesh-error: UF\r\n/,
    );
    expect(proxy.telemetry.requests).toMatchObject([
      { status: 503, flags: 'UF,URX', key: { peerWorkload: 'orders-1' } },
    ]);
  });
});

async function closedPort(setUp: ReturnType<typeof useProxy>): Promise<number> {
  const { upstream } = await setUp();
  const { port } = upstream;
  await upstream.close();
  return port;
}
