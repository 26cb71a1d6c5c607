/** Routes, weights, faults and the mesh's own answers, over real sockets with Node's client. */
import http from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FaultConfig, HttpRoute, RouteDestination } from '../../../core/model/sidecar-config.ts';
import {
  endpoint,
  listen,
  type ProxyOptions,
  service,
  sidecarConfig,
  startProxy,
  type TestProxy,
  until,
} from './harness.ts';

const servers: http.Server[] = [];
const proxies: TestProxy[] = [];
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
let v1 = 0;
let v2 = 0;

async function startServer(name: string): Promise<number> {
  const server = http.createServer((request, response) => {
    if (request.url === '/slow') setTimeout(() => response.end('slow'), 8_000);
    else response.end(`${name} ${request.headers.host} ${request.url}`);
  });
  servers.push(server);
  return listen(server);
}

beforeEach(async () => {
  v1 = await startServer('v1');
  v2 = await startServer('v2');
});
afterEach(async () => {
  agent.destroy();
  for (const proxy of proxies.splice(0)) await proxy.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const to = (subset: string | null, weight: number): RouteDestination => ({
  service: 'payments.shop',
  subset,
  port: null,
  weight,
});
const route = (name: string, destinations: RouteDestination[], extra: Partial<HttpRoute> = {}): HttpRoute => ({
  name,
  match: [],
  destinations,
  timeoutMs: null,
  ...extra,
});
const fault = (action: FaultConfig['action'], extra: Partial<FaultConfig> = {}): FaultConfig => ({
  id: action.kind,
  service: 'payments.shop',
  route: null,
  action,
  percent: 100,
  seed: 3,
  expiresAtMs: null,
  ...extra,
});

async function start(
  routes: HttpRoute[],
  faults: FaultConfig[] = [],
  options: Partial<ProxyOptions> = {},
): Promise<TestProxy> {
  const payments = service(
    'payments',
    [
      endpoint('p1', v1, { version: 'v1', hosts: ['payments-1', 'payments'] }),
      endpoint('p2', v2, { version: 'v2', hosts: ['payments'] }),
    ],
    {
      hosts: ['payments', 'payments.shop', 'payments-1'],
      subsets: [
        { name: 'v1', endpoints: ['p1'] },
        { name: 'v2', endpoints: ['p2'] },
        { name: 'empty', endpoints: [] },
      ],
      routes,
    },
  );
  const proxy = await startProxy({ config: sidecarConfig([payments], { faults }), ...options });
  proxies.push(proxy);
  return proxy;
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

function ask(proxy: TestProxy, options: http.RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'payments', ...options.headers };
    const request = http.request({ host: '127.0.0.1', port: proxy.port, agent, ...options, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on('error', reject);
    request.end();
  });
}

async function count(
  proxy: TestProxy,
  total: number,
  test: (answer: Answer) => boolean,
  options: http.RequestOptions = {},
) {
  const answers = await Promise.all(Array.from({ length: total }, () => ask(proxy, options)));
  return answers.filter(test).length;
}

describe('routes', () => {
  test('split by weight, and a header pins', async () => {
    const pinned = route('pinned', [to('v2', 100)], { match: [{ headers: { 'x-version': { exact: 'v2' } } }] });
    const proxy = await start([pinned, route('split', [to('v1', 90), to('v2', 10)])]);
    const second = await count(proxy, 1_000, ({ body }) => body.startsWith('v2'));
    expect(second).toBeGreaterThan(60);
    expect(second).toBeLessThan(140);
    expect(await count(proxy, 50, ({ body }) => body.startsWith('v2'), { headers: { 'x-version': 'v2' } })).toBe(50);
    expect(proxy.telemetry.samples.at(-1)).toMatchObject({ route: 'pinned', workload: 'p2' });
  });

  test('a change of weights applies to the next request on a kept connection', async () => {
    const proxy = await start([route('all', [to('v1', 1)])]);
    expect((await ask(proxy)).body).toMatch(/^v1/);
    const payments = service('payments', [endpoint('p2', v2)]);
    proxy.configure(sidecarConfig([payments], { revision: 2 }));
    expect((await ask(proxy)).body).toMatch(/^v2/);
  });

  test('without routes go to the endpoints that the asked name stands for', async () => {
    const proxy = await start([]);
    expect(await count(proxy, 40, ({ body }) => body.startsWith('v1'), { headers: { host: 'payments-1:80' } })).toBe(
      40,
    );
    const first = await count(proxy, 200, ({ body }) => body.startsWith('v1'));
    expect(first).toBeGreaterThan(60);
    expect(first).toBeLessThan(140);
  });

  test('to a subset without endpoints answer 503 UH', async () => {
    const proxy = await start([route('none', [to('empty', 1)])]);
    const answer = await ask(proxy);
    expect(answer).toMatchObject({ status: 503, body: 'no healthy upstream' });
    expect(answer.headers).toMatchObject({ 'x-mesh-error': 'UH', server: 'meshdesk' });
    expect(proxy.telemetry.requests).toMatchObject([
      { status: 503, flags: 'UH', key: { peerService: 'payments.shop', peerWorkload: null } },
    ]);
  });

  test('that none matches answer 404 NR', async () => {
    const proxy = await start([route('only', [to('v1', 1)], { match: [{ uri: { prefix: '/only' } }] })]);
    expect(await ask(proxy)).toMatchObject({ status: 404, headers: { 'x-mesh-error': 'NR' } });
    expect((await ask(proxy, { path: '/only/x' })).status).toBe(200);
  });

  test('with a timeout answer 504 UT in time and drop the upstream connection', async () => {
    const proxy = await start([route('timed', [to('v1', 1)], { timeoutMs: 50 })]);
    // The server would answer 200 later.
    expect(await ask(proxy, { path: '/slow' })).toMatchObject({ status: 504, headers: { 'x-mesh-error': 'UT' } });
    await until(() => proxy.telemetry.connections.closed === 1, 'the end of the upstream connection');
    expect(proxy.telemetry.requests).toMatchObject([{ status: 504, flags: 'UT' }]);
  });
});

describe('faults', () => {
  test('abort about the given share of requests, on live connections, and count', async () => {
    const proxy = await start([], [fault({ kind: 'abort', httpStatus: 503 }, { percent: 10 })]);
    const aborted = await count(proxy, 1_000, ({ status, body }) => status === 503 && body === 'fault filter abort');
    expect(aborted).toBeGreaterThan(60);
    expect(aborted).toBeLessThan(140);
    expect(proxy.telemetry.faults).toHaveLength(1_000);
    expect(proxy.telemetry.faults.filter(({ hit }) => hit)).toHaveLength(aborted);
    expect(proxy.telemetry.requests.filter(({ flags }) => flags === 'FI')).toHaveLength(aborted);
  });

  test('delay, and the flag says so', async () => {
    const proxy = await start([], [fault({ kind: 'delay', delayMs: 120 })]);
    const started = performance.now();
    expect((await ask(proxy)).status).toBe(200);
    expect(performance.now() - started).toBeGreaterThanOrEqual(115);
    expect(proxy.telemetry.requests).toMatchObject([{ status: 200, flags: 'DI' }]);
    expect(proxy.telemetry.requests[0]?.durationUs).toBeGreaterThanOrEqual(115_000);
  });

  test('delay first and abort then when both hit', async () => {
    const faults = [fault({ kind: 'abort', httpStatus: 418 }), fault({ kind: 'delay', delayMs: 60 })];
    const proxy = await start([], faults);
    expect(await ask(proxy)).toMatchObject({ status: 418, headers: { 'x-mesh-error': 'FI' } });
    expect(proxy.telemetry.requests).toMatchObject([{ status: 418, flags: 'DI,FI' }]);
  });

  test('a delay of a rule does not run into its timeout, which begins when the router has the request', async () => {
    const proxy = await start(
      [route('r', [to(null, 1)], { timeoutMs: 2_500 })],
      [fault({ kind: 'delay', delayMs: 2_700 })],
    );
    expect((await ask(proxy)).status).toBe(200);
    expect((await ask(proxy, { path: '/slow' })).status).toBe(504);
    expect(proxy.telemetry.requests).toMatchObject([
      { status: 200, flags: 'DI' },
      { status: 504, flags: 'DI,UT' },
    ]);
  });

  test('of a route leave other routes alone', async () => {
    const routes = [route('a', [to('v1', 1)], { match: [{ uri: { exact: '/a' } }] }), route('b', [to('v1', 1)])];
    const proxy = await start(routes, [fault({ kind: 'abort', httpStatus: 500 }, { route: 'a' })]);
    expect((await ask(proxy, { path: '/a' })).status).toBe(500);
    expect((await ask(proxy, { path: '/b' })).status).toBe(200);
  });

  test('do nothing once the lease has lapsed, at 0 percent, or after their time', async () => {
    const abort = fault({ kind: 'abort', httpStatus: 500 });
    const lapsed = await start([], [abort], { faultsAllowed: () => false });
    expect((await ask(lapsed)).status).toBe(200);
    const never = await start([], [{ ...abort, percent: 0 }]);
    expect((await ask(never)).status).toBe(200);
    const expired = await start([], [{ ...abort, expiresAtMs: Date.now() - 1 }]);
    expect((await ask(expired)).status).toBe(200);
  });

  test('end a delay when the client goes away', async () => {
    const proxy = await start([], [fault({ kind: 'delay', delayMs: 60_000 })]);
    const request = http.get({ host: '127.0.0.1', port: proxy.port, headers: { host: 'payments' }, agent: false });
    request.on('error', () => undefined);
    await until(() => proxy.telemetry.faults.length === 1, 'the fault');
    request.socket?.resetAndDestroy();
    await until(() => proxy.telemetry.requests.length === 1, 'the record');
    expect(proxy.telemetry.requests).toMatchObject([{ status: 0, flags: 'DI,DC' }]);
  });
});

describe('listeners', () => {
  test('a listener of a service sends everything to it, whatever the Host', async () => {
    const context = { service: { key: 'payments.shop', port: 80 }, originalDestination: null };
    const proxy = await start([route('all', [to('v2', 1)])], [], { context });
    expect((await ask(proxy, { headers: { host: '127.0.0.1:9' }, path: '/x' })).body).toBe('v2 127.0.0.1:9 /x');
  });

  test('the forward proxy knows /proxy/{service}/{path} and absolute-form requests', async () => {
    const proxy = await start([route('all', [to('v1', 1)])], [], {
      context: { forwardProxy: true, originalDestination: null },
    });
    expect((await ask(proxy, { path: '/proxy/payments/a/b?c=1' })).body).toBe('v1 payments /a/b?c=1');
    expect((await ask(proxy, { path: '/proxy/payments.shop' })).body).toBe('v1 payments /');
    expect((await ask(proxy, { path: 'http://payments/a?b' })).body).toBe('v1 payments /a?b');
    const unknown = await ask(proxy, { path: '/proxy/nobody/' });
    expect(unknown).toMatchObject({ status: 404, headers: { 'x-mesh-error': 'NR' } });
    expect(unknown.body).toContain('payments.shop');
    expect((await ask(proxy, { path: '/elsewhere' })).body).toContain('/proxy/{service}/{path}');
  });

  test('an unknown host goes to the address that was dialled; a known address has its service', async () => {
    const elsewhere = { originalDestination: { host: '127.0.0.1', port: await startServer('other') } };
    const proxy = await start([], [fault({ kind: 'abort', httpStatus: 500 })], { context: elsewhere });
    expect((await ask(proxy, { headers: { host: 'example.org' } })).body).toBe('other example.org /');
    expect(proxy.telemetry.requests[0]).toMatchObject({ key: { peerService: null, peerAddress: '127.0.0.1' } });
    const known = await start([], [fault({ kind: 'abort', httpStatus: 500 })], {
      context: { originalDestination: { host: '127.0.0.1', port: v2 } },
    });
    expect((await ask(known, { headers: { host: '127.0.0.1' } })).status).toBe(500);
    expect(known.telemetry.requests[0]).toMatchObject({ key: { peerService: 'payments.shop', peerWorkload: 'p2' } });
  });

  test('inbound requests go to the application and are told on the edge of their caller', async () => {
    const proxy = await start([route('never', [to('empty', 1)])], [fault({ kind: 'abort', httpStatus: 500 })], {
      context: {
        direction: 'inbound',
        originalDestination: null,
        target: { host: '127.0.0.1', port: v1, servicePort: 80 },
        peerSpiffeId: 'spiffe://cluster.local/ns/shop/sa/web',
      },
    });
    expect((await ask(proxy)).body).toBe('v1 payments /');
    expect(proxy.telemetry.requests).toMatchObject([
      {
        status: 200,
        key: { direction: 'inbound', mtls: true, port: 80, peerSpiffeId: 'spiffe://cluster.local/ns/shop/sa/web' },
      },
    ]);
    expect(proxy.telemetry.connections.opened).toBe(1);
    expect(proxy.telemetry.samples).toHaveLength(0);
  });
});
