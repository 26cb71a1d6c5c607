import { describe, expect, test } from 'vitest';
import { compileConfig } from '../../../core/data-plane/http/compiled-config.ts';
import type { Endpoint, FaultConfig, ServiceConfig, SidecarConfig } from '../../../core/model/sidecar-config.ts';

const spiffeId = 'spiffe://cluster.local/ns/shop/sa/x';
const endpoint = (id: string, address: string, extra: Partial<Endpoint> = {}): Endpoint => ({
  id,
  name: id,
  address,
  ports: [],
  version: null,
  hosts: [],
  mesh: false,
  spiffeId,
  ...extra,
});
const service = (
  name: string,
  namespace: string,
  endpoints: Endpoint[],
  extra: Partial<ServiceConfig> = {},
): ServiceConfig => ({
  key: `${name}.${namespace}`,
  name,
  namespace,
  hosts: [name],
  ports: [{ port: 80, protocol: 'http' }],
  subsets: [],
  routes: [],
  endpoints,
  ...extra,
});
const config = (services: ServiceConfig[], faults: FaultConfig[] = []): SidecarConfig => ({
  formatVersion: 1,
  revision: 5,
  workload: { id: 'web', name: 'web', service: 'web', namespace: 'shop', version: null, spiffeId },
  trustDomain: 'cluster.local',
  listeners: { kind: 'transparent', outboundPort: 15001, inboundPort: 15006 },
  inbound: { mtls: 'PERMISSIVE', ports: [] },
  services,
  faults,
});

describe('services', () => {
  const other = service('orders', 'other', [], { ports: [{ port: 9000, protocol: 'http' }] });
  const own = service('orders', 'shop', [], { hosts: ['orders', 'orders.shop'] });
  const compiled = compileConfig(config([other, own]));

  test('are found by host, the one with the port first', () => {
    expect(compiled.serviceByHost('orders', 80)?.config.key).toBe('orders.shop');
    expect(compiled.serviceByHost('orders', 9000)?.config.key).toBe('orders.other');
    expect(compiled.serviceByHost('orders', 1)?.config.key).toBe('orders.other');
    expect(compiled.serviceByHost('nobody', 80)).toBeNull();
  });

  test('are found by name, own namespace first, by key and by host', () => {
    expect(compiled.serviceByName('orders')?.config.key).toBe('orders.shop');
    expect(compiled.serviceByName('orders.other')?.config.key).toBe('orders.other');
    expect(compiled.serviceByName('nobody')).toBeNull();
  });
});

test('a service that is known at its ports only is none at others, by whatever it is dialled', () => {
  const own = endpoint('a', '10.0.0.2', { ports: [{ port: 80, targetPort: 8080 }] });
  const both = [
    { port: 80, targetPort: 8080 },
    { port: 90, targetPort: 9090 },
  ];
  const only = service('orders', 'shop', [{ ...own, ports: both }], { addresses: ['240.240.0.1'], portsOnly: true });
  const wide = service('any', 'shop', [], { key: '*.shop', hosts: ['*rders'] });
  const compiled = compileConfig(config([only]));
  for (const [port, key] of [
    [80, 'orders.shop'],
    [90, undefined],
  ] as const) {
    expect(compiled.serviceByHost('orders', port)?.config.key).toBe(key);
    expect(compiled.serviceAt('240.240.0.1', port)?.config.key).toBe(key);
  }
  expect(compiled.endpointAt('10.0.0.2', 8080)?.port).toBe(80);
  expect(compiled.endpointAt('10.0.0.2', 9090)).toBeNull();
  expect(compileConfig(config([only, wide])).serviceByHost('orders', 90)?.config.key).toBe('*.shop');
});

