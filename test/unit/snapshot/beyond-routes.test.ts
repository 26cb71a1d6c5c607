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

describe('a Sidecar', () => {
  const sidecar = (spec: string, namespace = 'shop') => resource('Sidecar', spec, undefined, 'x', namespace);
  const keys = (yaml: string) => web(yaml, [...shop(), workload({ name: 'orders' })]).services.map(({ key }) => key);

  it.each([
    ['egress: [{ hosts: ["./*"] }]', ['orders.shop', 'payments.shop', 'web.shop']],
    ['egress: [{ hosts: ["./payments.shop.svc.cluster.local"] }]', ['payments.shop']],
    ['egress: [{ hosts: ["*/orders.shop.svc.cluster.local"] }]', ['orders.shop']],
    ['egress: [{ hosts: ["other/*"] }]', []],
    ['egress: [{ hosts: ["~/*"] }]', []],
    ['egress: [{ hosts: ["~/*", "./*"] }]', []],
    ['egress: [{ hosts: ["*/*", "~shop/orders.shop.svc.cluster.local"] }]', ['payments.shop', 'web.shop']],
    ['egress: [{ hosts: ["./*", "~./web.shop.svc.cluster.local"] }]', ['orders.shop', 'payments.shop']],
    [
      'workloadSelector: { labels: { app: orders } }, egress: [{ hosts: ["~/*"] }]',
      ['orders.shop', 'payments.shop', 'web.shop'],
    ],
    ['workloadSelector: { labels: { app: web } }, egress: [{ hosts: ["~/*"] }]', []],
  ])('with %s lets web see %j', (spec, expected) => {
    expect(keys(sidecar(spec))).toEqual(expected);
  });

  describe('with listeners for ports', () => {
    const ports = [
      { port: 8080, protocol: 'auto' as const, publishedPort: null },
      { port: 9090, protocol: 'http' as const, publishedPort: null },
      { port: 5432, protocol: 'tcp' as const, publishedPort: null },
    ];
    const mesh = [workload({ name: 'web' }), workload({ name: 'orders', ports }), workload({ name: 'pay', ports: [] })];
    const seen = (egress: string) =>
      Object.fromEntries(
        web(sidecar(`egress: [${egress}]`), mesh).services.map(({ name, ports: own, portsOnly }) => [
          name,
          `${own.map(({ port }) => port).join(' ')}${portsOnly ? ' only' : ''}`,
        ]),
      );
    const at = (port: number, hosts: string, protocol = 'HTTP') =>
      `{ port: { number: ${port}, protocol: ${protocol}, name: p${port} }, hosts: [${hosts}] }`;

    it('shows services at those alone, and none that has not that port', () => {
      expect(seen(at(8080, '"./*"'))).toEqual({ web: '8080 only', orders: '8080 only', pay: '8080 only' });
      expect(seen(at(9090, '"./*"'))).toEqual({ orders: '9090 only', pay: '9090 only' });
      expect(seen(at(80, '"./orders.shop.svc.cluster.local"'))).toEqual({});
    });

    it('leaves to the listener for all others what is not taken, and TCP', () => {
      const both = `${at(9090, '"./web.shop.svc.cluster.local"')}, { hosts: ["./*"] }`;
      expect(seen(both)).toEqual({ web: '8080', orders: '5432 8080 only', pay: '' });
      const same = `${at(9090, '"./orders.shop.svc.cluster.local"')}, { hosts: ["./*"] }`;
      expect(seen(same)).toEqual({ web: '8080', orders: '5432 8080 9090', pay: '' });
    });

    it('takes an HTTP proxy for every port', () => {
      expect(seen(at(3128, '"./orders.shop.svc.cluster.local"', 'HTTP_PROXY'))).toEqual({ orders: '5432 8080 9090' });
    });

    it('has hosts of ServiceEntries so too', () => {
      const entry = resource(
        'ServiceEntry',
        'hosts: [api.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }, { number: 443, name: tls, protocol: TLS }]',
      );
      const config = web(`${entry}---${sidecar(`egress: [${at(80, '"./api.example.com"')}]`)}`, mesh);
      expect(config.services).toMatchObject([
        { key: 'api.example.com', ports: [{ port: 80, protocol: 'http' }], portsOnly: true },
      ]);
    });
  });

  it('of the root namespace is for all without one of their own', () => {
    const root = sidecar('egress: [{ hosts: ["~/*"] }]', 'istio-system');
    expect(keys(root)).toEqual([]);
    expect(keys(`${root}---${sidecar('egress: [{ hosts: ["./*"] }]')}`)).toHaveLength(3);
  });

  it.each([
    ['outboundTrafficPolicy: { mode: REGISTRY_ONLY }', 'registry-only'],
    ['outboundTrafficPolicy: { mode: ALLOW_ANY }', undefined],
    ['outboundTrafficPolicy: {}', 'registry-only'],
    ['egress: [{ hosts: ["./*"] }]', undefined],
  ])('with %s makes unknown hosts %s', (spec, expected) => {
    expect(web(sidecar(spec)).outbound).toBe(expected);
  });

  it('says where the application listens for a port', () => {
    const ports = `ingress: [
      { port: { number: 9080, protocol: HTTP, name: http }, defaultEndpoint: "127.0.0.1:8080" },
      { port: { number: 9081, protocol: TCP, name: tcp }, defaultEndpoint: "0.0.0.0:7000" },
      { port: { number: 9082, protocol: TCP, name: tcp }, defaultEndpoint: "[::1]:7001" },
      { port: { number: 9083, protocol: TCP, name: tcp }, defaultEndpoint: "unix:///run/x" } ]`.replaceAll('\n', ' ');
    expect(web(sidecar(ports)).inbound.ports.filter(({ target }) => target !== undefined)).toEqual([
      { port: 9080, protocol: 'http', mtls: 'PERMISSIVE', target: { host: '127.0.0.1', port: 8080 } },
      { port: 9081, protocol: 'tcp', mtls: 'PERMISSIVE', target: { host: null, port: 7000 } },
      { port: 9082, protocol: 'tcp', mtls: 'PERMISSIVE', target: { host: '::1', port: 7001 } },
    ]);
  });

  it('names the service that gets what nobody declared', () => {
    const proxy =
      'outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: egress.shop.svc.cluster.local, port: { number: 443 } } }';
    expect(web(sidecar(proxy)).egressProxy).toEqual({ service: 'egress.shop', subset: null, port: 443 });
  });

  it('takes the rest from the settings of the mesh', () => {
    const settings = resource(
      'MeshSettings',
      'outboundTrafficPolicy: { mode: REGISTRY_ONLY }',
      'meshdesk.dev/v1alpha1',
    );
    expect(web(settings).outbound).toBe('registry-only');
    expect(web(`${settings}---${sidecar('outboundTrafficPolicy: { mode: ALLOW_ANY }')}`).outbound).toBeUndefined();
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

describe('injections', () => {
  const active = (spec: string) => {
    const [found] = resourcesOf(resource('FaultInjection', spec, 'meshdesk.dev/v1alpha1', 'f'));
    return { resource: FaultInjection.parse(found), sinceMs: 1_000, expiresAtMs: 61_000 };
  };
  const injections = (spec: string, id = 'web') =>
    configOf(meshOf(shop(), '', { injections: [active(spec)] }), id).injections;

  it.each([
    [
      'delay: { percentage: { value: 10 }, normalDelay: { mean: 100ms, deviation: 10ms } }',
      { kind: 'delay', delay: { kind: 'normal', meanMs: 100, deviationMs: 10 } },
    ],
    [
      'delay: { percentage: { value: 10 }, percentileDelay: { p50: 10ms, p99: 1s } }',
      {
        kind: 'delay',
        delay: {
          kind: 'percentiles',
          points: [
            { percentile: 50, ms: 10 },
            { percentile: 99, ms: 1_000 },
          ],
        },
      },
    ],
    [
      'abort: { percentage: { value: 10 }, grpcStatus: UNAVAILABLE }',
      { kind: 'abort', httpStatus: 200, grpcStatus: 14 },
    ],
    [
      'responseBandwidth: { percentage: { value: 10 }, kibPerSecond: 2 }',
      { kind: 'response-bandwidth', bytesPerSecond: 2_048 },
    ],
    ['truncate: { percentage: { value: 10 }, afterBytes: 5 }', { kind: 'truncate', afterBytes: 5 }],
    ['body: { percentage: { value: 10 }, set: x }', { kind: 'body', set: 'x', replace: [] }],
    [
      'headers: { percentage: { value: 10 }, response: { remove: [X-A] } }',
      { kind: 'headers', request: null, response: { remove: ['x-a'], set: [], add: [] } },
    ],
    [
      'tcp: { latency: { latency: 100ms, jitter: 10ms, stream: upstream, percentage: { value: 10 } } }',
      { kind: 'tcp-latency', stream: 'upstream', latencyMs: 100, jitterMs: 10 },
    ],
    [
      'tcp: { bandwidth: { kbPerSecond: 1, percentage: { value: 10 } } }',
      { kind: 'tcp-bandwidth', stream: 'downstream', bytesPerSecond: 1_000 },
    ],
    [
      'tcp: { slicer: { averageBytes: 10, variationBytes: 2, delay: 50us, percentage: { value: 10 } } }',
      { kind: 'tcp-slicer', averageBytes: 10, variationBytes: 2, delayMs: 0.05 },
    ],
    ['tcp: { refuse: { percentage: { value: 10 } } }', { kind: 'tcp-refuse' }],
    ['dns: { delay: { fixedDelay: 1s, percentage: { value: 10 } } }', { kind: 'dns-delay', delayMs: 1_000 }],
  ])('say %s in numbers', (fault, action) => {
    expect(injections(`from: web, to: payments, fault: { ${fault} }`)).toMatchObject([
      {
        id: 'f',
        service: 'payments.shop',
        percent: 10,
        action,
        trigger: { kind: 'always' },
        sinceMs: 1_000,
        expiresAtMs: 61_000,
      },
    ]);
  });

  it('are for the callers they name, with trigger and schedule', () => {
    const spec =
      'from: web, to: payments, port: 8080, trigger: { every: 3 }, schedule: { on: 10s, off: 50s }, fault: { tcp: { resetPeer: {} } }';
    expect(injections(spec)).toMatchObject([
      {
        port: 8_080,
        percent: 100,
        trigger: { kind: 'every', count: 3 },
        schedule: { startAfterMs: 0, onMs: 10_000, offMs: 50_000 },
      },
    ]);
    expect(injections(spec, 'payments')).toBeUndefined();
  });

  it('of workloads are not for sidecars', () => {
    expect(injections('to: payments, fault: { workload: { kill: {} } }')).toBeUndefined();
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
