/** How long a request of gRPC may take, and what the server is told of it: what a real Envoy does with Istio's routes. */
import { describe, expect, test } from 'vitest';
import { useProxy } from './fixture.ts';

const headEnd = (text: string) => text.includes('\r\n\r\n');
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const get = (lines: string, type = 'application/grpc') =>
  `GET / HTTP/1.1\r\nHost: orders\r\nX-Request-Id: 1\r\nContent-Type: ${type}\r\n${lines}\r\n`;

const timed = (timeoutMs: number) => ({
  service: {
    routes: [
      {
        name: 'timed',
        match: [],
        destinations: [{ service: 'orders.shop', subset: null, port: null, weight: 1 }],
        timeoutMs,
      },
    ],
  },
});

describe('the time of a request', () => {
  const setUp = useProxy();

  test('a request of gRPC has as long as it asks for, whatever the route says not', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(get('grpc-timeout: 1000m\r\n'));
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toContain('grpc-timeout: 1000m\r\n');
    expect(await client.until(headEnd)).toContain('\r\ngrpc-status: 14\r\n');
    expect(proxy.telemetry.requests).toMatchObject([{ status: 504, flags: 'UT' }]);
  });

  test('no other request is held to such a header', async () => {
    const { upstream, client } = await setUp();
    client.send(get('grpc-timeout: 1m\r\n', 'text/plain'));
    const first = await upstream.connection(0);
    await first.until(headEnd);
    // Later than it would have been over.
    setTimeout(() => first.send(ok), 60);
    expect(await client.until((text) => text.endsWith('ok'))).toBe(ok);
  });

  test('the route has the last word, and the server hears it', async () => {
    const { upstream, client } = await setUp(timed(60_000));
    client.send(get('grpc-timeout: 2H\r\n'));
    const server = await upstream.connection(0);
    const head = await server.until(headEnd);
    expect(head).toContain('grpc-timeout: 60000m\r\n');
    expect(head).not.toContain('2H');
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
  });

  test('without a time of its own a request of gRPC has the route’s, and the server hears it', async () => {
    const { upstream, client } = await setUp(timed(1_000));
    client.send(get(''));
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toContain('grpc-timeout: 1000m\r\n');
    expect(await client.until(headEnd)).toContain('\r\ngrpc-status: 14\r\n');
  });
});
