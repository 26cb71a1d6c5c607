/** A gateway's proxy by itself: real sockets and real TLS on one side, plain applications on the other. */
import { createServer as createHttpServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../../core/model/gateway-config.ts';
import type { HttpRoute, ServiceConfig } from '../../../core/model/sidecar-config.ts';
import { eventually } from '../../support/eventually.ts';
import { createServingPair } from '../../support/serving-certificates.ts';
import { TestCa } from '../../support/test-ca.ts';
import { emptyConfig, freePort, serviceOf, spiffeIdOfName, TestSidecar } from '../../support/test-sidecar.ts';
import { ask, closeAll, dialTls, isNothing, keep, listening, readAll } from './clients.ts';

let ca: TestCa;

beforeEach(async () => {
  ca = await TestCa.create();
});

afterEach(closeAll);

const toRoute = (service: string, changes: Partial<HttpRoute> = {}): HttpRoute => ({
  name: 'all',
  match: [],
  destinations: [{ service, subset: null, port: 80, weight: 0 }],
  timeoutMs: null,
  ...changes,
});

function hostOf(key: string, routes: HttpRoute[]): ServiceConfig {
  return { key, name: key, namespace: '', hosts: [], ports: [], subsets: [], routes, endpoints: [] };
}

async function startGateway(
  ports: GatewayConfig['ports'],
  services: ServiceConfig[],
  certificates: GatewayConfig['certificates'] = [],
) {
  const proxy = await TestSidecar.start({ ca, name: 'istio-ingressgateway' });
  keep(() => proxy.close());
  const listen = await Promise.all(
    ports.map(async ({ port }) => ({ listen: { host: '127.0.0.1', port: await freePort() }, port })),
  );
  const config = emptyConfig('istio-ingressgateway', 1, {
    listeners: { kind: 'gateway', ports: listen },
    services,
    gateway: { ports, certificates },
  });
  expect(await proxy.control.push(config)).toEqual({ type: 'ack', revision: 1 });
  const portOf = (port: number) => listen.find((one) => one.port === port)?.listen.port ?? 0;
  return { proxy, portOf };
}

const toEndpoint = (targetPort: number) => [{ ports: [{ port: 80, targetPort }] }];
/** Says its name and what it was asked. */
const application = (name: string) =>
  createHttpServer((incoming, response) =>
    response.end(JSON.stringify({ name, url: incoming.url, headers: incoming.headers })),
  );

describe('a gateway for HTTP', () => {
  it('routes by the host name, the best fitting domain first, and answers 404 for a name that is nobody’s', async () => {
    const [web, shop, any] = await Promise.all(
      ['web', 'shop', 'any'].map(async (name) => listening(application(name))),
    );
    const plain = (domain: string, service: string) => ({ domain, service });
    const { portOf } = await startGateway(
      [
        {
          port: 80,
          servers: [
            {
              id: 'http',
              protocol: 'http',
              names: ['*'],
              hosts: [
                plain('*.example.com', 'h-any'),
                plain('web.example.com', 'h-web'),
                plain('*.shop.example.com', 'h-shop'),
              ],
            },
          ],
        },
      ],
      [
        serviceOf('any', 80, toEndpoint(any ?? 0)),
        serviceOf('shop', 80, toEndpoint(shop ?? 0)),
        serviceOf('web', 80, toEndpoint(web ?? 0)),
        hostOf('h-any', [toRoute('any.shop')]),
        hostOf('h-shop', [toRoute('shop.shop')]),
        hostOf('h-web', [toRoute('web.shop')]),
      ],
    );
    const named = async (host: string) => {
      const { status, body } = await ask({ port: portOf(80), headers: { host } });
      return status === 200 ? JSON.parse(body).name : status;
    };
    expect(await named('web.example.com')).toBe('web');
    expect(await named('WEB.example.com:8080')).toBe('web');
    expect(await named('a.shop.example.com')).toBe('shop');
    expect(await named('shop.example.com')).toBe('any');
    expect(await named('example.com')).toBe(404);
  });

  it('tells the application who the client is, and keeps from it what only the mesh may say', async () => {
    const port = await listening(application('web'));
    const { proxy, portOf } = await startGateway(
      [{ port: 80, servers: [{ id: 'http', protocol: 'http', names: ['*'], hosts: [{ domain: '*', service: 'h' }] }] }],
      [hostOf('h', [toRoute('web.shop')]), serviceOf('web', 80, toEndpoint(port))],
    );
    const headers = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-envoy-max-retries': '9',
      'x-request-id': 'of-the-client',
      'x-forwarded-client-cert': 'URI=spiffe://x',
    };
    const { body } = await ask({ port: portOf(80), path: '/a?b=1', headers });
    const seen = JSON.parse(body);
    expect(seen.url).toBe('/a?b=1');
    expect(seen.headers).toMatchObject({ 'x-forwarded-for': '203.0.113.9,127.0.0.1', 'x-forwarded-proto': 'http' });
    expect(seen.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(Object.keys(seen.headers)).not.toEqual(expect.arrayContaining(['x-envoy-max-retries']));
    expect(seen.headers['x-forwarded-client-cert']).toBeUndefined();
    expect(seen.headers['x-envoy-external-address']).toBe('127.0.0.1');
    const edges = () => proxy.control.reports.flatMap((report) => report.edges);
    const front = await eventually('the client’s edge', () =>
      edges().find(({ key, requests }) => key.direction === 'inbound' && requests['2xx'] === 1),
    );
    expect(front.key).toMatchObject({ peerAddress: '127.0.0.1', port: 80, mtls: false });
    const back = await eventually('the application’s edge', () =>
      edges().find(({ key, requests }) => key.direction === 'outbound' && requests['2xx'] === 1),
    );
    expect(back.key).toMatchObject({ peerService: 'web.shop', port: 80 });
  });

  it('keeps a client’s own words about itself from the application, however large its head is', async () => {
    const port = await listening(application('web'));
    const { portOf } = await startGateway(
      [{ port: 80, servers: [{ id: 'http', protocol: 'http', names: ['*'], hosts: [{ domain: '*', service: 'h' }] }] }],
      [hostOf('h', [toRoute('web.shop')]), serviceOf('web', 80, toEndpoint(port))],
    );
    const forged = { 'x-forwarded-client-cert': 'URI=spiffe://forged', 'x-envoy-internal': 'true' };
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`x-${index}`, 'x'.repeat(100)]));
    for (const size of [6_000, 7_000, 7_500, 7_900, 8_100, 30_000, 60_000]) {
      const answers = [{ 'x-large': 'x'.repeat(size) }, many].map((more) =>
        ask({ port: portOf(80), headers: { ...forged, ...more } }),
      );
      for (const { status, body } of await Promise.all(answers)) {
        if (status === 200) expect(body).not.toContain('forged');
        else expect(status).toBe(431);
      }
    }
  });

  it('redirects to https, and to the published port of https when a port was asked for', async () => {
    const { portOf } = await startGateway(
      [
        {
          port: 80,
          httpsPort: 8443,
          servers: [
            {
              id: 'http',
              protocol: 'http',
              names: ['*'],
              hosts: [{ domain: '*', service: null, httpsRedirect: true }],
            },
          ],
        },
      ],
      [],
    );
    const redirected = async (host: string) => {
      const { status, headers } = await ask({ port: portOf(80), path: '/a?b=1', headers: { host } });
      return [status, headers['location']];
    };
    expect(await redirected('shop.example.com')).toEqual([301, 'https://shop.example.com/a?b=1']);
    expect(await redirected('localhost:8080')).toEqual([301, 'https://localhost:8443/a?b=1']);
  });
});

