import { describe, expect, it } from 'vitest';
import { amplificationFindings, worstAmplification } from '../../../core/snapshot/checks/retry-amplification.ts';
import { meshOf, routes, shop, versions, workload } from './mesh-of.ts';

const resource = (kind: string, spec: string, name = 'x', namespace = 'shop', api = 'networking.istio.io/v1') =>
  `\napiVersion: ${api}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { ${spec} }\n`;
const findings = (...yaml: string[]) =>
  meshOf(shop(), yaml.join('---')).findings.map(({ code, severity, message }) => ({ code, severity, message }));
const codes = (...yaml: string[]) => findings(...yaml).map(({ code }) => code);
const to = 'route: [{ destination: { host: payments } }]';
const rule = (more: string) => routes(`[{ ${more} }]`);
const dr = (spec: string, name = 'x', namespace = 'shop') => resource('DestinationRule', spec, name, namespace);
const gateway = resource(
  'Gateway',
  'servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]',
  'gw',
);
const strict = resource('PeerAuthentication', 'mtls: { mode: STRICT }', 'p', 'shop', 'security.istio.io/v1');
const disable = strict.replace('STRICT', 'DISABLE');

describe('resources against each other', () => {
  it('have nothing to say about a mesh that fits together', () => {
    expect(
      findings(
        versions,
        rule(
          'timeout: 10s, retries: { attempts: 3, perTryTimeout: 2s }, route: [{ destination: { host: payments, subset: v1 } }]',
        ),
      ),
    ).toEqual([]);
  });

  it.each<[string, string, readonly string[]]>([
    [
      'a gateway that is not there',
      'UNKNOWN_GATEWAY',
      [resource('VirtualService', `hosts: [payments], gateways: [gw, mesh], http: [{ ${to} }]`)],
    ],
    [
      'a gateway of another namespace',
      'UNKNOWN_GATEWAY',
      [gateway, resource('VirtualService', `hosts: [payments], gateways: [far/gw, mesh], http: [{ ${to} }]`)],
    ],
    ['a delegate that is not there', 'UNKNOWN_DELEGATE', [rule('delegate: { name: d }')]],
    ['a destination that is not there', 'UNKNOWN_HOST', [rule('route: [{ destination: { host: nowhere } }]')]],
    ['a mirror that is not there', 'UNKNOWN_HOST', [rule(`${to}, mirror: { host: nowhere }`)]],
    [
      'a TCP destination that is not there',
      'UNKNOWN_HOST',
      [resource('VirtualService', 'hosts: [payments], tcp: [{ route: [{ destination: { host: nowhere } }] }]')],
    ],
    [
      'a subset that nobody defines',
      'UNKNOWN_SUBSET',
      [rule('route: [{ destination: { host: payments, subset: v9 } }]')],
    ],
    [
      'a port that is not there',
      'UNKNOWN_PORT',
      [rule('route: [{ destination: { host: payments, port: { number: 81 } } }]')],
    ],
    [
      'a time per try as long as the whole',
      'TIMEOUT_BELOW_RETRIES',
      [rule(`timeout: 2s, retries: { attempts: 2, perTryTimeout: 2s }, ${to}`)],
    ],
    [
      'tries that do not fit into the timeout',
      'TIMEOUT_BELOW_RETRIES',
      [rule(`timeout: 5s, retries: { attempts: 3, perTryTimeout: 2s }, ${to}`)],
    ],
    ['a rule for a host that is not there', 'UNKNOWN_HOST', [dr('host: nowhere')]],
    [
      'a subset that selects nothing',
      'EMPTY_SUBSET',
      [dr('host: payments, subsets: [{ name: v9, labels: { version: v9 } }]')],
    ],
    [
      'a subset defined twice',
      'DUPLICATE_SUBSET',
      [versions, dr('host: payments.shop.svc.cluster.local, subsets: [{ name: v1, labels: { version: v1 } }]')],
    ],
    [
      'two traffic policies of one host',
      'CONFLICTING_HOST',
      [
        dr('host: payments, trafficPolicy: { loadBalancer: { simple: RANDOM } }', 'a'),
        dr('host: payments, trafficPolicy: { loadBalancer: { simple: RANDOM } }', 'b'),
      ],
    ],
    [
      'plaintext to a STRICT service',
      'MTLS_CONFLICT',
      [strict, dr('host: payments, trafficPolicy: { tls: { mode: DISABLE } }')],
    ],
    [
      'mutual TLS to a service that refuses it',
      'MTLS_CONFLICT',
      [disable, dr('host: payments, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }')],
    ],
    [
      'two Sidecars for one namespace',
      'MULTIPLE_SIDECARS',
      [
        resource('Sidecar', 'egress: [{ hosts: ["./*"] }]', 'a'),
        resource('Sidecar', 'egress: [{ hosts: ["./*"] }]', 'b'),
      ],
    ],
    [
      'a backend that is not there',
      'UNKNOWN_HOST',
      [
        resource(
          'HTTPRoute',
          'parentRefs: [{ group: "", kind: Service, name: payments }], rules: [{ backendRefs: [{ name: nowhere, port: 80 }] }]',
          'r',
          'shop',
          'gateway.networking.k8s.io/v1',
        ),
      ],
    ],
    [
      'a backend of another namespace without a grant',
      'REFERENCE_NOT_GRANTED',
      [
        resource(
          'HTTPRoute',
          'rules: [{ backendRefs: [{ name: payments, namespace: shop, port: 80 }] }]',
          'r',
          'far',
          'gateway.networking.k8s.io/v1',
        ),
      ],
    ],
    [
      'a port whose name says another protocol',
      'PORT_PROTOCOL',
      [
        resource(
          'ServiceEntry',
          'hosts: [a.com], resolution: DNS, ports: [{ number: 1, name: http-a, protocol: TCP }]',
        ),
      ],
    ],
  ])('are warned of: %s', (_what, code, yaml) => {
    expect(findings(...yaml)).toContainEqual({ code, severity: 'warning', message: expect.any(String) });
  });

  const security = 'security.istio.io/v1';
  const front = (name: string, hosts: string) =>
    resource(
      'Gateway',
      `selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ${hosts} }]`,
      name,
    );
  it.each<[string, string, readonly string[]]>([
    [
      'a policy that selects nobody',
      'UNUSED_POLICY',
      [
        resource(
          'PeerAuthentication',
          'selector: { matchLabels: { app: pay } }, mtls: { mode: STRICT }',
          'p',
          'shop',
          security,
        ),
      ],
    ],
    [
      'a policy of all namespaces that selects nobody',
      'UNUSED_POLICY',
      [resource('AuthorizationPolicy', 'selector: { matchLabels: { app: pay } }', 'p', 'istio-system', security)],
    ],
    [
      'a Sidecar that selects nobody',
      'UNUSED_POLICY',
      [resource('Sidecar', 'workloadSelector: { labels: { app: pay } }, egress: [{ hosts: ["./*"] }]')],
    ],
    [
      'a rule for callers that there are not',
      'UNUSED_POLICY',
      [dr('host: payments, workloadSelector: { matchLabels: { app: cron } }')],
    ],
    [
      'a rule where no caller looks',
      'UNUSED_POLICY',
      [dr('host: payments.shop.svc.cluster.local, trafficPolicy: { loadBalancer: { simple: RANDOM } }', 'x', 'far')],
    ],
    [
      'two Sidecars that select one workload',
      'MULTIPLE_SIDECARS',
      ['a', 'b'].map((name) =>
        resource('Sidecar', 'workloadSelector: { labels: { app: web } }, egress: [{ hosts: ["./*"] }]', name),
      ),
    ],
    [
      'a Sidecar of the root namespace that selects',
      'SCOPE_IGNORED',
      [
        resource(
          'Sidecar',
          'workloadSelector: { labels: { app: web } }, egress: [{ hosts: ["./*"] }]',
          's',
          'istio-system',
        ),
      ],
    ],
    [
      'a Sidecar that lets a host through which nobody serves',
      'UNKNOWN_HOST',
      [resource('Sidecar', 'egress: [{ hosts: ["shop/nowhere.shop.svc.cluster.local"] }]')],
    ],
    [
      'two Gateways for one host and port',
      'CONFLICTING_GATEWAY',
      [front('a', '[a.com, b.com]'), front('b', '[b.com]')],
    ],
  ])('are warned of: %s', (_what, code, yaml) => {
    expect(findings(...yaml)).toContainEqual({ code, severity: 'warning', message: expect.any(String) });
  });

  it('say nothing of selectors, exports and gateways that fit', () => {
    expect(
      codes(
        versions,
        resource(
          'PeerAuthentication',
          'selector: { matchLabels: { app: payments } }, mtls: { mode: PERMISSIVE }',
          'p',
          'shop',
          security,
        ),
        resource('AuthorizationPolicy', 'selector: { matchLabels: { app: web } }', 'a', 'istio-system', security),
        resource(
          'Sidecar',
          'workloadSelector: { labels: { app: web } }, egress: [{ hosts: ["./*", "shop/payments.shop.svc.cluster.local"] }]',
        ),
        front('a', '[a.com]'),
        front('b', '[b.com]'),
      ),
    ).toEqual([]);
  });

  it('are silent about namespaces of which nothing runs here', () => {
    const policy = resource('PeerAuthentication', 'selector: { matchLabels: { app: x } }', 'p', 'elsewhere', security);
    expect(codes(policy)).toEqual([]);
  });

  it('let a rule for some callers stand beside the one for all', () => {
    const pool = 'host: payments, trafficPolicy: { loadBalancer: { simple: RANDOM } }';
    expect(codes(dr(pool, 'a'), dr(`${pool}, workloadSelector: { matchLabels: { app: web } }`, 'b'))).toEqual([]);
  });

  it('note exports to namespaces that are not here', () => {
    const exported = (to: string) => findings(dr(`host: payments, exportTo: ${to}`));
    expect(exported('["*"]')).toEqual([]);
    expect(exported('[shpo]')).toEqual([
      { code: 'UNKNOWN_NAMESPACE', severity: 'info', message: expect.stringContaining('"shpo"') },
    ]);
  });

  it('ask for the port where a gateway leads to a service with several', () => {
    const ports = [8_080, 9_090].map((port) => ({ port, protocol: 'http' as const, publishedPort: null }));
    const two = workload({ name: 'two', ports });
    const bound = (port: string) =>
      `${front('gw', '["*"]')}---${resource('VirtualService', `hosts: [two.shop.svc.cluster.local], gateways: [gw], http: [{ route: [{ destination: { host: two${port} } }] }]`)}`;
    const found = (yaml: string) => meshOf([...shop(), two], yaml).findings.map(({ code }) => code);
    expect(found(bound(''))).toContain('PORT_REQUIRED');
    expect(found(bound(', port: { number: 8080 }'))).not.toContain('PORT_REQUIRED');
  });

  it('of two VirtualServices for one host say which counts', () => {
    expect(codes(rule(to), routes(`[{ ${to} }]`, 'other'))).toContain('CONFLICTING_HOST');
  });

  it('let ServiceEntries be destinations', () => {
    const entry = resource(
      'ServiceEntry',
      'hosts: [api.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }]',
    );
    expect(codes(entry, rule('route: [{ destination: { host: api.example.com } }]'))).toEqual([]);
  });

  it('know rules for another protocol than the service speaks', () => {
    const db = workload({ name: 'db', ports: [{ port: 5_432, protocol: 'tcp', publishedPort: null }] });
    const yaml = routes('[{ route: [{ destination: { host: db } }] }]', 'db', 'shop', '[db]');
    expect(meshOf([...shop(), db], yaml).findings.map(({ code }) => code)).toEqual(['PORT_PROTOCOL']);
  });
});

