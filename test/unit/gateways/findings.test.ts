import { describe, expect, it } from 'vitest';
import { meshOf, shop, workload } from '../snapshot/mesh-of.ts';

const about = (yaml: string, has: readonly string[] = []) =>
  meshOf(shop(), yaml, { hasCredential: (name) => has.includes(name) })
    .findings.filter(({ code }) =>
      [
        'ROUTE_NOT_BOUND',
        'NO_CREDENTIAL',
        'BROKEN_CREDENTIAL',
        'GATEWAY_REACH',
        'NOT_SERVED',
        'PORT_PROTOCOL',
        'REFERENCE_NOT_GRANTED',
        'UNKNOWN_GATEWAY',
      ].includes(code),
    )
    .map(({ code, message }) => `${code} ${message}`);

const istio = (name: string, server: string) => `
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: shop }
spec: { selector: { istio: ingressgateway }, servers: [${server}] }
`;
const api = (listener: string) => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec: { gatewayClassName: istio, listeners: [${listener}] }
`;
const route = (spec: string, namespace = 'shop', kind = 'HTTPRoute') => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: payments, namespace: ${namespace} }
spec: { ${spec}, rules: [{ backendRefs: [{ name: payments, namespace: shop, port: 8080 }] }] }
`;
const http = (more = '') => `{ name: http, port: 80, protocol: HTTP${more} }`;
const tls = (mode: string, name = 'https', number = 443) =>
  `{ port: { number: ${number}, name: ${name}, protocol: HTTPS }, hosts: ["*.example.com"], tls: { mode: ${mode} } }`;

