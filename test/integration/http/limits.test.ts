/** Times and sizes at every stage: what becomes of those who keep us waiting or send without end. */
import { describe, expect, test } from 'vitest';
import { useProxy } from './fixture.ts';
import { until } from './harness.ts';

const id = 'X-Request-Id: 1\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const simple = `GET / HTTP/1.1\r\nHost: orders\r\n${id}\r\n`;
const headEnd = (text: string) => text.includes('\r\n\r\n');

describe('a client that keeps us waiting', () => {
  const setUp = useProxy();

  test('for the end of its head is answered 408 SI, and its connection ends', async () => {
    const { client, proxy } = await setUp();
    client.send('GET / HTTP/1.1\r\nHost: ord');
    await until(() => (proxy.clients[0]?.bytesRead ?? 0) > 0, 'the first bytes');
    proxy.advance(61_000);
    expect(await client.end()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*x-mesh-error: SI\r\n/);
    expect(proxy.telemetry.requests).toMatchObject([{ status: 408, flags: 'SI' }]);
  });

  test('for its head is not hurried as long as a second request has not begun', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
    proxy.advance(3_000_000);
    client.send(simple);
    await (await upstream.connection(1)).until(headEnd);
    expect(client.ended).toBe(false);
  });

  test('without a request for an hour is closed with a FIN', async () => {
    const { client, proxy } = await setUp();
    await until(() => proxy.handler.active === 1, 'the connection');
    proxy.advance(3_601_000);
    expect(await client.end()).toBe('');
    expect(client.failed).toBe(false);
  });

  test('in the middle of its body is answered 408 SI, and the server is told', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(`POST / HTTP/1.1\r\nHost: orders\r\n${id}Content-Length: 100000\r\n\r\nabc`);
    const server = await upstream.connection(0);
    await server.until((text) => text.endsWith('abc'));
    proxy.advance(301_000);
    expect(await client.end()).toMatch(/^HTTP\/1\.1 408 [\s\S]*x-mesh-error: SI\r\n/);
    await until(() => server.ended || server.closed, 'the end of the upstream connection');
    expect(proxy.telemetry.requests).toMatchObject([{ status: 408, flags: 'SI' }]);
  });

  test('for an answer may wait for as long as it likes: a long poll', async () => {
    const { upstream, client, proxy, connect } = await setUp();
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    const idle = await connect();
    await until(() => proxy.handler.active === 2, 'both connections');
    proxy.advance(10_000_000);
    // By then deadlines have been looked at.
    await idle.end();
    expect(client.ended).toBe(false);
    server.send(ok);
    expect(await client.until((text) => text.endsWith('ok'))).toBe(ok);
  });
});

describe('without end', () => {
  const setUp = useProxy();

  test('interim answers are broken off: 502 UPE', async () => {
    const { upstream, client } = await setUp();
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1_000));
    const text = await client.until((received) => received.includes('HTTP/1.1 502'));
    expect(text.split('HTTP/1.1 103')).toHaveLength(65);
  });

  test('pipelined requests wait in the client, not in us', async () => {
    const { upstream, client, proxy } = await setUp();
    const flood = `GET / HTTP/1.1\r\nHost: orders\r\n${id}X: ${'x'.repeat(1_000)}\r\n\r\n`.repeat(20_000);
    client.socket.write(flood);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    let last = -1;
    await until(() => {
      const now = proxy.clients[0]?.bytesRead ?? 0;
      const same = now === last;
      last = now;
      return same && now > 0;
    }, 'reading to stop');
    expect(last).toBeLessThan(1024 * 1024);
    expect(server.received.split('HTTP/1.1')).toHaveLength(2);
  });
});

describe('one connection with requests of both versions', () => {
  const setUp = useProxy();
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n';

  test('gets chunks in HTTP/1.1 and plain bytes in HTTP/1.0', async () => {
    const { upstream, client } = await setUp();
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(chunked);
    await client.until((text) => text === chunked);
    client.send(simple.replace('HTTP/1.1', 'HTTP/1.0'));
    await server.until((text) => text.split('HTTP/1.1').length === 3);
    server.send(chunked);
    expect(await client.end()).toBe(`${chunked}HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok`);
  });
});
