import { describe, expect, it } from 'vitest';
import { FaultInjection } from '../../../core/model/fault-injection.ts';
import { continueFrom } from '../../../core/snapshot/to-sidecar-config.ts';
import { allocateAddresses } from '../../../core/snapshot/visibility/virtual-addresses.ts';
import { configOf, meshOf, resourcesOf, routes, serviceIn, shop, versions, workload } from './mesh-of.ts';

const resource = (kind: string, spec: string, api = 'networking.istio.io/v1', name = 'x', namespace = 'shop') =>
  `\napiVersion: ${api}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { ${spec} }\n`;
const web = (yaml: string, workloads = shop()) => configOf(meshOf(workloads, yaml), 'web');
const payments = (yaml: string, workloads = shop()) => serviceIn(web(yaml, workloads), 'payments.shop');

describe('an SMI TrafficSplit', () => {
  const split = (weights: string) =>
    resource('TrafficSplit', `service: payments, backends: [${weights}]`, 'split.smi-spec.io/v1alpha2');
  it.each([
    ['{ service: payments, weight: 90 }, { service: orders, weight: 10 }', [90_000, 10_000]],
    ['{ service: payments, weight: 900m }, { service: orders, weight: 100m }', [900, 100]],
  ])('%s is one route by weight', (weights, expected) => {
    expect(payments(split(weights)).routes).toMatchObject([
      { match: [], destinations: expected.map((weight) => ({ weight })) },
    ]);
  });
});

