/** What is bound to a gateway and in which order: VirtualServices merged per host, and the Gateway API’s conformance cases. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Echo, GatewayProject, publishedAt } from '../../support/gateway-project.ts';
import { type Answer, ask, closeAll, keep } from './clients.ts';

afterEach(closeAll);

/** The applications `infra-backend-v1` to `-v3` of the conformance suite, one namespace apart from `web-backend`. */
const backends = [
  { service: 'infra-backend-v1' },
  { service: 'infra-backend-v2' },
  { service: 'infra-backend-v3' },
  { service: 'web-backend', namespace: 'web' },
];

interface Asked {
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

class Gateways {
  readonly #project: GatewayProject;
  readonly #name: string;
  #port = 0;

  private constructor(project: GatewayProject, name: string) {
    this.#project = project;
    this.#name = name;
  }

  static async start(name: string, yaml: string): Promise<Gateways> {
    const project = await GatewayProject.create(backends);
    keep(() => project.close());
    const ported = yaml.replace(/@port\(([\w-]+)\)/g, (_, service) => String(project.ports.get(service)));
    await project.write('routes.yaml', ported);
    await project.start();
    const gateways = new Gateways(project, name);
    gateways.#port = publishedAt(await project.gateway(name), 8080);
    return gateways;
  }

  get project(): GatewayProject {
    return this.#project;
  }

  get name(): string {
    return this.#name;
  }

