/** What destination rules say of connections, TLS and places, as a sidecar is told. */
import { describe, expect, it } from 'vitest';
import { keptFields } from '../../../core/model/kept-fields.ts';
import type { ClusterPolicy } from '../../../core/model/traffic-config.ts';
import { policyOf } from '../../../core/model/traffic-config.ts';
import { filesNeeded } from '../../../core/snapshot/policies/upstream-tls.ts';
import { configOf, meshOf, resourcesOf, serviceIn, shop, workload } from './mesh-of.ts';

const rule = (spec: string, host = 'payments') =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: x, namespace: shop }\nspec: { host: ${host}, ${spec} }\n`;
const web = (yaml: string, workloads = shop()) => configOf(meshOf(workloads, yaml), 'web');
const payments = (yaml: string) => serviceIn(web(yaml), 'payments.shop');
const policyFor = (spec: string, subset: string | null = null, port = 8_080) =>
  policyOf(payments(rule(spec)).policies ?? [], subset, port);
const own = (policy: string) => policyFor(`trafficPolicy: { ${policy} }`);

describe('a connection pool', () => {
  it.each<[string, ClusterPolicy]>([
    ['tcp: { connectTimeout: 250ms }', { connectTimeoutMs: 250 }],
    ['tcp: { idleTimeout: 5s }', { idleTimeoutMs: 5_000, tcpIdleTimeoutMs: 5_000 }],
    ['tcp: { idleTimeout: 0s }', { idleTimeoutMs: 0, tcpIdleTimeoutMs: 0 }],
    ['tcp: { idleTimeout: 5s }, http: { idleTimeout: 9s }', { idleTimeoutMs: 9_000, tcpIdleTimeoutMs: 5_000 }],
    ['tcp: { maxConnectionDuration: 1m }', { maxConnectionDurationMs: 60_000 }],
    [
      'tcp: { tcpKeepalive: { time: 10s, interval: 5s, probes: 3 } }',
      { tcpKeepAlive: { timeMs: 10_000, intervalMs: 5_000, probes: 3 } },
    ],
    ['tcp: { tcpKeepalive: {} }', { tcpKeepAlive: {} }],
    ['http: { maxRequestsPerConnection: 1 }', { maxRequestsPerConnection: 1 }],
    ['http: { maxRequestsPerConnection: 0 }', {}],
    ['http: { maxConcurrentStreams: 7 }', { maxConcurrentStreams: 7 }],
    ['http: { h2UpgradePolicy: UPGRADE }', { httpVersion: 'http/2' }],
    ['http: { h2UpgradePolicy: DO_NOT_UPGRADE }', {}],
    ['http: { useClientProtocol: true }', { httpVersion: 'client' }],
    [
      'http: { http2KeepAlive: { interval: 3s, timeout: 1s } }',
      { http2KeepAlive: { intervalMs: 3_000, timeoutMs: 1_000 } },
    ],
  ])('%s', (pool, expected) => {
    expect(own(`connectionPool: { ${pool} }`)).toEqual(expected);
  });
});

describe('TLS of callers', () => {
  it.each<[string, ClusterPolicy]>([
    ['mode: SIMPLE', { tls: { names: 'host' } }],
    ['mode: SIMPLE, sni: api.example.com', { tls: { sni: 'api.example.com', names: 'any' } }],
    [
      'mode: SIMPLE, sni: a.example.com, subjectAltNames: [b.example.com], caCertificates: /etc/certs/ca.pem',
      { tls: { sni: 'a.example.com', names: ['b.example.com'], caFile: '/etc/certs/ca.pem' } },
    ],
    ['mode: SIMPLE, insecureSkipVerify: true', { tls: { names: 'host', insecure: true } }],
    [
      'mode: MUTUAL, clientCertificate: c.pem, privateKey: k.pem, caCertificates: ca.pem, caCrl: ca.crl',
      { tls: { names: 'host', certificateFile: 'c.pem', keyFile: 'k.pem', caFile: 'ca.pem', crlFile: 'ca.crl' } },
    ],
    [
      'mode: MUTUAL, credentialName: client',
      {
        tls: {
          names: 'host',
          caFile: 'secrets/client.ca.crt',
          crlFile: 'secrets/client.crl',
          certificateFile: 'secrets/client.crt',
          keyFile: 'secrets/client.key',
          optionalFiles: true,
        },
      },
    ],
    ['mode: ISTIO_MUTUAL', {}],
    ['mode: DISABLE', { plaintext: true }],
  ])('%s', (tls, expected) => {
    expect(own(`tls: { ${tls} }`)).toEqual(expected);
  });

  it('is of a subset or a port alone where it stands there', () => {
    const spec = `trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls: { mode: SIMPLE } }] },
      subsets: [{ name: v1, trafficPolicy: { tls: { mode: SIMPLE, sni: v1.example.com } } }]`;
    expect(policyFor(spec)).toEqual({});
    expect(policyFor(spec, null, 443)).toEqual({ tls: { names: 'host' } });
    expect(policyFor(spec, 'v1')).toEqual({ tls: { sni: 'v1.example.com', names: 'any' } });
  });

  it('names files, and has nothing of what is in them', () => {
    const config = web(rule('trafficPolicy: { tls: { mode: MUTUAL, clientCertificate: c, privateKey: k } }'));
    expect(filesNeeded(config)).toEqual(['c', 'k']);
    expect(config.files).toBeUndefined();
  });
});

describe('the egress TLS origination example of Istio', () => {
  const example = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: edition-cnn-com, namespace: shop }
spec:
  hosts: [edition.cnn.com]
  ports:
  - { number: 80, name: http-port, protocol: HTTP, targetPort: 443 }
  - { number: 443, name: https-port, protocol: HTTPS }
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: edition-cnn-com, namespace: shop }
spec:
  host: edition.cnn.com
  trafficPolicy:
    portLevelSettings:
    - port: { number: 80 }
      tls: { mode: SIMPLE }
`;
  it('leads HTTP at port 80 to TLS at 443, and leaves 443 to the application', () => {
    const service = serviceIn(web(example), 'edition.cnn.com');
    expect(service.endpoints[0]?.ports).toEqual([{ port: 80, targetPort: 443 }]);
    expect(policyOf(service.policies ?? [], null, 80)).toEqual({ tls: { names: 'host' } });
    expect(policyOf(service.policies ?? [], null, 443)).toEqual({});
  });
});

