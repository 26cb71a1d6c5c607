import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { compileRouteMatches } from '../../../core/policy/match-route.ts';
import { rewritePath, toPathRewrite } from '../../../core/policy/rewrite-path.ts';
import { request } from '../policy/request.ts';
import { configOf, meshOf, serviceIn, shop, workload } from './mesh-of.ts';

const route = (rules: string, name = 'r', more = '', kind = 'HTTPRoute') => `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name}, namespace: shop${more} }
spec: { parentRefs: [{ group: "", kind: Service, name: payments }], rules: [${rules}] }
`;
const to = (name = 'payments') => `backendRefs: [{ name: ${name}, port: 80 }]`;
const compiled = (...yaml: string[]) =>
  serviceIn(configOf(meshOf([...shop(), workload({ name: 'orders' })], yaml.join('---')), 'web'), 'payments.shop')
    .routes;

/** Which rule (by name) takes a request. */
const taken = (yaml: readonly string[], given: Parameters<typeof request>[0]) =>
  compileRouteMatches(compiled(...yaml))(request(given))?.route.name ?? null;
const rule = (name: string, match: string) => `{ name: ${name}, matches: [{ ${match} }], ${to()} }`;

describe('precedence of the Gateway API', () => {
  const path = (type: string, value: string) => `path: { type: ${type}, value: ${value} }`;
  it.each([
    [
      'an exact path beats any prefix',
      [rule('a', path('PathPrefix', '/x/y')), rule('b', path('Exact', '/x/y'))],
      { path: '/x/y' },
      'r-b',
    ],
    [
      'the longer prefix beats the shorter',
      [rule('a', path('PathPrefix', '/x')), rule('b', path('PathPrefix', '/x/y'))],
      { path: '/x/y/z' },
      'r-b',
    ],
    [
      'a method beats none',
      [rule('a', 'headers: [{ name: h, value: "1" }]'), rule('b', 'method: GET')],
      { headers: { h: '1' } },
      'r-b',
    ],
    [
      'more headers beat fewer',
      [
        rule('a', 'headers: [{ name: h, value: "1" }]'),
        rule('b', 'headers: [{ name: h, value: "1" }, { name: i, value: "2" }]'),
      ],
      { headers: { h: '1', i: '2' } },
      'r-b',
    ],
    [
      'more query parameters beat fewer',
      [
        rule('a', 'queryParams: [{ name: q, value: "1" }]'),
        rule('b', 'queryParams: [{ name: q, value: "1" }, { name: s, value: "2" }]'),
      ],
      { query: 'q=1&s=2' },
      'r-b',
    ],
    ['the first in the list wins a tie', [rule('a', 'method: GET'), rule('b', 'method: GET')], {}, 'r-a'],
    ['a path beats a method', [rule('a', 'method: GET'), rule('b', path('PathPrefix', '/x'))], { path: '/x' }, 'r-b'],
    ['nothing matches: none', [rule('a', path('Exact', '/x'))], { path: '/y' }, null],
    ['a prefix is whole segments', [rule('a', path('PathPrefix', '/x'))], { path: '/xy' }, null],
    ['a prefix is the path itself too', [rule('a', path('PathPrefix', '/x/'))], { path: '/x' }, 'r-a'],
  ])('%s', (_what, rules, given, expected) => {
    expect(taken([route(rules.join(', '))], given)).toBe(expected);
  });

  it('is the older route, then the name, between two routes', () => {
    const [young, old] = [', creationTimestamp: "2024-02-01T00:00:00Z"', ', creationTimestamp: "2024-01-01T00:00:00Z"'];
    const any = `{ ${to()} }`;
    expect(taken([route(any, 'a', young), route(any, 'b', old)], {})).toBe('b-1');
    expect(taken([route(any, 'b'), route(any, 'a')], {})).toBe('a-1');
  });

  it('does not depend on the order of rules, but for ties', () => {
    const paths = fc.uniqueArray(fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/b'), { minLength: 2 });
    fc.assert(
      fc.property(paths, fc.constantFrom('/', '/a', '/a/b', '/a/b/c/d', '/b/x', '/c'), (all, asked) => {
        const rules = all.map((value, index) =>
          rule(`p${value.length}${value.charCodeAt(1) || index}`, path('PathPrefix', value)),
        );
        expect(taken([route([...rules].reverse().join(', '))], { path: asked })).toBe(
          taken([route(rules.join(', '))], { path: asked }),
        );
      }),
      { numRuns: 30 },
    );
  });
});

describe('a route of the Gateway API', () => {
  it('splits by weight, with filters, timeouts and retries', () => {
    const yaml =
      route(`{ backendRefs: [{ name: payments, port: 80, weight: 9 }, { name: orders, port: 80 }], timeouts: { request: 5s, backendRequest: 2s },
      filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: X-A, value: "1" }], remove: [x-b] } },
        { type: RequestMirror, requestMirror: { backendRef: { name: orders, port: 80 }, fraction: { numerator: 1, denominator: 4 } } }] }`);
    expect(compiled(yaml)).toMatchObject([
      {
        destinations: [
          { service: 'payments.shop', weight: 9, port: 80 },
          { service: 'orders.shop', weight: 1, port: 80 },
        ],
        timeoutMs: 2_000,
        headers: { request: { set: [['x-a', '1']], remove: ['x-b'], add: [] } },
        mirrors: [{ service: 'orders.shop', percent: 25 }],
      },
    ]);
  });

  it.each([
    ['retry: {}', null, { attempts: 2, perTryTimeoutMs: null }, ''],
    [
      'retry: { attempts: 3, codes: [502, 503] }, timeouts: { request: 5s, backendRequest: 2s }',
      5_000,
      { attempts: 3, perTryTimeoutMs: 2_000 },
      ',502,503',
    ],
  ])('repeats as Istio does: %s', (fields, timeoutMs, retries, codes) => {
    const retryOn = `connect-failure,refused-stream,unavailable,cancelled${codes}`;
    expect(compiled(route(`{ ${fields}, ${to()} }`))).toMatchObject([{ timeoutMs, retries: { ...retries, retryOn } }]);
  });

  it.each([
    'filters: [{ type: ExtensionRef, extensionRef: { group: "", kind: X, name: x } }], backendRefs: [{ name: payments, port: 80 }]',
    'filters: [{ type: ExternalAuth, externalAuth: { protocol: HTTP } }], backendRefs: [{ name: payments, port: 80 }]',
    'backendRefs: [{ name: payments, port: 80, filters: [{ type: URLRewrite, urlRewrite: { hostname: a } }] }]',
  ])('is out as a whole with a filter that nobody takes: %s', (rule) => {
    const yaml = route(`{ ${to()} }, { ${rule} }`);
    expect(compiled(yaml)).toEqual([]);
    expect(parseResources(yaml, null).findings).toMatchObject([{ code: 'NOT_APPLIED', severity: 'warning' }]);
  });

  it.each([
    ['/a', '/b', '/a', '/b'],
    ['/a', '/b', '/a/x', '/b/x'],
    ['/a', '/', '/a', '/'],
    ['/a', '/', '/a/x', '/x'],
    ['/a', '/b/', '/a/x', '/b/x'],
  ])('replaces the prefix %s by %s: %s becomes %s', (prefix, by, asked, expected) => {
    const filter = `filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: ${by} } } }]`;
    const found = compileRouteMatches(
      compiled(route(`{ matches: [{ path: { value: ${prefix} } }], ${filter}, ${to()} }`)),
    )(request({ path: asked }));
    const uri = found?.route.rewrite?.uri ?? '';
    expect(rewritePath(asked, toPathRewrite(uri, found?.block?.uri))).toBe(expected);
  });

  it('redirects with 302 unless it says another status', () => {
    const redirect = (more: string) =>
      compiled(route(`{ filters: [{ type: RequestRedirect, requestRedirect: { ${more} } }] }`))[0]?.redirect;
    expect(redirect('scheme: https')).toEqual({ status: 302, scheme: 'https', port: 'default' });
    expect(redirect('hostname: a.b, port: 8443, statusCode: 301')).toEqual({
      status: 301,
      authority: 'a.b',
      port: 8443,
    });
  });

  it('is for gRPC methods', () => {
    const grpc = (method: string) =>
      compiled(route(`{ matches: [{ method: { ${method} } }], ${to()} }`, 'g', '', 'GRPCRoute')).flatMap(({ match }) =>
        match.map(({ uri }) => uri),
      );
    expect(grpc('service: shop.Cart, method: Add')).toEqual([{ exact: '/shop.Cart/Add' }]);
    expect(grpc('service: shop.Cart')).toContainEqual({ prefix: '/shop.Cart/' });
    expect(grpc('method: Add')).toEqual([{ regex: '/[^/]+/Add' }]);
  });

  it('reaches services of another namespace with a grant of theirs only', () => {
    const yaml = route('{ backendRefs: [{ name: far, namespace: other, port: 80 }] }');
    const grant =
      '\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: other }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop }], to: [{ group: "", kind: Service }] }\n';
    expect(compiled(yaml)[0]?.destinations[0]?.service).not.toBe('far.other');
    expect(compiled(yaml, grant)[0]?.destinations[0]?.service).toBe('far.other');
  });

  it('gives way to a VirtualService of its service', () => {
    const vs =
      '\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: v, namespace: shop }\nspec: { hosts: [payments], http: [{ name: mine, route: [{ destination: { host: payments } }] }] }\n';
    expect(compiled(route(`{ ${to()} }`), vs).map(({ name }) => name)).toEqual(['mine']);
  });
});