describe('endpoints', () => {
  const mapped = endpoint('a', '10.0.0.2', {
    ports: [{ port: 80, targetPort: 8080 }],
    hosts: ['orders-1'],
    mesh: true,
  });
  const plain = endpoint('b', '10.0.0.3');
  const local = endpoint('c', '127.0.0.1', { ports: [{ port: 80, targetPort: 3001 }] });
  const orders = service('orders', 'shop', [mapped, plain], { subsets: [{ name: 'v1', endpoints: ['a'] }] });
  const compiled = compileConfig(config([orders, service('cart', 'shop', [local])]));
  const found = compiled.serviceByKey('orders.shop');

  test('are found by address and target port, with the service port that leads there', () => {
    expect(compiled.endpointAt('10.0.0.2', 8080)).toMatchObject({ endpoint: { id: 'a' }, port: 80 });
    expect(compiled.endpointAt('10.0.0.3', 80)).toMatchObject({ endpoint: { id: 'b' }, port: 80 });
  });

  test('are found at any port of an address of their own, but not on loopback', () => {
    expect(compiled.endpointAt('10.0.0.2', 9999)).toMatchObject({ endpoint: { id: 'a' }, port: 9999 });
    expect(compiled.endpointAt('127.0.0.1', 3001)).toMatchObject({ endpoint: { id: 'c' }, port: 80 });
    expect(compiled.endpointAt('127.0.0.1', 9999)).toBeNull();
    expect(compiled.endpointAt('10.9.9.9', 80)).toBeNull();
  });

  test('get mesh mTLS with their identity exactly when their sidecar takes it', () => {
    const [first, second] = found?.endpoints(null, 80) ?? [];
    expect(first?.target).toEqual({
      host: '10.0.0.2',
      port: 8080,
      tls: { alpn: 'meshdesk-http/1.1', spiffeId, serverName: 'orders' },
    });
    expect(second?.target).toEqual({ host: '10.0.0.3', port: 80, tls: null });
    expect(first?.key).not.toBe(second?.key);
  });

  test('are selected by subset, by host, and all for a host that none claims', () => {
    const ids = (list: readonly { endpoint: Endpoint }[] | undefined) => list?.map((one) => one.endpoint.id);
    expect(ids(found?.endpoints('v1', 80))).toEqual(['a']);
    expect(ids(found?.endpoints('v9', 80))).toEqual([]);
    expect(ids(found?.endpointsOfHost('orders-1', 80))).toEqual(['a']);
    expect(ids(found?.endpointsOfHost('orders', 80))).toEqual(['a', 'b']);
  });
});

describe('faults', () => {
  const fault = (id: string, route: string | null, percent = 50): FaultConfig => ({
    id,
    service: 'orders.shop',
    route,
    action: { kind: 'abort', httpStatus: 503 },
    percent,
    seed: 1,
    expiresAtMs: null,
  });
  const services = [service('orders', 'shop', [])];
  const scope = (faults: FaultConfig[], route: string | null) =>
    compileConfig(config(services, faults))
      .serviceByKey('orders.shop')
      ?.faultsOf(route, 80)
      .map((one) => one.config.id);

  test('of the service hit every route, those of a route only that one', () => {
    const faults = [fault('all', null), fault('a', 'a'), fault('b', 'b')];
    expect(scope(faults, null)).toEqual(['all']);
    expect(scope(faults, 'a')).toEqual(['all', 'a']);
    expect(scope(faults, 'c')).toEqual(['all']);
    expect(scope([], 'a')).toEqual([]);
  });

  test('that did not change go on in their sequence with the next revision', () => {
    const draws = (faults: FaultConfig[][]) => {
      let compiled = compileConfig(config(services, faults[0]));
      return faults.flatMap((list) => {
        compiled = compileConfig(config(services, list), compiled);
        const injection = compiled.injections.byId.get('x');
        return Array.from({ length: 20 }, () => injection?.decide(0, 0));
      });
    };
    const [same, changed] = [[fault('x', null)], [fault('x', null, 51)]];
    const whole = draws([same, same]);
    expect(whole.slice(20)).not.toEqual(whole.slice(0, 20));
    const restarted = draws([same, changed, same]);
    expect(restarted.slice(40)).toEqual(restarted.slice(0, 20));
  });
});

describe('the next configuration', () => {
  const fault: FaultConfig = {
    ...{ id: 'f', service: 'orders.shop', route: null, action: { kind: 'delay', delayMs: 1 } },
    ...{ percent: 50, seed: 1, expiresAtMs: null },
  };
  const [orders, payments] = [service('orders', 'shop', []), service('payments', 'shop', [])];

  test('keeps what was worked out for services that did not change', () => {
    const before = compileConfig(config([orders, payments]));
    const after = compileConfig(config([orders, service('payments', 'shop', [])]), before);
    expect(after.serviceByKey('orders.shop')).toBe(before.serviceByKey('orders.shop'));
    expect(after.serviceByKey('payments.shop')).not.toBe(before.serviceByKey('payments.shop'));
  });

  test('works a service out anew when its faults changed', () => {
    const before = compileConfig(config([orders, payments]));
    const after = compileConfig(config([orders, payments], [fault]), before);
    expect(after.serviceByKey('orders.shop')?.faultsOf(null, 80)).toHaveLength(1);
    expect(after.serviceByKey('payments.shop')).toBe(before.serviceByKey('payments.shop'));
  });
});