describe('what is said about gateways', () => {
  it.each([
    [
      'a host of another route',
      route('parentRefs: [{ name: edge }], hostnames: [b.example.com]'),
      http(', hostname: a.example.com'),
      'NoMatchingListenerHostname',
    ],
    [
      'another namespace',
      route('parentRefs: [{ name: edge, namespace: shop }]', 'other'),
      http(),
      'NotAllowedByListeners',
    ],
    [
      'another kind',
      route('parentRefs: [{ name: edge }]', 'shop', 'GRPCRoute'),
      http(', allowedRoutes: { kinds: [{ kind: HTTPRoute }] }'),
      'NotAllowedByListeners',
    ],
    ['another section', route('parentRefs: [{ name: edge, sectionName: https }]'), http(), 'NoMatchingParent'],
  ])('names the condition: %s', (_, yaml, listener, reason) => {
    expect(about(api(listener) + yaml)).toContainEqual(
      expect.stringMatching(
        new RegExp(`^ROUTE_NOT_BOUND \\w+Route \\w+/payments: Gateway "edge" does not accept it \\(${reason}\\)`),
      ),
    );
  });

  it('is nothing where routes are taken: namespaces that are let in, any section', () => {
    const all = http(', allowedRoutes: { namespaces: { from: All } }');
    expect(about(api(all) + route('parentRefs: [{ name: edge }]'))).toEqual([]);
    expect(about(api(all) + route('parentRefs: [{ name: nobody }]'))).toEqual([
      'UNKNOWN_GATEWAY HTTPRoute shop/payments: there is no Gateway shop/nobody of the Gateway API',
    ]);
  });

  it('takes routes of namespaces by the labels of their Namespace, and where there is none by the name', () => {
    const namespace = `\n---\napiVersion: v1\nkind: Namespace\nmetadata: { name: other, labels: { team: blue } }\n`;
    const from = (selector: string) =>
      api(http(`, allowedRoutes: { namespaces: { from: Selector, selector: ${selector} } }`)) +
      route('parentRefs: [{ name: edge, namespace: shop }]', 'other');
    const isTaken = (selector: string, more = namespace) =>
      !about(from(selector) + more).some((text) => text.startsWith('ROUTE_NOT_BOUND'));
    const expression = (text: string) => `{ matchExpressions: [{ key: team, ${text} }] }`;
    expect(isTaken('{ matchLabels: { team: blue } }')).toBe(true);
    expect(isTaken('{ matchLabels: { team: red } }')).toBe(false);
    expect(isTaken('{ matchLabels: { team: red } }', '')).toBe(true);
    expect(isTaken('{ matchLabels: { kubernetes.io/metadata.name: shop } }', '')).toBe(false);
    expect(isTaken('{ matchLabels: { kubernetes.io/metadata.name: other } }')).toBe(true);
    expect(isTaken(expression('operator: In, values: [red, blue]'))).toBe(true);
    expect(isTaken(expression('operator: NotIn, values: [blue]'))).toBe(false);
    expect(isTaken(expression('operator: Exists'))).toBe(true);
    expect(isTaken(expression('operator: DoesNotExist'))).toBe(false);
  });

  it('tells which CA of clients is missing', () => {
    const yaml = istio('a', tls('MUTUAL, credentialName: one, caCertCredentialName: configmap://shop/ca'));
    expect(about(yaml, ['shop/one'])).toEqual([
      'NO_CREDENTIAL Gateway shop/a: the project has no ConfigMap shop/ca with ca.crt, so no client can come in',
    ]);
  });

  it('tells which credential is missing, and what happens without', () => {
    const yaml =
      istio('a', tls('SIMPLE, credentialName: one')) + istio('b', tls('MUTUAL, credentialName: two', 'mutual', 8443));
    expect(about(yaml)).toEqual([
      expect.stringContaining('no credential "one", so a certificate of the mesh is shown'),
      expect.stringContaining('no credential "two", so no client can come in'),
    ]);
    expect(about(yaml, ['shop/one', 'shop/two'])).toEqual([]);
  });

  it('tells which credential is broken, and what is shown instead', () => {
    const findings = (has: readonly string[]) =>
      meshOf(shop(), istio('a', tls('SIMPLE, credentialName: one')), {
        hasCredential: (name) => has.includes(name),
        credentialProblem: () => 'cannot be read',
      }).findings.map(({ code, message }) => `${code} ${message}`);
    expect(findings(['shop/one'])).toEqual([
      'BROKEN_CREDENTIAL Gateway shop/a: the credential "one" cannot be read; what was there before is shown',
    ]);
    expect(findings([])).toEqual([
      'BROKEN_CREDENTIAL Gateway shop/a: the credential "one" cannot be read; a certificate of the mesh is shown',
    ]);
  });

  it('tells which workloads a gateway does not reach from where it runs', () => {
    const loopback = { network: 'loopback', ip: '127.0.0.1', aliases: [] };
    const workloads = (addresses: readonly (typeof loopback)[], listeners?: null) => [
      workload({ name: 'web' }),
      workload({ name: 'worker', runtime: 'process', addresses: [loopback] }),
      workload({
        ...{ name: 'edge-istio', id: 'gateway:shop/edge-istio', runtime: 'gateway', addresses: [...addresses] },
        ...(listeners === undefined ? {} : { listeners }),
      }),
    ];
    const to = (name: string) => `{ backendRefs: [{ name: ${name}, port: 8080 }] }`;
    const yaml = `${api(http())}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: all, namespace: shop }
spec: { parentRefs: [{ name: edge }], rules: [${to('web')}, ${to('worker')}] }
`;
    const said = (given: ReturnType<typeof workloads>) =>
      meshOf(given, yaml).findings.flatMap(({ code, message }) => (code === 'GATEWAY_REACH' ? [message] : []));
    const network = { network: 'shop', ip: '10.0.0.9', aliases: [] };
    expect(said(workloads([network]))).toEqual([
      'The gateway edge-istio runs as a container and does not reach the host process worker: requests for it alone are answered 503',
    ]);
    expect(said(workloads([loopback]))).toEqual([
      'The gateway edge-istio runs as a process and does not reach the container web: requests for it alone are answered 503',
    ]);
    expect(said(workloads([loopback, { ...network, ip: '' }]))).toEqual([]);
    expect(said(workloads([], null))).toEqual([]);
  });

  it('tells what is not served, and which of two servers has a port', () => {
    expect(about(istio('a', tls('AUTO_PASSTHROUGH')))).toEqual([
      expect.stringMatching(/^NOT_SERVED .*AUTO_PASSTHROUGH/),
    ]);
    const plain = (protocol: string) => `{ port: { number: 80, name: any, protocol: ${protocol} }, hosts: ["*"] }`;
    expect(about(istio('a', plain('HTTP')) + istio('b', plain('TCP')))).toEqual([
      'PORT_PROTOCOL Gateway shop/b: port 80 is not served as tcp, Gateway shop/a has it as http',
    ]);
  });

  it('asks for a grant where a secret is another namespace’s', () => {
    const listener =
      '{ name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c, namespace: vault }] } }';
    expect(about(api(listener))).toEqual([
      'REFERENCE_NOT_GRANTED Gateway shop/edge: Secret vault/c is in another namespace that does not allow it',
    ]);
    const grant = `
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: edge, namespace: vault }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: Gateway, namespace: shop }]
  to: [{ group: "", kind: Secret }]
`;
    expect(about(api(listener) + grant, ['vault/c'])).toEqual([]);
  });
});
