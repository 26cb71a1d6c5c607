/** Ending politely: no request is lost, whoever closes first. */
import http from 'node:http';
import { describe, expect, test } from 'vitest';
import { useProxy } from './fixture.ts';
import { endpoint, listen, service, sidecarConfig, startProxy, until } from './harness.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const request = 'GET / HTTP/1.1\r\nHost: orders\r\n\r\n';
const headEnd = (text: string) => text.includes('\r\n\r\n');

describe('drain', () => {
  const setUp = useProxy();

  test('tells the client with the next answer and closes after it', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(request);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    proxy.handler.drain();
    server.send(ok);
    expect(await client.end()).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\nContent-Length: 2\r\n\r\nok');
    await until(() => proxy.handler.active === 0, 'no connection');
  });

  test('leaves idle connections time for one more request', async () => {
    const { upstream, client, proxy } = await setUp({ proxy: { drainGraceMs: 60_000 } });
    client.send(request);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
    proxy.handler.drain();
    client.send(request);
    await server.until((text) => text.split('HTTP/1.1').length === 3);
    server.send(ok);
    expect(await client.end()).toContain('connection: close');
  });

  test('closes idle connections after the grace period with a FIN, not a reset', async () => {
    const { client, proxy } = await setUp();
    await until(() => proxy.handler.active === 1, 'the connection');
    proxy.handler.drain();
    await client.end();
    client.send(request);
    await until(() => proxy.handler.active === 0, 'no connection');
    expect(client.received).toBe('');
  });

  test('taken back, keeps connections', async () => {
    const { upstream, client, proxy } = await setUp({ proxy: { drainGraceMs: 20 } });
    client.send(request);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    proxy.handler.drain();
    proxy.handler.undrain();
    server.send(ok);
    expect(await client.until((text) => text.endsWith('ok'))).toBe(ok);
    client.send(request);
    await server.until((text) => text.split('HTTP/1.1').length === 3);
    server.send(ok);
    await client.until((text) => text.split('ok').length === 3);
    expect(proxy.handler.active).toBe(1);
  });

  test('under load loses no request', async () => {
    const server = http.createServer((incoming, response) => setTimeout(() => response.end(incoming.url), 3));
    const port = await listen(server);
    const options = { config: sidecarConfig([service('orders', [endpoint('orders-1', port)])]), drainGraceMs: 100 };
    let proxy = await startProxy(options);
    const first = proxy;
    const second = await startProxy(options);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
    const outcomes: (number | string)[] = [];
    const ask = (path: string) =>
      new Promise<void>((resolve) => {
        const outgoing = http.get(
          { host: '127.0.0.1', port: proxy.port, path, agent, headers: { host: 'orders' } },
          (answer) => {
            answer.resume();
            answer.on('end', () => resolve(void outcomes.push(answer.statusCode ?? 0)));
          },
        );
        outgoing.on('error', (error) => resolve(void outcomes.push(error.message)));
      });
    const pending: Promise<void>[] = [];
    for (let round = 0; round < 400; round += 1) {
      if (round === 200) {
        // New connections go elsewhere; those that live on the first one are asked to come back through the second.
        first.handler.drain();
        proxy = second;
      }
      pending.push(ask(`/${round}`));
      if (round % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(pending);
    await until(() => first.handler.active === 0, 'the end of the drain');
    expect(outcomes).toHaveLength(400);
    expect(outcomes.filter((outcome) => outcome !== 200)).toEqual([]);
    agent.destroy();
    await first.close();
    await second.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
