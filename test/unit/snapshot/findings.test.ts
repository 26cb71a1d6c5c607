import { describe, expect, it } from 'vitest';
import { amplificationFindings, worstAmplification } from '../../../core/snapshot/retry-amplification.ts';
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
    expect(worstAmplification(calls)).toEqual({ path: ['web', 'orders', 'payments'], factor: 12 });
    expect(amplificationFindings(calls)).toMatchObject([
      { code: 'RETRY_AMPLIFICATION', message: expect.stringContaining('web -> orders -> payments') },
    ]);
  });

  it('are nothing to speak of when few, and loops end', () => {
    expect(amplificationFindings([call('a', 'b', 2), call('b', 'a', 2)])).toEqual([]);
    expect(worstAmplification([call('a', 'b', 0)])).toBeNull();
  });
});
