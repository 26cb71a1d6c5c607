import { describe, expect, it } from 'vitest';
import type { DownstreamContext } from '../../../core/data-plane/connection.ts';
import { compileConfig } from '../../../core/data-plane/http/compiled-config.ts';
import { routeConnection, type TcpUpstream } from '../../../core/data-plane/tcp/tcp-routing.ts';
import type { L4RouteConfig } from '../../../core/model/l4-config.ts';
import type { HttpRoute, ServiceConfig } from '../../../core/model/sidecar-config.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { emptyConfig, serviceOf } from '../../support/test-sidecar.ts';

const context: DownstreamContext = {
  direction: 'outbound',
  originalDestination: null,
  remote: { host: '10.0.0.9', port: 4711 },
  service: null,
  target: null,
  forwardProxy: false,
  peerSpiffeId: null,
};
const at = (host: string, port = 443) => ({ ...context, originalDestination: { host, port } });
const versions: ServiceConfig = {
  ...serviceOf('orders', 443, [
    { address: '10.0.1.1', version: 'v1' },
    { address: '10.0.1.2', version: 'v2', mesh: true },
  ]),
  subsets: [
    { name: 'v1', endpoints: ['orders-0'] },
    { name: 'v2', endpoints: ['orders-1'] },
  ],
};
const route = (name: string, changes: Partial<HttpRoute>, weights: readonly [number, number]): HttpRoute => ({
  name,
  match: [],
  timeoutMs: null,
  destinations: (['v1', 'v2'] as const).map((subset, index) => ({
    service: 'orders.shop',
    subset,
    port: null,
    weight: weights[index] ?? 0,
  })),
  ...changes,
});
const compile = (...services: ServiceConfig[]) => compileConfig(emptyConfig('web', 1, { services }));
function routed(...call: Parameters<typeof routeConnection>): TcpUpstream | null {
  const upstream = routeConnection(...call);
  if (upstream === 'overflow') throw new Error('there is no limit here');
  return upstream;
}

const routeIn = (config: ReturnType<typeof compile>, from: DownstreamContext, active: Record<string, number> = {}) =>
  routed(from, config, ({ id }) => active[id] ?? 0, createSeededRandom(7));