describe('a ServiceEntry', () => {
  const entry = (spec: string) => resource('ServiceEntry', spec);
  const service = (spec: string, key = 'api.example.com') =>
    web(entry(spec)).services.find((candidate) => candidate.key === key);
  const port = 'ports: [{ number: 443, name: https, protocol: HTTPS, targetPort: 8443 }]';

  it('is a service under its host, with its endpoints or the host itself', () => {
    expect(service(`hosts: [api.example.com], resolution: DNS, ${port}`)).toMatchObject({
      hosts: ['api.example.com'],
      ports: [{ port: 443, protocol: 'tls' }],
      endpoints: [{ address: 'api.example.com', ports: [{ port: 443, targetPort: 8_443 }], mesh: false }],
    });
    const fixed = service(
      `hosts: [api.example.com], resolution: STATIC, ${port}, endpoints: [{ address: 10.9.9.9, ports: { https: 9443 } }]`,
    );
    expect(fixed?.endpoints).toMatchObject([{ address: '10.9.9.9', ports: [{ port: 443, targetPort: 9_443 }] }]);
  });

  it('without resolution leads to the address that was dialled, and asks nobody to answer for its name', () => {
    for (const host of ['api.example.com', '*.example.com']) {
      const none = service(`hosts: ["${host}"], resolution: NONE, ${port}`, host);
      expect(none).toMatchObject({ hosts: [host], endpoints: [], originalDestination: true });
      expect([none?.addresses, none?.dns]).toEqual([undefined, undefined]);
    }
  });

  it('is dialled by the addresses that it gives, or else by a virtual one of its own', () => {
    const given = 'addresses: [10.1.1.1/32, 10.2.0.0/16]';
    expect(service(`hosts: [db.example.com], resolution: STATIC, ${given}, ${port}`, 'db.example.com')).toMatchObject({
      addresses: ['10.1.1.1/32', '10.2.0.0/16'],
      dns: [{ hosts: ['db.example.com'], addresses: ['10.1.1.1'] }],
    });
    const [own = ''] = service(`hosts: [api.example.com], resolution: DNS, ${port}`)?.addresses ?? [];
    expect(own).toMatch(/^240\.240\.\d+\.\d+$/);
    expect(service(`hosts: [api.example.com, www.example.com], resolution: DNS, ${port}`)?.dns).toEqual([
      { hosts: ['api.example.com'], addresses: [own] },
    ]);
  });

  it('may have a name of Kubernetes, by which rules and callers know it as any service', () => {
    const yaml = `${entry(`hosts: [old.legacy.svc.cluster.local], resolution: STATIC, ${port}`)}---${routes('[{ route: [{ destination: { host: old.legacy.svc.cluster.local } }] }]')}`;
    const config = web(yaml);
    expect(serviceIn(config, 'old.legacy').hosts).toEqual([
      'old.legacy',
      'old.legacy.svc',
      'old.legacy.svc.cluster.local',
    ]);
    expect(serviceIn(config, 'payments.shop').routes[0]?.destinations[0]?.service).toBe('old.legacy');
  });

  it('has the routes that VirtualServices give it, of HTTP and of other connections', () => {
    const yaml = `${entry(`hosts: [api.example.com], resolution: DNS, ${port}`)}---${resource(
      'VirtualService',
      `hosts: [api.example.com]
  , http: [{ timeout: 2s, route: [{ destination: { host: api.example.com } }] }]
  , tls: [{ match: [{ sniHosts: [api.example.com] }], route: [{ destination: { host: payments } }] }]`.replaceAll(
        '\n  ,',
        ',',
      ),
    )}`;
    const { routes: http, l4Routes } = serviceIn(web(yaml), 'api.example.com');
    expect(http).toMatchObject([{ timeoutMs: 2_000, destinations: [{ service: 'api.example.com' }] }]);
    expect(l4Routes).toMatchObject([
      { match: [{ sniHosts: ['api.example.com'] }], destinations: [{ service: 'payments.shop' }] },
    ]);
  });

  it('selects workloads of its namespace, to which callers speak as to any other', () => {
    const select = 'workloadSelector: { labels: { app: payments } }';
    const one = service(`hosts: [pay.example.com], resolution: STATIC, ${select}, ${port}`, 'pay.example.com');
    const own = serviceIn(web(''), 'payments.shop').endpoints;
    expect(one?.endpoints.map(({ id, address, mesh, spiffeId }) => ({ id, address, mesh, spiffeId }))).toEqual(
      own.map(({ id, address, mesh, spiffeId }) => ({ id, address, mesh, spiffeId })),
    );
    expect(one?.endpoints[0]?.ports).toEqual([{ port: 443, targetPort: 8_443 }]);
  });

  it('is nothing for namespaces that it is not exported to', () => {
    expect(service(`hosts: [api.example.com], resolution: DNS, exportTo: [other], ${port}`)).toBeUndefined();
  });

  it('can be the destination of a route', () => {
    const yaml = `${entry(`hosts: [api.example.com], resolution: DNS, ${port}`)}---${routes('[{ route: [{ destination: { host: api.example.com } }] }]')}`;
    const config = web(yaml);
    expect(serviceIn(config, 'payments.shop').routes[0]?.destinations[0]?.service).toBe('api.example.com');
    expect(serviceIn(config, 'api.example.com').endpoints).toHaveLength(1);
  });
});

describe('a host that only a VirtualService names', () => {
  const virtual = (spec: string) => resource('VirtualService', `hosts: [shop.example.com], ${spec}`);
  const route = 'route: [{ destination: { host: payments } }]';

  it('has its routes on port 80, and no endpoints, address or name', () => {
    const config = web(
      virtual(
        `http: [{ match: [{ uri: { prefix: /x } }], ${route} }, { match: [{ port: 8080 }], ${route} }, { ${route} }]`,
      ),
    );
    const host = serviceIn(config, 'shop.example.com');
    expect(host).toMatchObject({ hosts: ['shop.example.com'], endpoints: [], originalDestination: true });
    expect(host.routes.map(({ match }) => match)).toEqual([[{ port: 80, uri: { prefix: '/x' } }], [{ port: 80 }]]);
    expect([host.addresses, host.dns]).toEqual([undefined, undefined]);
  });

  it.each([
    ['for gateways only', virtual(`gateways: [edge], http: [{ ${route} }]`)],
    ['without HTTP rules', virtual(`tcp: [{ ${route} }]`)],
    [
      'hidden by a Sidecar',
      `${virtual(`http: [{ ${route} }]`)}---${resource('Sidecar', 'egress: [{ hosts: ["./payments.shop.svc.cluster.local"] }]')}`,
    ],
  ])('is nothing when it is %s', (_what, yaml) => {
    expect(web(yaml).services.map(({ key }) => key)).not.toContain('shop.example.com');
  });
});