describe('retries along calls', () => {
  const call = (from: string, target: string, attempts: number) => ({ from, to: target, attempts });
  it('multiply', () => {
    const calls = [call('web', 'orders', 2), call('orders', 'payments', 3), call('web', 'payments', 2)];
    expect(worstAmplification(calls)).toMatchObject({ path: ['web', 'orders', 'payments'], factor: 12 });
    expect(amplificationFindings(calls)).toMatchObject([
      { code: 'RETRY_AMPLIFICATION', message: expect.stringContaining('web -> orders -> payments') },
    ]);
  });

  it('are said of the rule of the last call that is repeated, and end where there are too many paths', () => {
    const calls = [
      { ...call('web', 'orders', 2), rule: 'VirtualService shop/orders' },
      { ...call('orders', 'payments', 3), rule: 'VirtualService shop/payments' },
      { ...call('payments', 'db', 0), rule: null },
    ];
    expect(amplificationFindings(calls)[0]?.message).toMatch(/^VirtualService shop\/payments: retries multiply/);
    const names = Array.from({ length: 12 }, (_, index) => `s${index}`);
    const everybody = names.flatMap((from) => names.map((target) => call(from, target, 1)));
    expect(worstAmplification(everybody)?.factor).toBeGreaterThan(100);
  });

  it('are nothing to speak of when few, and loops end', () => {
    expect(amplificationFindings([call('a', 'b', 2), call('b', 'a', 2)])).toEqual([]);
    expect(worstAmplification([call('a', 'b', 0)])).toBeNull();
  });
});