describe('the names of a ServiceEntry', () => {
  const entry = (tls: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec:
  hosts: [api.example.com]
  ports: [{ number: 443, name: http, protocol: HTTP }]
  resolution: DNS
  subjectAltNames: [one.example.com, two.example.com]
---
${rule(`trafficPolicy: { tls: { ${tls} } }, subsets: [{ name: v1, trafficPolicy: { tls: { mode: SIMPLE, sni: v1 } } }]`, 'api.example.com')}`;
  const both = ['one.example.com', 'two.example.com'];
  const policiesOf = (yaml: string) => serviceIn(web(yaml), 'api.example.com').policies ?? [];

  it.each<[string, ClusterPolicy]>([
    ['mode: SIMPLE', { tls: { names: both, andHost: true } }],
    ['mode: SIMPLE, sni: a', { tls: { sni: 'a', names: both } }],
    ['mode: SIMPLE, subjectAltNames: [own]', { tls: { names: ['own'] } }],
    ['mode: ISTIO_MUTUAL', {}],
  ])('stand in where the rule lists none: %s', (tls, expected) => {
    const policies = policiesOf(entry(tls));
    expect(policyOf(policies, null, 443)).toEqual(expected);
    expect(policyOf(policies, 'v1', 443)).toEqual({ tls: { sni: 'v1', names: both } });
  });

  it('are applied', () => {
    expect(resourcesOf(entry('mode: SIMPLE')).flatMap(keptFields)).toEqual([]);
  });
});

describe('ahead of connections', () => {
  it.each<[string, ClusterPolicy]>([
    ['proxyProtocol: { version: V1 }', { proxyProtocol: 'v1' }],
    ['proxyProtocol: { version: V2 }', { proxyProtocol: 'v2' }],
    ['proxyProtocol: {}', { proxyProtocol: 'v1' }],
    [
      'tunnel: { protocol: CONNECT, targetHost: db.example.com, targetPort: 5432 }',
      { tunnel: { host: 'db.example.com', port: 5_432 } },
    ],
    ['tunnel: { protocol: POST, targetHost: db.example.com, targetPort: 5432 }', {}],
  ])('%s', (policy, expected) => {
    expect(own(policy)).toEqual(expected);
  });

  it('only a tunnel by POST is kept and not applied', () => {
    const kept = (policy: string) => resourcesOf(rule(`trafficPolicy: { ${policy} }`)).flatMap(keptFields);
    expect(kept('tunnel: { protocol: POST, targetHost: a, targetPort: 1 }')).toEqual([
      ['spec', 'trafficPolicy', 'tunnel', 'protocol'],
    ]);
    expect(kept('tunnel: { targetHost: a, targetPort: 1 }, connectionPool: { tcp: { connectTimeout: 1s } }')).toEqual(
      [],
    );
  });
});

describe('places', () => {
  const at = (name: string, place: string, version: string | null = null) =>
    workload({
      name,
      version,
      service: name.startsWith('pay') ? 'payments' : name,
      labels: {
        'topology.kubernetes.io/region': place.split('/')[0] ?? '',
        'topology.kubernetes.io/zone': place.split('/')[1] ?? '',
      },
      addresses: [{ network: 'shop', ip: `10.0.1.${name.length}`, aliases: [] }],
    });
  const workloads = [
    at('web', 'eu/a'),
    at('pay-near', 'eu/a', 'v1'),
    at('pay-far-v1', 'us/a', 'v1'),
    at('pay-far-v2-x', 'us/b', 'v2'),
  ];
  const subsets = 'subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]';

  it('are ordered for each subset by itself', () => {
    const service = serviceIn(
      web(rule(`trafficPolicy: { outlierDetection: {} }, ${subsets}`), workloads),
      'payments.shop',
    );
    const order = (shares: typeof service.shares) =>
      shares?.map(({ endpoint, priority }) => `${priority} ${endpoint}`).sort();
    expect(order(service.shares)).toEqual(['0 pay-near', '1 pay-far-v1', '1 pay-far-v2-x']);
    const entry = (name: string) => service.policies?.find(({ subset }) => subset === name);
    expect(order(entry('v1')?.shares)).toEqual(['0 pay-near', '1 pay-far-v1']);
    // Its only endpoint comes first, wherever it is.
    expect(entry('v2')?.shares).toEqual([]);
    expect(entry('v2')?.policy).toEqual(service.policies?.[0]?.policy);
  });

  it.each<[string, string[] | undefined]>([
    ['{}', ['0 pay-a', '0 pay-b', '1 pay-far']],
    ['{ failover: [{ from: eu, to: us }] }', ['0 pay-a', '0 pay-b', '1 pay-far']],
    ['{ failoverPriority: [version] }', ['0 pay-b', '1 pay-far', '2 pay-a']],
    ['{ enabled: false }', undefined],
  ])('go by region alone with zoneAwareLbSetting %s, outlier detection or not', (setting, expected) => {
    const places = [
      { ...at('web', 'eu/a', 'v1') },
      at('pay-a', 'eu/a', 'v2'),
      at('pay-b', 'eu/b', 'v1'),
      at('pay-far', 'us/a', 'v1'),
    ];
    const mesh = (more: string) =>
      serviceIn(
        web(rule(`trafficPolicy: { loadBalancer: { zoneAwareLbSetting: ${setting} }${more} }`), places),
        'payments.shop',
      ).shares?.map(({ endpoint, priority }) => `${priority} ${endpoint}`);
    expect(mesh('')?.sort()).toEqual(expected);
    expect(mesh(', outlierDetection: {}')?.sort()).toEqual(expected);
  });

  it('of the mesh’s settings need no destination rule', () => {
    const yaml = `apiVersion: meshdesk.dev/v1alpha1\nkind: MeshSettings\nmetadata: { name: m }\nspec: { localityLbSetting: { distribute: [{ from: "eu/*", to: { "us/*": 100 } }] } }\n`;
    const service = serviceIn(web(yaml, workloads), 'payments.shop');
    expect(service.shares?.map(({ endpoint, weight }) => [endpoint, weight])).toEqual([
      ['pay-far-v1', 1],
      ['pay-far-v2-x', 1],
      ['pay-near', 0],
    ]);
    expect(service.policies).toEqual([{ subset: null, port: null, policy: {} }]);
  });
});

describe('health checks', () => {
  const settings = (spec: string) =>
    web(
      `apiVersion: meshdesk.dev/v1alpha1\nkind: MeshSettings\nmetadata: { name: m }\nspec: { healthCheck: { ${spec} } }\n`,
    );
  const usual = { intervalMs: 5_000, jitterPercent: 10, timeoutMs: 1_000, unhealthyThreshold: 3, healthyThreshold: 2 };

  it.each([
    ['', { kind: 'tcp', path: '/', service: '', port: null, ...usual }],
    ['path: /healthz, port: 9000', { kind: 'http', path: '/healthz', service: '', port: 9_000, ...usual }],
    [
      'grpc: { service: a.B }, interval: 1s',
      { kind: 'grpc', path: '/', service: 'a.B', port: null, ...usual, intervalMs: 1_000 },
    ],
  ])('with {%s}', (spec, expected) => {
    const config = settings(spec);
    expect(config.healthCheck).toEqual(expected);
    // So that sidecars keep state of endpoints that no rule is about.
    expect(serviceIn(config, 'payments.shop').policies).toEqual([{ subset: null, port: null, policy: {} }]);
  });

  it('are none by default', () => {
    expect(web('').healthCheck).toBeUndefined();
    expect(serviceIn(web(''), 'payments.shop').policies).toBeUndefined();
  });
});

describe('limits in front of an application', () => {
  const pool = (max: number) => `{ tcp: { maxConnections: ${max} }, http: { h2UpgradePolicy: UPGRADE } }`;
  const sidecar = (spec: string) =>
    `---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: own, namespace: shop }\nspec: { ${spec} }\n`;
  const poolOf = (yaml: string) => configOf(meshOf(shop(), yaml), 'payments').inbound.ports[0]?.pool;
  const ruled = rule(
    `trafficPolicy: { connectionPool: ${pool(1)}, outlierDetection: {}, loadBalancer: { simple: RANDOM } }`,
  );

  it('are those of the DestinationRule for the service, but for what callers do', () => {
    expect(poolOf(ruled)).toEqual({ maxConnections: 1 });
    const byPort = `trafficPolicy: { portLevelSettings: [{ port: { number: 8080 }, connectionPool: ${pool(2)} }] }`;
    expect(poolOf(rule(byPort))).toEqual({ maxConnections: 2 });
    expect(poolOf(rule('trafficPolicy: { outlierDetection: {} }'))).toBeUndefined();
    expect(configOf(meshOf(shop(), ruled), 'web').inbound.ports[0]?.pool).toBeUndefined();
  });

  it('are not those of a rule that selects callers', () => {
    const selecting = `workloadSelector: { matchLabels: { app: web } }, trafficPolicy: { connectionPool: ${pool(1)} }`;
    expect(poolOf(rule(selecting))).toBeUndefined();
  });

  it('are the Sidecar’s where it has some, those of the port first', () => {
    const whole = `inboundConnectionPool: ${pool(3)}`;
    const ofPort = `ingress: [{ port: { number: 8080, protocol: HTTP, name: http }, connectionPool: ${pool(4)} }]`;
    expect(poolOf(ruled + sidecar(whole))).toEqual({ maxConnections: 3 });
    expect(poolOf(ruled + sidecar(ofPort))).toEqual({ maxConnections: 4 });
    expect(poolOf(sidecar(`${whole}, ${ofPort}`))).toEqual({ maxConnections: 4 });
    expect(resourcesOf(sidecar(`${whole}, ${ofPort}`)).flatMap(keptFields)).toEqual([]);
  });
});