describe('a gateway for TLS', () => {
  const tlsServer = (id: string, names: string[], changes: Record<string, unknown> = {}) => ({
    id,
    protocol: 'http' as const,
    names,
    hosts: [{ domain: '*', service: 'h' }],
    tls: { mode: 'simple' as const, certificates: [id] },
    ...changes,
  });

  it('shows the certificate that the server name asks for, speaks HTTP/2 and HTTP/1.1, and closes on unknown names', async () => {
    const port = await listening(application('web'));
    const [a, b] = [await createServingPair('a.example.com'), await createServingPair('*.b.example.com')];
    const { portOf } = await startGateway(
      [{ port: 443, servers: [tlsServer('a', ['a.example.com']), tlsServer('b', ['*.b.example.com'])] }],
      [hostOf('h', [toRoute('web.shop')]), serviceOf('web', 80, toEndpoint(port))],
      [
        { name: 'a', ...a.server },
        { name: 'b', ...b.server },
      ],
    );
    const first = await ask({ port: portOf(443), tls: { servername: 'a.example.com', ca: a.caPem } });
    expect(JSON.parse(first.body).headers).toMatchObject({ 'x-forwarded-proto': 'https', host: 'a.example.com' });
    const second = await ask({ port: portOf(443), tls: { servername: 'x.b.example.com', ca: b.caPem } });
    expect(second.status).toBe(200);
    await expect(ask({ port: portOf(443), tls: { servername: 'c.example.com', ca: a.caPem } })).rejects.toThrow();
    const session = connectHttp2('https://a.example.com', {
      createConnection: () => dialTls(portOf(443), { servername: 'a.example.com', ca: a.caPem, ALPNProtocols: ['h2'] }),
    });
    keep(() => session.close());
    const stream = session.request({ ':path': '/h2' });
    let body = '';
    for await (const chunk of stream) body += chunk;
    expect(JSON.parse(body)).toMatchObject({ url: '/h2', headers: { 'x-forwarded-proto': 'https' } });
  });

  it('lets nobody in without a certificate of the clients’ CA with MUTUAL, and says whose it was', async () => {
    const port = await listening(application('web'));
    const pair = await createServingPair('a.example.com');
    const other = await createServingPair('a.example.com');
    const { portOf } = await startGateway(
      [{ port: 443, servers: [tlsServer('a', ['*'], { tls: { mode: 'mutual', certificates: ['a'] } })] }],
      [hostOf('h', [toRoute('web.shop')]), serviceOf('web', 80, toEndpoint(port))],
      [{ name: 'a', ...pair.server, clientCaPem: pair.caPem }],
    );
    const tls = { servername: 'a.example.com', ca: pair.caPem };
    await expect(ask({ port: portOf(443), tls })).rejects.toThrow();
    await expect(ask({ port: portOf(443), tls: { ...tls, ...other.client } })).rejects.toThrow();
    const { body } = await ask({ port: portOf(443), tls: { ...tls, ...pair.client } });
    expect(JSON.parse(body).headers['x-forwarded-client-cert']).toMatch(
      /^Hash=[0-9a-f]{64};Cert="-----BEGIN.*";Subject="CN=client";DNS=client\.example\.com$/,
    );
  });

  it('passes TLS on by its server name, untouched', async () => {
    const own = await createServingPair('own.example.com');
    const server = createTlsServer({ key: own.server.keyPem, cert: own.server.chainPem }, (socket) => {
      socket.on('error', () => undefined);
      socket.end('from the application itself');
    });
    const port = await listening(server);
    const l4Routes = [
      {
        name: 'tls-1',
        match: [{ sniHosts: ['own.example.com'] }],
        destinations: [{ service: 'own.shop', subset: null, port: 80, weight: 0 }],
      },
    ];
    const { portOf } = await startGateway(
      [
        {
          port: 443,
          servers: [
            {
              id: 'p',
              protocol: 'tcp',
              names: ['*.example.com'],
              hosts: [],
              tls: { mode: 'passthrough', certificates: [] },
              service: 'l4',
            },
          ],
        },
      ],
      [{ ...hostOf('l4', []), l4Routes }, serviceOf('own', 80, toEndpoint(port), 'tcp')],
    );
    const socket = dialTls(portOf(443), { servername: 'own.example.com', ca: own.caPem });
    expect((await readAll(socket)).toString()).toBe('from the application itself');
    expect(
      await readAll(dialTls(portOf(443), { servername: 'other.example.com', ca: own.caPem })).catch(() => null),
    ).toSatisfy(isNothing);
  });
});

