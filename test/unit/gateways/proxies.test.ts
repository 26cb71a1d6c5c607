import { describe, expect, it } from 'vitest';
import { toMeshResources } from '../../../core/model/resource.ts';
import { intersectHosts } from '../../../core/snapshot/gateways/gateway-attachments.ts';
import { gatewayProxies } from '../../../core/snapshot/gateways/gateway-proxies.ts';
import { fullGatewayName } from '../../../core/snapshot/gateways/gateway-rules.ts';
import { configOf, meshOf, resourcesOf, serviceIn, shop, workload } from '../snapshot/mesh-of.ts';

const gateway = (name: string, selector: string, servers: string, namespace = 'shop') => `
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: ${namespace} }
spec: { selector: ${selector}, servers: [${servers}] }
`;
const http = '{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }';
const proxiesOf = (yaml: string) => gatewayProxies(toMeshResources(resourcesOf(yaml)), 'istio-system');

describe('proxies that Gateways ask for', () => {
  it('are one per set of labels, the well-known ones where and as whom istioctl installs them', () => {
    const proxies = proxiesOf(
      gateway('a', '{ istio: ingressgateway }', http) +
        gateway('b', '{ app: istio-ingressgateway }', http) +
        gateway('c', '{ istio: egressgateway }', http) +
        gateway('d', '{ istio: ingress }', http) +
        gateway('e', '{ app: edge, tier: front }', http) +
        gateway('f', '{ app: edge }', http),
    );
    expect(proxies.map(({ id, servers }) => [id, servers.map((server) => server.gateway)])).toEqual([
      ['gateway:istio-system/istio-egressgateway', ['shop/c']],
      ['gateway:istio-system/istio-ingressgateway', ['shop/a', 'shop/b']],
      ['gateway:shop/edge', ['shop/e', 'shop/f']],
      ['gateway:shop/istio-ingress', ['shop/d']],
    ]);
    expect(proxies[1]?.labels['dev.meshdesk.service-account']).toBe('istio-ingressgateway-service-account');
  });

  it('are one per Gateway of the Gateway API, but for waypoints and where one is named', () => {
    const api = (name: string, className: string, more = '') => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: shop }
spec: { gatewayClassName: ${className}, listeners: [{ name: http, port: 80, protocol: HTTP }]${more} }
`;
    const proxies = proxiesOf(
      api('front', 'istio') +
        api('other', 'nginx') +
        api('inner', 'istio-waypoint') +
        api(
          'manual',
          'istio',
          ', addresses: [{ type: Hostname, value: istio-ingressgateway.istio-system.svc.cluster.local }]',
        ),
    );
    expect(proxies.map(({ id }) => id)).toEqual([
      'gateway:istio-system/istio-ingressgateway',
      'gateway:shop/front-istio',
      'gateway:shop/other-nginx',
    ]);
  });

  it.each([
    ['SIMPLE, credentialName: c', { mode: 'simple', certificates: ['shop/c'] }],
    ['MUTUAL, credentialName: kubernetes://other/c', { mode: 'mutual', certificates: ['other/c'] }],
    ['SIMPLE, credentialNames: [a, b]', { mode: 'simple', certificates: ['shop/a', 'shop/b'] }],
    [
      'SIMPLE, serverCertificate: /a.crt, privateKey: /a.key',
      { mode: 'simple', certificates: ['files:/a.crt|/a.key|'] },
    ],
    [
      'MUTUAL, credentialName: c, caCertCredentialName: ca',
      { mode: 'mutual', certificates: ['shop/c'], clientCa: 'shop/ca' },
    ],
    [
      'MUTUAL, credentialName: c, caCertCredentialName: configmap://infra/ca, insecureSkipVerify: true',
      { mode: 'mutual', certificates: ['shop/c'], clientCa: 'configmap:infra/ca', acceptUntrusted: true },
    ],
    [
      'MUTUAL, serverCertificate: /a.crt, privateKey: /a.key, caCertificates: /ca.crt, caCrl: /ca.crl',
      { mode: 'mutual', certificates: ['files:/a.crt|/a.key|/ca.crt|/ca.crl'] },
    ],
    ['ISTIO_MUTUAL', { mode: 'mesh', certificates: [] }],
    ['PASSTHROUGH', { mode: 'passthrough', certificates: [] }],
    [
      'SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-ECDSA-AES128-GCM-SHA256]',
      {
        mode: 'simple',
        certificates: ['shop/c'],
        minVersion: 'TLSv1.3',
        cipherSuites: ['ECDHE-ECDSA-AES128-GCM-SHA256'],
      },
    ],
  ])('have TLS as the server says: %s', (tls, expected) => {
    const server = `{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: ${tls} } }`;
    const [proxy] = proxiesOf(gateway('a', '{ istio: ingressgateway }', server));
    expect(proxy?.servers[0]?.tls).toEqual(expected);
  });
});

describe('what a Gateway of the Gateway API asks of clients', () => {
  const ref = (name: string, more = '') => `{ group: "", kind: ConfigMap, name: ${name}${more} }`;
  const validation = (refs: string, mode = 'AllowValidOnly') =>
    `{ validation: { caCertificateRefs: [${refs}], mode: ${mode} } }`;
  const listener = (port: number, options = '{}') =>
    `{ name: p${port}, port: ${port}, protocol: HTTPS, tls: { certificateRefs: [{ name: c }], options: ${options} } }`;
  const serversOf = (frontend: string, listeners: string, grant = '') =>
    proxiesOf(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec: { gatewayClassName: istio, listeners: [${listeners}], tls: { frontend: ${frontend} } }
${grant}`)[0]?.servers.map((server) => server.tls);
  const base = { certificates: ['shop/c'] };

  it('is a certificate of the CA, for all ports but those that have their own', () => {
    const other = `{ port: 8443, tls: ${validation('{ group: "", kind: Secret, name: other }', 'AllowInsecureFallback')} }`;
    const frontend = `{ default: ${validation(ref('ca'))}, perPort: [${other}, { port: 9443, tls: {} }] }`;
    expect(serversOf(frontend, [443, 8443, 9443].map((port) => listener(port)).join(', '))).toEqual([
      { ...base, mode: 'mutual', clientCa: 'configmap:shop/ca' },
      { ...base, mode: 'optional-mutual', clientCa: 'shop/other', acceptUntrusted: true },
      { ...base, mode: 'simple' },
    ]);
  });

  it('gives way to the option of the listener', () => {
    const option = '{ gateway.istio.io/tls-terminate-mode: OPTIONAL_MUTUAL }';
    expect(serversOf(`{ default: ${validation(ref('ca'))} }`, listener(443, option))).toEqual([
      { ...base, mode: 'optional-mutual', clientCa: 'configmap:shop/ca' },
    ]);
  });

  it('is nobody’s certificate where a CA of another namespace is not granted, or there are several', () => {
    const far = `{ default: ${validation(ref('ca', ', namespace: infra'))} }`;
    const grant = `---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: g, namespace: infra }
spec: { from: [{ group: gateway.networking.k8s.io, kind: Gateway, namespace: shop }], to: [{ group: "", kind: ConfigMap }] }
`;
    const caOf = (frontend: string, more = '') => serversOf(frontend, listener(443), more)?.[0]?.clientCa;
    expect(caOf(far)).toBe('configmap:infra/ca (not granted)');
    expect(caOf(far, grant)).toBe('configmap:infra/ca');
    expect(caOf(`{ default: ${validation(`${ref('a')}, ${ref('b')}`)} }`)).toBe('configmap:shop/a, configmap:shop/b');
  });
});

