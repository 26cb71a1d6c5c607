/** Local rate limits: of a workload at its own sidecar, of a route at the caller's. */
import http from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { DownstreamContext } from '../../../core/data-plane/connection.ts';
import type { RateLimitConfig } from '../../../core/model/traffic-config.ts';
import { FaultShop } from '../../support/fault-shop.ts';
import { listen, sidecarConfig, startProxy, type TestProxy } from './harness.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const limit = (changes: Partial<RateLimitConfig> = {}): RateLimitConfig => ({
  ...{ id: 'orders.shop-1', requests: 2, intervalMs: 60_000, burst: 2, per: 'workload' },
  ...changes,
});
const configOf = (...rateLimits: RateLimitConfig[]) =>
  sidecarConfig([], { inbound: { mtls: 'PERMISSIVE', ports: [], rateLimits } });

async function startApplication(): Promise<number> {
  const server = http.createServer((_request, response) => response.end('hello'));
  closers.push(() => server.close());
  return listen(server);
}

/** A sidecar before its application; `context` is asked for each connection. */
async function startInbound(port: number, rateLimits: RateLimitConfig[], context: Partial<DownstreamContext> = {}) {
  const originalDestination = { host: '127.0.0.1', port };
  const proxy = await startProxy({
    config: configOf(...rateLimits),
    context: Object.defineProperties(
      { direction: 'inbound', originalDestination },
      Object.getOwnPropertyDescriptors(context),
    ),
  });
  closers.push(() => proxy.close());
  return proxy;
}

function ask(proxy: TestProxy, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }>((resolve, reject) => {
    const request = http.get(
      { port: proxy.port, agent: false, headers: { host: 'orders', ...headers } },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      },
    );
    request.on('error', reject);
  });
}

describe('a limit of a workload', () => {
  test('lets so many requests through and answers the others 429, saying when to come again', async () => {
    const proxy = await startInbound(await startApplication(), [limit()]);
    const first = await ask(proxy);
    expect([first.status, first.body]).toEqual([200, 'hello']);
    expect(first.headers['ratelimit-policy']).toBe('"orders.shop-1";q=2;w=60');
    expect(first.headers['ratelimit']).toMatch(/^"orders.shop-1";r=1;t=(?:60|59)$/);
    expect(first.headers['retry-after']).toBeUndefined();
    expect((await ask(proxy)).status).toBe(200);
    const refused = await ask(proxy);
    expect([refused.status, refused.body]).toEqual([429, 'local_rate_limited']);
    expect(refused.headers['x-mesh-error']).toBe('RL');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
    expect(proxy.telemetry.requests.map(({ status, flags }) => [status, flags])).toEqual([
      [200, ''],
      [200, ''],
      [429, 'RL'],
    ]);
  });

  test('fills its bucket again', async () => {
    const proxy = await startInbound(await startApplication(), [limit({ requests: 1, burst: 2, intervalMs: 1_000 })]);
    const statuses = async (count: number) => {
      const all: number[] = [];
      for (let index = 0; index < count; index += 1) all.push((await ask(proxy)).status);
      return all;
    };
    expect(await statuses(3)).toEqual([200, 200, 429]);
    proxy.advance(1_000);
    expect(await statuses(2)).toEqual([200, 429]);
    proxy.advance(10_000);
    expect(await statuses(3)).toEqual([200, 200, 429]);
  });

  test('counts on over a new configuration that leaves it as it is', async () => {
    const proxy = await startInbound(await startApplication(), [limit()]);
    await ask(proxy);
    proxy.configure({ ...configOf(limit(), limit({ id: 'other', requests: 100, burst: 100 })), revision: 2 });
    expect((await ask(proxy)).headers['ratelimit']).toMatch(/^"orders.shop-1";r=0;t=\d+, "other";r=99;t=60$/);
    expect((await ask(proxy)).status).toBe(429);
    proxy.configure({ ...configOf(limit({ requests: 5, burst: 5 })), revision: 3 });
    expect((await ask(proxy)).status).toBe(200);
  });

  test('has a bucket for each caller', async () => {
    const port = await startApplication();
    const spiffeId = 'spiffe://cluster.local/ns/shop/sa/web';
    const limits = [limit({ requests: 1, burst: 1, per: 'client' })];
    const callers = [{ peerSpiffeId: spiffeId }, { peerSpiffeId: null }];
    let next = 0;
    const proxy = await startInbound(port, limits, {
      get peerSpiffeId() {
        const { peerSpiffeId = null } = callers[next] ?? {};
        return peerSpiffeId;
      },
    });
    expect([(await ask(proxy)).status, (await ask(proxy)).status]).toEqual([200, 429]);
    next = 1;
    expect([(await ask(proxy)).status, (await ask(proxy)).status]).toEqual([200, 429]);
  });

  test('has a bucket for each value of a header', async () => {
    const proxy = await startInbound(await startApplication(), [limit({ requests: 1, burst: 1, header: 'x-user' })]);
    const users = ['ann', 'bob', 'ann', null, null];
    const statuses: number[] = [];
    for (const user of users) statuses.push((await ask(proxy, user === null ? {} : { 'x-user': user })).status);
    expect(statuses).toEqual([200, 200, 429, 200, 429]);
  });
});

describe('a limit of a route', () => {
  test('is held by the caller, for that route only', async () => {
    const shop = await FaultShop.start();
    closers.push(() => shop.close());
    const destinations = [{ service: 'shop.shop', subset: null, port: null, weight: 1 }];
    const rateLimits = [limit({ id: 'shop.shop-api-1', requests: 1, burst: 1 })];
    const api = { name: 'api', match: [{ uri: { prefix: '/bytes' } }], destinations, timeoutMs: null, rateLimits };
    await shop.inject([], [api, { name: 'rest', match: [], destinations, timeoutMs: null }]);
    const paths = ['/bytes/3', '/bytes/3', '/', '/'];
    const statuses: number[] = [];
    for (const path of paths) statuses.push((await shop.ask('HTTP/2', { path })).status);
    expect(statuses).toEqual([200, 429, 200, 200]);
    const refused = await shop.ask('HTTP/2', {
      path: '/bytes/3',
      method: 'POST',
      headers: { 'content-type': 'application/grpc', te: 'trailers' },
    });
    expect(refused).toMatchObject({ status: 200, headers: { 'grpc-status': '14', 'x-mesh-error': 'RL' } });
  });
});