  ask({ host = 'example.com', path = '/', method = 'GET', headers = {} }: Asked): Promise<Answer> {
    return ask({ port: this.#port, path, method, headers: { host, ...headers } });
  }

  /** Who answered, or the status when it was nobody. */
  async who(asked: Asked): Promise<string | number> {
    const { status, body } = await this.ask(asked);
    return status === 200 ? (JSON.parse(body) as Echo).service : status;
  }

  async echo(asked: Asked): Promise<Echo> {
    return JSON.parse((await this.ask(asked)).body) as Echo;
  }
}

const to = (service: string, more = '') => `{ name: ${service}, port: @port(${service})${more} }`;
const listener = (name: string, more = '') => `    - { name: ${name}, port: 8080, protocol: HTTP${more} }\n`;
const gatewayApi = (listeners: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: same-namespace }
spec:
  gatewayClassName: istio
  listeners:
${listeners}`;
const httpRoute = (name: string, rest: string, parent = 'name: same-namespace', namespace = 'default') => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  parentRefs: [{ ${parent} }]
${rest}`;

describe('routes of the Gateway API at a gateway', () => {
  it('match by path, headers, query and method, the most specific first', async () => {
    const gateways = await Gateways.start(
      'same-namespace-istio',
      gatewayApi(listener('http')) +
        httpRoute(
          'matching',
          `  rules:
    - matches: [{ path: { type: PathPrefix, value: / } }, { headers: [{ name: version, value: one }] }]
      backendRefs: [${to('infra-backend-v1')}]
    - matches: [{ path: { type: PathPrefix, value: /v2 } }, { headers: [{ name: version, value: two }] }]
      backendRefs: [${to('infra-backend-v2')}]
    - matches: [{ path: { type: Exact, value: /v2/exact } }, { method: PATCH }, { queryParams: [{ name: animal, value: whale }] }]
      backendRefs: [${to('infra-backend-v3')}]
`,
        ),
    );
    const cases: [Asked, string][] = [
      [{ path: '/' }, 'infra-backend-v1'],
      [{ path: '/example' }, 'infra-backend-v1'],
      [{ path: '/', headers: { version: 'one' } }, 'infra-backend-v1'],
      [{ path: '/v2' }, 'infra-backend-v2'],
      [{ path: '/v2/example' }, 'infra-backend-v2'],
      [{ path: '/v2example' }, 'infra-backend-v1'],
      [{ path: '/', headers: { version: 'two' } }, 'infra-backend-v2'],
      [{ path: '/v2/exact' }, 'infra-backend-v3'],
      [{ path: '/', method: 'PATCH' }, 'infra-backend-v3'],
      [{ path: '/?animal=whale' }, 'infra-backend-v3'],
      [{ path: '/v2', method: 'PATCH' }, 'infra-backend-v2'],
    ];
    for (const [asked, service] of cases) expect([asked, await gateways.who(asked)]).toEqual([asked, service]);
  });

  it('meet listeners by their host names, and answer 404 where none fits', async () => {
    const hosts = (names: string, service: string) =>
      `  hostnames: [${names}]\n  rules: [{ backendRefs: [${to(service)}] }]\n`;
    const gateways = await Gateways.start(
      'same-namespace-istio',
      gatewayApi(
        listener('one', ', hostname: very.specific.com') +
          listener('two', ', hostname: "*.wildcard.io"') +
          listener('three', ', hostname: "*.anotherwildcard.io"'),
      ) +
        httpRoute(
          'specific',
          hosts('non.matching.com, "*.nonmatchingwildcard.io", very.specific.com', 'infra-backend-v1'),
        ) +
        httpRoute('wildcard', hosts('"*.wildcard.io", foo.wildcard.io', 'infra-backend-v2')) +
        httpRoute(
          'another',
          `  rules: [{ backendRefs: [${to('infra-backend-v3')}] }]\n`,
          'name: same-namespace, sectionName: three',
        ) +
        httpRoute('nowhere', hosts('unrelated.org', 'infra-backend-v1')),
    );
    const cases: [string, string | number][] = [
      ['very.specific.com', 'infra-backend-v1'],
      ['Very.Specific.COM:1234', 'infra-backend-v1'],
      ['non.matching.com', 404],
      ['foo.nonmatchingwildcard.io', 404],
      ['foo.wildcard.io', 'infra-backend-v2'],
      ['bar.wildcard.io', 'infra-backend-v2'],
      ['foo.bar.wildcard.io', 'infra-backend-v2'],
      ['wildcard.io', 404],
      ['one.anotherwildcard.io', 'infra-backend-v3'],
      ['unrelated.org', 404],
    ];
    for (const [host, service] of cases) expect([host, await gateways.who({ host })]).toEqual([host, service]);
    const findings = await gateways.project.mesh.client.call('config.findings', {});
    const unbound = findings.filter(({ code }) => code === 'ROUTE_NOT_BOUND').map(({ message }) => message);
    expect(unbound).toEqual([
      expect.stringContaining(
        'HTTPRoute default/nowhere: Gateway "same-namespace" does not accept it (NoMatchingListenerHostname)',
      ),
    ]);
  });

  it('redirect, rewrite and change headers as their filters say', async () => {
    const gateways = await Gateways.start(
      'same-namespace-istio',
      gatewayApi(listener('http')) +
        httpRoute(
          'filters',
          `  rules:
    - matches: [{ path: { type: PathPrefix, value: /hostname-redirect } }]
      filters: [{ type: RequestRedirect, requestRedirect: { hostname: example.org } }]
    - matches: [{ path: { type: PathPrefix, value: /original-prefix } }]
      filters: [{ type: RequestRedirect, requestRedirect: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /replacement-prefix }, statusCode: 301 } }]
    - matches: [{ path: { type: PathPrefix, value: /scheme-and-port } }]
      filters: [{ type: RequestRedirect, requestRedirect: { scheme: https, port: 8443, hostname: example.org } }]
    - matches: [{ path: { type: PathPrefix, value: /prefix/one } }]
      filters:
        - { type: URLRewrite, urlRewrite: { hostname: one.example.org, path: { type: ReplacePrefixMatch, replacePrefixMatch: /one } } }
        - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: X-Set, value: set }], add: [{ name: X-Add, value: added }], remove: [X-Remove] } }
        - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: X-Answer, value: "yes" }] } }
      backendRefs: [${to('infra-backend-v1')}]
    - matches: [{ path: { type: PathPrefix, value: /full } }]
      filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /one } } }]
      backendRefs: [${to('infra-backend-v2')}]
`,
        ),
    );
    const location = async (path: string) => {
      const { status, headers } = await gateways.ask({ path });
      return [status, headers['location']];
    };
    expect(await location('/hostname-redirect')).toEqual([302, 'http://example.org/hostname-redirect']);
    expect(await location('/original-prefix/lemon')).toEqual([301, 'http://example.com/replacement-prefix/lemon']);
    expect(await location('/scheme-and-port')).toEqual([302, 'https://example.org:8443/scheme-and-port']);
    const asked = { path: '/prefix/one/two', headers: { 'x-set': 'before', 'x-add': 'first', 'x-remove': 'gone' } };
    const echo = await gateways.echo(asked);
    expect(echo).toMatchObject({ service: 'infra-backend-v1', url: '/one/two' });
    expect(echo.headers).toMatchObject({ host: 'one.example.org', 'x-set': 'set', 'x-add': 'first, added' });
    expect(echo.headers['x-remove']).toBeUndefined();
    expect((await gateways.ask(asked)).headers['x-answer']).toBe('yes');
    expect((await gateways.echo({ path: '/full/path?q=1' })).url).toBe('/one?q=1');
  });

  it('split by weights, and answer 500 where no backend may be used', async () => {
    const gateways = await Gateways.start(
      'same-namespace-istio',
      gatewayApi(listener('http', ', allowedRoutes: { namespaces: { from: All } }')) +
        httpRoute(
          'weights',
          `  rules:
    - matches: [{ path: { type: PathPrefix, value: /weights } }]
      backendRefs: [${to('infra-backend-v1', ', weight: 70')}, ${to('infra-backend-v2', ', weight: 30')}, ${to('infra-backend-v3', ', weight: 0')}]
    - matches: [{ path: { type: PathPrefix, value: /nobody } }]
      backendRefs: [{ name: not-there, port: 80 }]
    - matches: [{ path: { type: PathPrefix, value: /not-granted } }]
      backendRefs: [{ name: web-backend, namespace: web, port: @port(web-backend) }]
`,
        ) +
        httpRoute(
          'of-web',
          `  rules: [{ matches: [{ path: { value: /web } }], backendRefs: [${to('web-backend')}] }]\n`,
          'name: same-namespace, namespace: default',
          'web',
        ),
    );
    const counts = new Map<string | number, number>();
    for (let index = 0; index < 300; index += 1) {
      const who = await gateways.who({ path: '/weights' });
      counts.set(who, (counts.get(who) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['infra-backend-v1', 'infra-backend-v2']);
    expect(counts.get('infra-backend-v1')).toBeGreaterThan(165);
    expect(counts.get('infra-backend-v1')).toBeLessThan(255);
    expect(await gateways.who({ path: '/nobody' })).toBe(500);
    expect(await gateways.who({ path: '/not-granted' })).toBe(500);
    expect(await gateways.who({ path: '/web' })).toBe('web-backend');
  });
});

describe('time and tries of HTTPRoutes', () => {
  it('are what the rule says: statuses that are tried again, time for a try, time for the request', async () => {
    let asked = 0;
    const project = await GatewayProject.create([
      {
        service: 'flaky',
        answer: (request, response) => {
          asked += 1;
          if (request.url === '/slow') return;
          response.statusCode = asked < 3 ? 503 : 200;
          response.end('done');
        },
      },
    ]);
    keep(() => project.close());
    const backends = `backendRefs: [{ name: flaky, port: ${project.ports.get('flaky')} }]`;
    const rules = `  rules:
    - matches: [{ path: { value: /tries } }]
      retry: { attempts: 3, codes: [503], backoff: 25ms }
      ${backends}
    - matches: [{ path: { value: /slow } }]
      timeouts: { request: 5s, backendRequest: 100ms }
      ${backends}
`;
    await project.write('routes.yaml', gatewayApi(listener('http')) + httpRoute('timed', rules));
    await project.start();
    const port = publishedAt(await project.gateway('same-namespace-istio'), 8080);
    expect(await ask({ port, path: '/tries' })).toMatchObject({ status: 200, body: 'done' });
    expect(asked).toBe(3);
    expect((await ask({ port, path: '/slow' })).status).toBe(504);
    const findings = await project.mesh.client.call('config.findings', {});
    expect(findings.filter(({ code }) => code === 'NOT_APPLIED')).toEqual([]);
  });
});

describe('VirtualServices at a gateway', () => {
  const gateway = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers:
    - { port: { number: 8080, name: http, protocol: HTTP }, hosts: ["default/*.example.com", "*/shared.org"] }
`;
  const virtualService = (
    name: string,
    hosts: string,
    http: string,
    namespace = 'default',
    gateways = 'default/edge',
  ) => `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: { hosts: [${hosts}], gateways: [${gateways}], http: ${http} }
`;
  const route = (service: string) =>
    `route: [{ destination: { host: ${service}, port: { number: @port(${service}) } } }]`;

  it('are merged per host, what takes everything last, and bound only where the Gateway lets them', async () => {
    const gateways = await Gateways.start(
      'istio-ingressgateway',
      gateway +
        virtualService('a-all', 'shop.example.com', `[{ ${route('infra-backend-v1')} }]`) +
        virtualService(
          'b-api',
          'shop.example.com',
          `[{ match: [{ uri: { prefix: /api } }], ${route('infra-backend-v2')} }]`,
        ) +
        virtualService('c-wild', '"*.example.com"', `[{ ${route('infra-backend-v3')} }]`) +
        virtualService(
          'web',
          'shop.example.com, shared.org',
          `[{ match: [{ uri: { prefix: /web } }], ${route('web-backend')} }]`,
          'web',
        ) +
        virtualService('mesh-only', 'other.example.com', `[{ ${route('infra-backend-v1')} }]`, 'default', 'mesh') +
        virtualService(
          'both',
          'both.example.com',
          `[{ match: [{ gateways: [mesh] }], ${route('infra-backend-v1')} }, { match: [{ gateways: [edge], port: 8080 }], ${route('infra-backend-v2')} }]`,
          'default',
          'mesh, edge',
        ),
    );
    const cases: [string, string, string | number][] = [
      ['shop.example.com', '/', 'infra-backend-v1'],
      ['shop.example.com', '/api/1', 'infra-backend-v2'],
      ['any.example.com', '/api', 'infra-backend-v3'],
      ['other.example.com', '/', 'infra-backend-v3'],
      ['shop.example.com', '/web', 'infra-backend-v1'],
      ['shared.org', '/web', 'web-backend'],
      ['shared.org', '/', 404],
      ['both.example.com', '/', 'infra-backend-v2'],
      ['elsewhere.org', '/', 404],
    ];
    for (const [host, path, who] of cases) {
      expect([host, path, await gateways.who({ host, path })]).toEqual([host, path, who]);
    }
  });
});