describe('names', () => {
  it.each([
    ['edge', 'shop/edge'],
    ['./edge', 'shop/edge'],
    ['infra/edge', 'infra/edge'],
    ['edge.infra.svc.cluster.local', 'infra/edge'],
  ])('of a Gateway: %s', (name, full) => expect(fullGatewayName(name, 'shop')).toBe(full));

  it.each([
    ['*', 'a.com', 'a.com'],
    ['*.a.com', '*', '*.a.com'],
    ['*.a.com', 'b.a.com', 'b.a.com'],
    ['*.a.com', '*.b.a.com', '*.b.a.com'],
    ['*.a.com', 'a.com', null],
    ['*.a.com', '*.b.com', null],
    ['a.com', 'a.com', 'a.com'],
  ])('%s and %s meet in %s', (a, b, both) => {
    expect(intersectHosts(a, b)).toBe(both);
    expect(intersectHosts(b, a)).toBe(both);
  });
});

describe('the configuration of a gateway', () => {
  const id = 'gateway:istio-system/istio-ingressgateway';
  const proxy = workload({
    id,
    name: 'istio-ingressgateway',
    namespace: 'istio-system',
    runtime: 'gateway',
    listeners: { kind: 'gateway', ports: [{ listen: { host: '127.0.0.1', port: 8080 }, port: 80 }] },
    ports: [{ port: 80, protocol: 'http', publishedPort: 8080 }],
  });
  const yaml = `${gateway('edge', '{ istio: ingressgateway }', http)}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: outside, namespace: shop }
spec:
  hosts: [shop.example.com]
  gateways: [edge]
  http: [{ fault: { abort: { httpStatus: 503, percentage: { value: 1 } } }, route: [{ destination: { host: payments } }] }]
`;

  it('has a virtual host with the routes, faults, and the services that they lead to, without routes of the mesh', () => {
    const config = configOf(meshOf([...shop(), proxy], yaml), id);
    const [server] = config.gateway?.ports[0]?.servers ?? [];
    expect(server).toMatchObject({ id: 'plaintext', protocol: 'http', hosts: [{ domain: 'shop.example.com' }] });
    const key = server?.hosts[0]?.service ?? '';
    expect(serviceIn(config, key).routes[0]?.destinations).toEqual([
      { service: 'payments.shop', subset: null, port: 8080, weight: 0 },
    ]);
    expect(config.services.map((service) => service.key)).toEqual(['payments.shop', key].sort());
    expect(serviceIn(config, 'payments.shop').routes).toEqual([]);
    expect(serviceIn(config, 'payments.shop').endpoints).toHaveLength(2);
    expect(JSON.stringify(config)).toContain('503');
  });

  it('gives sidecars nothing of rules that are for gateways only', () => {
    const config = configOf(meshOf([...shop(), proxy], yaml), 'web');
    expect(config.gateway).toBeUndefined();
    expect(JSON.stringify(config.services)).not.toContain('shop.example.com');
    expect(serviceIn(config, 'payments.shop').routes).toEqual([]);
  });
});