describe('where a TCP connection goes', () => {
  it('goes to the endpoint that was dialled, whatever name its TLS says', () => {
    const upstream = routeIn(compile(versions, serviceOf('pay', 443, [{ address: '10.0.2.1' }])), {
      ...at('10.0.1.1'),
      serverName: 'pay',
    });
    expect(upstream).toMatchObject({ target: { host: '10.0.1.1', port: 443, tls: null }, endpointId: 'orders-0' });
  });

  it('goes where the server name says when the address is nobody, with the identity that is expected there', () => {
    const upstream = routeIn(compile(serviceOf('pay', 443, [{ address: '10.0.2.1', mesh: true }])), {
      ...at('172.16.0.1'),
      serverName: 'pay.shop',
    });
    expect(upstream?.target).toMatchObject({
      host: '10.0.2.1',
      tls: { spiffeId: 'spiffe://cluster.local/ns/shop/sa/pay' },
    });
    expect(upstream?.key).toMatchObject({ peerService: 'pay.shop', mtls: true });
    expect(upstream?.key.serverName).toBeUndefined();
  });

  it('leaves the mesh for an unknown name, which telemetry is told', () => {
    const upstream = routeIn(compile(versions), { ...at('93.184.216.34'), serverName: 'api.example.com' });
    expect(upstream?.target).toEqual({ host: '93.184.216.34', port: 443, tls: null });
    expect(upstream?.key).toMatchObject({
      peerService: null,
      peerAddress: '93.184.216.34',
      serverName: 'api.example.com',
    });
  });

  it('shares connections of an explicit listener by the weights of the catch-all route', () => {
    const config = compile({ ...versions, routes: [route('split', {}, [90, 10])] });
    const from = { ...context, service: { key: 'orders.shop', port: 443 } };
    const random = createSeededRandom(1);
    const counts = { 'orders-0': 0, 'orders-1': 0 };
    for (let index = 0; index < 2_000; index += 1) {
      const id = routed(from, config, () => 0, random)?.endpointId as keyof typeof counts;
      counts[id] += 1;
    }
    expect(counts['orders-1'] / 2_000).toBeGreaterThan(0.07);
    expect(counts['orders-1'] / 2_000).toBeLessThan(0.13);
  });

  it('passes over routes that ask something of a request', () => {
    const asks = route('header', { match: [{ uri: { prefix: '/x' } }] }, [0, 100]);
    const config = compile({ ...versions, routes: [asks, route('rest', {}, [100, 0])] });
    const from = { ...context, service: { key: 'orders.shop', port: 443 } };
    expect(routeIn(config, from)?.endpointId).toBe('orders-0');
  });

  it('prefers the endpoint with fewer connections', () => {
    const from = { ...context, service: { key: 'orders.shop', port: 443 } };
    const random = createSeededRandom(3);
    const picks = Array.from({ length: 200 }, () =>
      routed(from, compile(versions), ({ id }) => (id === 'orders-0' ? 9 : 1), random),
    );
    const busy = picks.filter((picked) => picked?.endpointId === 'orders-0').length;
    expect(busy).toBeGreaterThan(0);
    expect(busy).toBeLessThan(80);
  });

  it('has nowhere to go for a service without endpoints, and for weights that are all 0', () => {
    const from = { ...context, service: { key: 'orders.shop', port: 443 } };
    expect(routeIn(compile({ ...versions, endpoints: [] }), from)).toBeNull();
    expect(routeIn(compile({ ...versions, routes: [route('none', {}, [0, 0])] }), from)).toBeNull();
    expect(routeIn(compile(), from)).toBeNull();
  });

  it('brings what is inbound to the application', () => {
    const target = { host: '127.0.0.1', port: 5432, servicePort: 5432 };
    expect(routeIn(compile(), { ...context, direction: 'inbound', target })?.target).toMatchObject({
      port: 5432,
      tls: null,
    });
  });

  describe('with virtual addresses', () => {
    const db = (name: string, address: string): ServiceConfig => ({
      ...serviceOf(name, 5432, [{ address: `10.9.0.${name.length}` }], 'tcp'),
      addresses: [address],
    });

    it('tells services on one port apart', () => {
      const config = compile(db('pg', '240.240.0.1'), db('pg-old', '240.240.0.2'));
      expect(routeIn(config, at('240.240.0.1', 5432))?.key).toMatchObject({ peerService: 'pg.shop', port: 5432 });
      expect(routeIn(config, at('240.240.0.2', 5432))?.target.host).toBe('10.9.0.6');
      expect(routeIn(config, at('240.240.0.3', 5432))?.target.host).toBe('240.240.0.3');
    });

    it('takes a block for the ports of its service only', () => {
      const config = compile(db('pg', '10.77.0.0/16'));
      expect(routeIn(config, at('10.77.3.4', 5432))?.key.peerService).toBe('pg.shop');
      expect(routeIn(config, at('10.77.3.4', 5433))?.key.peerService).toBeNull();
      expect(routeIn(config, at('10.78.3.4', 5432))?.key.peerService).toBeNull();
    });

    it('goes to what was dialled for a service without endpoints, and counts it as the service', () => {
      const open: ServiceConfig = {
        ...serviceOf('open', 27_018, [], 'tcp'),
        hosts: ['*.db.example'],
        originalDestination: true,
      };
      const named: ServiceConfig = { ...open, key: 'tls', ports: [{ port: 443, protocol: 'tls' }] };
      const config = compile(open, named);
      expect(routeIn(config, at('10.1.2.3', 27_018))).toMatchObject({
        target: { host: '10.1.2.3', port: 27_018, tls: null },
        key: { peerService: 'open.shop', peerWorkload: null, peerAddress: '10.1.2.3' },
        endpointId: null,
      });
      const seen = routeIn(config, { ...at('10.1.2.3'), serverName: 'a.b.db.example' });
      expect(seen).toMatchObject({ target: { host: '10.1.2.3' }, key: { peerService: 'tls' } });
    });

    it('prefers the service of the server name among those that share an address', () => {
      const shared = (name: string) => ({
        ...serviceOf(name, 443, [{ address: `10.9.0.${name.length}` }]),
        addresses: ['10.5.0.1'],
      });
      const config = compile(shared('a'), shared('bb'));
      expect(routeIn(config, { ...at('10.5.0.1'), serverName: 'bb.shop' })?.key.peerService).toBe('bb.shop');
      expect(routeIn(config, at('10.5.0.1'))?.key.peerService).toBe('a.shop');
    });
  });

  describe('with routes of connections', () => {
    const l4 = (match: L4RouteConfig['match'], subset: string | null, service = 'orders.shop'): L4RouteConfig => ({
      name: 'tcp-1',
      match,
      destinations: [{ service, subset, port: null, weight: 0 }],
    });

    it('goes by them and not to the endpoint that was dialled', () => {
      const config = compile({ ...versions, l4Routes: [l4([], 'v2')] });
      expect(routeIn(config, at('10.0.1.1'))).toMatchObject({ target: { host: '10.0.1.2' }, endpointId: 'orders-1' });
    });

    it.each<[string, L4RouteConfig['match'], string | undefined, string]>([
      ['port', [{ port: 443 }], undefined, 'v2'],
      ['another port', [{ port: 444 }], undefined, 'v1'],
      ['block', [{ destinationSubnets: ['10.0.1.0/24'] }], undefined, 'v2'],
      ['another block', [{ destinationSubnets: ['10.1.0.0/16'] }], undefined, 'v1'],
      ['server name', [{ sniHosts: ['*.orders.example'] }], 'a.orders.example', 'v2'],
      ['another server name', [{ sniHosts: ['*.orders.example'] }], 'a.pay.example', 'v1'],
      ['server name, and none was sent', [{ sniHosts: ['*.orders.example'] }], undefined, 'v1'],
      ['any of several', [{ port: 1 }, { port: 443 }], undefined, 'v2'],
    ])('matches by %s', (_what, match, serverName, version) => {
      const config = compile({ ...versions, l4Routes: [l4(match, 'v2'), l4([], 'v1')] });
      const from = { ...at('10.0.1.1'), ...(serverName === undefined ? {} : { serverName }) };
      expect(routeIn(config, from)?.endpointId).toBe(version === 'v1' ? 'orders-0' : 'orders-1');
    });

    it('draws by weight, connection by connection', () => {
      const split: L4RouteConfig = {
        name: 'split',
        match: [],
        destinations: [
          { service: 'orders.shop', subset: 'v1', port: null, weight: 80 },
          { service: 'orders.shop', subset: 'v2', port: null, weight: 20 },
        ],
      };
      const config = compile({ ...versions, l4Routes: [split] });
      const random = createSeededRandom(5);
      const hits = Array.from({ length: 2_000 }, () => routed(at('10.0.1.1'), config, () => 0, random)?.endpointId);
      const share = hits.filter((id) => id === 'orders-1').length / 2_000;
      expect(share).toBeGreaterThan(0.16);
      expect(share).toBeLessThan(0.24);
    });

    it('leads to another service and port, or nowhere when that has no endpoints', () => {
      const to: L4RouteConfig = {
        name: 't',
        match: [],
        destinations: [{ service: 'pay.shop', subset: null, port: 8443, weight: 0 }],
      };
      const pay = serviceOf('pay', 8443, [{ address: '10.0.2.1' }]);
      expect(routeIn(compile({ ...versions, l4Routes: [to] }, pay), at('10.0.1.1'))?.target).toMatchObject({
        host: '10.0.2.1',
        port: 8443,
      });
      expect(routeIn(compile({ ...versions, l4Routes: [to] }, { ...pay, endpoints: [] }), at('10.0.1.1'))).toBeNull();
    });

    it('of a server name leave other names of the service to whoever was dialled', () => {
      const config = compile({
        ...versions,
        hosts: ['*.orders.example'],
        l4Routes: [l4([{ sniHosts: ['a.orders.example'] }], 'v2')],
      });
      expect(routeIn(config, { ...at('172.16.0.1'), serverName: 'a.orders.example' })?.endpointId).toBe('orders-1');
      expect(routeIn(config, { ...at('172.16.0.1'), serverName: 'b.orders.example' })?.target.host).toBe('172.16.0.1');
    });
  });

  it('takes what nobody declared to the service that is there for it', () => {
    const egressProxy = { service: 'orders.shop', subset: 'v2', port: 8443 };
    const config = compileConfig(emptyConfig('web', 1, { egressProxy, services: [versions] }));
    expect(routeIn(config, { ...at('172.16.0.1'), serverName: 'example.com' })).toMatchObject({
      target: { host: '10.0.1.2', port: 8443 },
      endpointId: 'orders-1',
    });
    expect(routeIn(config, at('10.0.1.1'))?.endpointId).toBe('orders-0');
  });

  describe('when only known services may be reached', () => {
    const config = compileConfig(
      emptyConfig('web', 1, {
        outbound: 'registry-only',
        services: [versions, { ...serviceOf('any', 27_018, [], 'tcp'), originalDestination: true }],
      }),
    );
    it.each<[string, DownstreamContext, string | null]>([
      ['an endpoint', at('10.0.1.1'), '10.0.1.1'],
      ['a server name', { ...at('172.16.0.1'), serverName: 'orders' }, '10.0.1.1'],
      ['a port that is open to every address', at('172.16.0.1', 27_018), '172.16.0.1'],
      ['an unknown address', at('172.16.0.1'), null],
      ['an unknown server name', { ...at('172.16.0.1'), serverName: 'example.com' }, null],
    ])('lets %s be', (_what, from, host) => {
      const upstream = routed(from, config, ({ id }) => (id === 'orders-1' ? 9 : 0), createSeededRandom(2));
      expect(upstream?.target.host ?? null).toBe(host);
    });
  });
});