describe('names that no DNS of the network knows', () => {
  it('lead to the only endpoint of a service, or to its virtual address', () => {
    const config = web('', [...shop(), workload({ name: 'orders' })]);
    const [payments, orders] = ['payments.shop', 'orders.shop'].map((key) => serviceIn(config, key));
    const [virtual = ''] = payments?.addresses ?? [];
    expect(virtual).toMatch(/^240\.240\./);
    const names = (key: string) => [key, `${key}.svc`, `${key}.svc.cluster.local`];
    const answer = (service: typeof payments, name: string) =>
      service?.dns?.find(({ hosts }) => hosts.includes(name))?.addresses;
    for (const name of names('payments.shop')) expect(answer(payments, name)).toEqual([virtual]);
    for (const name of names('orders.shop')) expect(answer(orders, name)).toEqual([orders?.endpoints[0]?.address]);
    // The network's own DNS has the names of containers.
    expect(answer(orders, 'orders')).toBeUndefined();
  });

  it('have the same address in every mesh, and none has that of another', () => {
    const names = Array.from({ length: 3_000 }, (_, index) => `s${index}.shop`);
    const all = allocateAddresses(names);
    expect(new Set(all.values()).size).toBe(3_000);
    expect([...allocateAddresses([...names].reverse())]).toEqual([...all]);
    expect([...all.values()].every((address) => /^240\.240\.\d{1,3}\.(?!0$|255$)\d{1,3}$/.test(address))).toBe(true);
    const moved = [...allocateAddresses(names.slice(1))].filter(([name, address]) => all.get(name) !== address);
    expect(moved.length).toBeLessThan(5);
    expect(allocateAddresses(Array.from({ length: 70_000 }, (_, index) => `${index}`)).size).toBe(256 * 254);
  });
});

describe('settings of the mesh', () => {
  const settings = (spec: string) => resource('MeshSettings', spec, 'meshdesk.dev/v1alpha1');
  const rule = (more: string) => routes(`[{ ${more} route: [{ destination: { host: payments } }] }]`);
  it('give retries to rules that say nothing', () => {
    const yaml = settings('defaultHttpRetryPolicy: { attempts: 5, retryOn: "503" }');
    expect(payments(`${yaml}---${rule('')}`).routes[0]?.retries).toMatchObject({ attempts: 5, retryOn: '503' });
    expect(payments(`${yaml}---${rule('retries: { attempts: 1 },')}`).routes[0]?.retries).toMatchObject({
      attempts: 1,
    });
  });

  it.each([
    ['faultOrder: istio', 'request'],
    ['faultOrder: retry-first', undefined],
    ['trustDomain: a.b', undefined],
  ])('with %s put faults where they say', (spec, layer) => {
    const resources = resourcesOf(settings(spec));
    const text = resource(
      'FaultInjection',
      'to: payments, fault: { abort: { httpStatus: 503, percentage: { value: 1 } } }',
      'meshdesk.dev/v1alpha1',
      'f',
    );
    const active = { resource: FaultInjection.parse(resourcesOf(text)[0]), sinceMs: 0, expiresAtMs: null };
    const mesh = meshOf(shop(), '', { resources, injections: [active] });
    expect(configOf(mesh, 'web').injections?.[0]?.layer).toBe(layer);
  });

  it('leave retries and the timeout of a rule that has a fault as they are, as Istio does', () => {
    const faulty = rule(
      'timeout: 2s, retries: { attempts: 3 }, fault: { abort: { grpcStatus: UNAVAILABLE, percentage: { value: 10 } } },',
    );
    const config = configOf(meshOf(shop(), `${settings('faultOrder: istio')}---${faulty}`), 'web');
    expect(payments(faulty).routes[0]).toMatchObject({ timeoutMs: 2_000, retries: { attempts: 3 } });
    expect(config.faults).toMatchObject([{ percent: 10, action: { kind: 'abort', httpStatus: 200, grpcStatus: 14 } }]);
  });
});