describe('a gateway for TCP', () => {
  it('passes bytes on, also where the server speaks first', async () => {
    const greeting = await listening(createServer((socket) => socket.end('220 ready')));
    const l4Routes = [
      { name: 'tcp-1', match: [], destinations: [{ service: 'mail.shop', subset: null, port: 80, weight: 0 }] },
    ];
    const { portOf } = await startGateway(
      [{ port: 2525, servers: [{ id: 't', protocol: 'tcp', names: ['*'], hosts: [], service: 'l4' }] }],
      [{ ...hostOf('l4', []), l4Routes }, serviceOf('mail', 80, toEndpoint(greeting), 'tcp')],
    );
    const socket = connect(portOf(2525), '127.0.0.1');
    keep(() => socket.destroy());
    expect((await readAll(socket)).toString()).toBe('220 ready');
  });
});

describe('a gateway that sidecars go out by', () => {
  it('ends their TLS, and passes the application’s own TLS inside of it on by its server name', async () => {
    const own = await createServingPair('own.example.com');
    const server = createTlsServer({ key: own.server.keyPem, cert: own.server.chainPem }, (socket) => {
      socket.on('error', () => undefined);
      socket.end('from outside');
    });
    const destinations = [{ service: 'own.shop', subset: null, port: 80, weight: 0 }];
    const l4Routes = [{ name: 'tls-1', match: [{ sniHosts: ['own.example.com'] }], destinations }];
    const tls = { mode: 'passthrough' as const, certificates: [] };
    const { portOf } = await startGateway(
      [
        {
          port: 443,
          servers: [{ id: 'p', protocol: 'tcp', names: ['own.example.com'], hosts: [], tls, service: 'l4' }],
        },
      ],
      [{ ...hostOf('l4', []), l4Routes }, serviceOf('own', 80, toEndpoint(await listening(server)), 'tcp')],
    );
    const web = await TestSidecar.start({ ca, name: 'web' });
    keep(() => web.close());
    const listen = { host: '127.0.0.1', port: await freePort() };
    const ports = [{ port: 443, targetPort: portOf(443) }];
    const endpoint = { mesh: true, ports, spiffeId: spiffeIdOfName('istio-ingressgateway') };
    const config = emptyConfig('web', 1, {
      listeners: {
        kind: 'explicit',
        inbound: [],
        outbound: [{ listen, service: 'egress.shop', port: 443 }],
        httpProxy: null,
      },
      services: [serviceOf('egress', 443, [endpoint])],
    });
    expect(await web.control.push(config)).toEqual({ type: 'ack', revision: 1 });
    const socket = dialTls(listen.port, { servername: 'own.example.com', ca: own.caPem });
    expect((await readAll(socket)).toString()).toBe('from outside');
  });
});
