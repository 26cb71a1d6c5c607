import { describe, expect, it } from 'vitest';
import { configOf, meshOf, shop, workload } from './mesh-of.ts';

const resource = (kind: string, spec: string, api = 'networking.istio.io/v1', name = 'x', namespace = 'shop') =>
  `\napiVersion: ${api}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { ${spec} }\n`;
const web = (yaml: string, workloads = shop()) => configOf(meshOf(workloads, yaml), 'web');

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