describe('connections', () => {
  it('have routes by SNI and by port', () => {
    const yaml = resource(
      'VirtualService',
      `hosts: [payments], tls: [{ match: [{ port: 443, sniHosts: [payments] }], route: [{ destination: { host: payments, subset: v1 } }] }],
      tcp: [{ match: [{ port: 5432, gateways: [mesh] }, { port: 1, gateways: [gw] }], route: [{ destination: { host: payments }, weight: 1 }] }]`,
    );
    expect(payments(`${yaml}---${versions}`).l4Routes).toEqual([
      {
        name: 'tls-1',
        match: [{ sniHosts: ['payments'], port: 443 }],
        destinations: [{ service: 'payments.shop', subset: 'v1', port: null, weight: 0 }],
      },
      {
        name: 'tcp-1',
        match: [{ port: 5_432 }],
        destinations: [{ service: 'payments.shop', subset: null, port: null, weight: 1 }],
      },
    ]);
  });
});

describe('localities', () => {
  const at = (name: string, place: string, service = name) =>
    workload({
      name,
      service,
      labels: { 'dev.meshdesk.locality': place },
      addresses: [{ network: 'shop', ip: `10.0.1.${name.length}`, aliases: [service] }],
    });
  const placed = [at('web', 'eu/a'), at('payments', 'eu/a'), at('payments-far', 'us/a', 'payments')];
  const rule = (policy: string) => resource('DestinationRule', `host: payments, trafficPolicy: { ${policy} }`);

  it('order endpoints once outliers are watched for, and not without', () => {
    expect(payments(rule('outlierDetection: {}'), placed).shares).toEqual([
      { endpoint: 'payments', priority: 0, weight: 1, locality: 'eu/a' },
      { endpoint: 'payments-far', priority: 1, weight: 1, locality: 'us/a' },
    ]);
    expect(payments(rule('loadBalancer: { simple: RANDOM }'), placed).shares).toBeUndefined();
    expect(
      payments(rule('outlierDetection: {}, loadBalancer: { localityLbSetting: { enabled: false } }'), placed).shares,
    ).toBeUndefined();
  });

  it('share traffic as distribute says', () => {
    const distribute =
      'loadBalancer: { localityLbSetting: { distribute: [{ from: eu/*, to: { eu/*: 30, us/*: 70 } }] } }';
    expect(payments(rule(distribute), placed).shares?.map(({ localityWeight }) => localityWeight)).toEqual([30, 70]);
  });
});

describe('a change of endpoints', () => {
  it('compiles no routes again, and leaves other services the same objects', () => {
    const yaml = `${versions}---${routes('[{ match: [{ uri: { prefix: /a } }], route: [{ destination: { host: payments, subset: v1 } }] }]')}`;
    const resources = resourcesOf(yaml);
    const before = meshOf([...shop(), workload({ name: 'orders' })], '', { resources });
    const old = configOf(before, 'web');
    const after = meshOf(
      [...shop(), workload({ name: 'orders' }), workload({ name: 'payments-v3', service: 'payments', version: 'v3' })],
      '',
      { resources, revision: 2 },
    );
    continueFrom(before, after);
    const now = configOf(after, 'web');
    expect(serviceIn(now, 'payments.shop')).not.toBe(serviceIn(old, 'payments.shop'));
    expect(serviceIn(now, 'payments.shop').routes).toBe(serviceIn(old, 'payments.shop').routes);
    expect(serviceIn(now, 'orders.shop')).toBe(serviceIn(old, 'orders.shop'));
    const same = meshOf([...shop(), workload({ name: 'orders' })], '', { resources, revision: 3 });
    continueFrom(before, same);
    expect(configOf(same, 'web').services).toBe(old.services);
  });
});
