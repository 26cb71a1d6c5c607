import { describe, expect, it } from 'vitest';
import { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import { sameSidecarConfig, toSidecarConfig } from '../../../core/snapshot/to-sidecar-config.ts';
import { configOf, injection, meshOf, serviceIn, shop, workload } from './mesh-of.ts';

const on = (network: string, ip: string, ...aliases: string[]) => ({ network, ip, aliases });

describe('what a sidecar is told', () => {
  it('is valid, names the workload and its identity, and carries the revision', () => {
    const config = configOf(meshOf(shop(), '', { revision: 7 }), 'web');
    expect(SidecarConfig.parse(config)).toEqual(config);
    expect(config).toMatchObject({
      revision: 7,
      workload: { service: 'web', namespace: 'shop', spiffeId: 'spiffe://cluster.local/ns/shop/sa/web' },
      inbound: { mtls: 'PERMISSIVE', ports: [{ port: 8080, protocol: 'auto', mtls: 'PERMISSIVE' }] },
      services: [{ key: 'payments.shop' }, { key: 'web.shop' }],
      faults: [],
    });
  });

  it('is nothing for an unknown workload, or one without a sidecar', () => {
    const snapshot = meshOf([workload({ name: 'web', listeners: null, attached: false })]);
    expect(toSidecarConfig(snapshot, 'web')).toBeNull();
    expect(toSidecarConfig(snapshot, 'other')).toBeNull();
  });

  it('is the same whatever the order of workloads, resources and faults', () => {
    const injections = [injection({ id: 'a', to: 'payments.shop' }), injection({ id: 'b', to: 'payments.shop' })];
    const forth = configOf(meshOf(shop(), '', { injections }), 'web');
    const back = configOf(meshOf(shop().toReversed(), '', { injections: injections.toReversed() }), 'web');
    expect(back).toEqual(forth);
  });

  it('compares equal across revisions, and different when a fault, an endpoint or its mTLS changes', () => {
    const base = configOf(meshOf(shop()), 'web');
    const same = (snapshot: ReturnType<typeof meshOf>) => sameSidecarConfig(base, configOf(snapshot, 'web'));
    expect(same(meshOf(shop(), '', { revision: 99 }))).toBe(true);
    expect(same(meshOf(shop(), '', { injections: [injection({ to: 'payments.shop' })] }))).toBe(false);
    expect(same(meshOf(shop().slice(0, 2)))).toBe(false);
    expect(same(meshOf(shop().map((one) => ({ ...one, attached: false }))))).toBe(false);
  });
});

describe('endpoints', () => {
  it('of host processes lead a service port that they lack to their own port of that protocol', () => {
    const host = (name: string, ports: readonly (readonly [number, 'http' | 'tcp'])[]) =>
      workload({
        ...{ name, service: 'api', runtime: 'process', attached: name === 'b' },
        addresses: [on('loopback', '127.0.0.1')],
        ports: ports.map(([port, protocol]) => ({ port, protocol, publishedPort: port })),
        endpointPorts: ports.map(([port]) => ({ port, targetPort: port + 10_000 })),
      });
    const snapshot = meshOf([
      host('a', [[5001, 'http']]),
      host('b', [
        [5002, 'http'],
        [5003, 'tcp'],
      ]),
    ]);
    expect(serviceIn(configOf(snapshot, 'a'), 'api.shop').endpoints.map(({ ports }) => ports)).toEqual([
      [{ port: 5002, targetPort: 5001 }],
      [
        { port: 5001, targetPort: 15_002 },
        { port: 5002, targetPort: 15_002 },
        { port: 5003, targetPort: 15_003 },
      ],
    ]);
  });

  it('are those that share a network with the source, with the address there', () => {
    const snapshot = meshOf([
      workload({ name: 'web', addresses: [on('front', '10.1.0.2'), on('back', '10.2.0.2')] }),
      workload({
        name: 'a',
        service: 'api',
        addresses: [on('other', '10.3.0.3', 'api'), on('back', '10.2.0.3', 'api')],
      }),
      workload({ name: 'b', service: 'api', addresses: [on('other', '10.3.0.4', 'api')] }),
      workload({ name: 'hidden', addresses: [on('other', '10.3.0.5', 'hidden')] }),
    ]);
    const config = configOf(snapshot, 'web');
    expect(config.services.map(({ key }) => key)).toEqual(['api.shop', 'web.shop']);
    expect(serviceIn(config, 'api.shop').endpoints).toMatchObject([{ id: 'a', address: '10.2.0.3' }]);
  });

  it('live: running or paused, with an address', () => {
    const api = (name: string, state: 'running' | 'paused' | 'restarting' | 'exited', ip = '10.0.0.9') =>
      workload({ name, service: 'api', state, addresses: [on('shop', ip, 'api')] });
    const snapshot = meshOf([
      ...[workload({ name: 'web' }), api('a', 'running'), api('b', 'paused'), api('c', 'exited')],
      ...[api('d', 'restarting'), api('e', 'running', '')],
    ]);
    expect(serviceIn(configOf(snapshot, 'web'), 'api.shop').endpoints.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('speak mesh TLS once attached', () => {
    const snapshot = meshOf([workload({ name: 'web' }), workload({ name: 'api', attached: false })]);
    expect(serviceIn(configOf(snapshot, 'web'), 'api.shop').endpoints).toMatchObject([{ mesh: false }]);
  });

  it('know the names whose DNS answer they are, so that without a route nothing moves', () => {
    const { endpoints, hosts } = serviceIn(configOf(meshOf(shop()), 'web'), 'payments.shop');
    expect(endpoints.map(({ id, hosts: names }) => [id, names])).toEqual([
      ['payments', ['payments']],
      ['payments-v2', ['payments-v2']],
    ]);
    expect(hosts).toEqual([
      ...['payments', 'payments-v2', 'payments.shop', 'payments.shop.svc', 'payments.shop.svc.cluster.local'],
    ]);
  });

  it('of host processes share the loopback address: service ports lead to their own, through their sidecar once attached', () => {
    const process = (name: string, version: string, port: number, attached: boolean) =>
      workload({
        name,
        version,
        attached,
        service: 'payments',
        runtime: 'process',
        addresses: [on('loopback', '127.0.0.1', 'payments')],
        ports: [{ port, servicePort: 80, protocol: 'http', publishedPort: null }],
        endpointPorts: [{ port, targetPort: port + 10_000 }],
      });
    const snapshot = meshOf([process('p1', 'v1', 4001, true), process('p2', 'v2', 4002, false)]);
    const service = serviceIn(configOf(snapshot, 'p1'), 'payments.shop');
    expect(service.ports).toEqual([{ port: 80, protocol: 'http' }]);
    expect(service.endpoints.map(({ ports }) => ports)).toEqual([
      [
        { port: 80, targetPort: 14_001 },
        { port: 4001, targetPort: 14_001 },
      ],
      [{ port: 80, targetPort: 4002 }],
    ]);
  });
});

describe('host names', () => {
  const redis = (namespace: string, ...aliases: string[]) =>
    workload({
      name: `redis-${namespace}`,
      service: 'redis',
      namespace,
      addresses: [on('shop', '10.0.0.7', ...aliases)],
    });
  const owner = (host: string, namespace: string, ...members: ReturnType<typeof redis>[]) => {
    const snapshot = meshOf([workload({ name: 'app', namespace }), ...members]);
    return configOf(snapshot, 'app')
      .services.filter(({ hosts }) => hosts.includes(host))
      .map(({ key }) => key);
  };

  it.each([
    ['short, in the own namespace', owner('redis', 'a', redis('a', 'redis'), redis('b', 'redis')), ['redis.a']],
    [
      'short, from elsewhere, by the alias of the network',
      owner('redis', 'c', redis('a', 'redis'), redis('b', 'x')),
      ['redis.a'],
    ],
    [
      'short, in the own namespace, before the alias of another',
      owner('redis', 'b', redis('a', 'redis'), redis('b', 'x')),
      ['redis.b'],
    ],
    ['short, from elsewhere, unique in the mesh', owner('redis', 'c', redis('a', 'x')), ['redis.a']],
    ['short, from elsewhere, not unique and no alias', owner('redis', 'c', redis('a', 'x'), redis('b', 'y')), []],
    ['with the namespace', owner('redis.b', 'a', redis('a', 'redis'), redis('b', 'redis')), ['redis.b']],
    ['in full', owner('redis.b.svc.cluster.local', 'a', redis('a'), redis('b')), ['redis.b']],
    ['in lower case', owner('cache', 'a', redis('a', 'Cache')), ['redis.a']],
    ['by the container, where DNS does not answer', owner('redis-a', 'a', redis('a')), ['redis.a']],
  ])('%s', (_name, actual, expected) => {
    expect(actual).toEqual(expected);
  });
});

describe('faults', () => {
  const ids = (source: string, given: Parameters<typeof injection>[0]) =>
    (configOf(meshOf(shop(), '', { injections: [injection(given)] }), source).injections ?? []).map(({ id }) => id);

  it('go to the sidecars of the calling service only', () => {
    expect(ids('web', { from: 'web.shop', to: 'payments.shop' })).toEqual(['f1']);
    expect(ids('payments', { from: 'web.shop', to: 'payments.shop' })).toEqual([]);
  });

  it('without a caller go to all but the target itself', () => {
    expect(ids('web', { to: 'payments.shop' })).toEqual(['f1']);
    expect(ids('payments', { to: 'payments.shop' })).toEqual([]);
    expect(ids('payments-v2', { to: 'payments.shop' })).toEqual([]);
  });

  it('for a service that the sidecar cannot reach are left out', () => {
    expect(ids('web', { to: 'nowhere.shop' })).toEqual([]);
  });
});
