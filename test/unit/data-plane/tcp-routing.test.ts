import { describe, expect, it } from 'vitest';
import type { DownstreamContext } from '../../../core/data-plane/connection.ts';
import { compileConfig } from '../../../core/data-plane/http/compiled-config.ts';
import { routeConnection } from '../../../core/data-plane/tcp/tcp-routing.ts';
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
const routeIn = (config: ReturnType<typeof compile>, from: DownstreamContext, active: Record<string, number> = {}) =>
  routeConnection(from, config, ({ id }) => active[id] ?? 0, createSeededRandom(7));

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
      const id = routeConnection(from, config, () => 0, random)?.endpointId as keyof typeof counts;
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
      routeConnection(from, compile(versions), ({ id }) => (id === 'orders-0' ? 9 : 1), random),
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
});
