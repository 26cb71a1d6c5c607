import { describe, expect, it } from 'vitest';
import { rewriteTarget } from '../../../core/data-plane/http/route-actions.ts';
import { compileRouteMatches } from '../../../core/policy/match-route.ts';
import { toPathRewrite } from '../../../core/policy/rewrite-path.ts';
import { request } from '../policy/request.ts';
import { configOf, meshOf, serviceIn, workload } from './mesh-of.ts';

/**
 * Request -> backend, for routes whose parent is a Service: the cases of the Gateway API's conformance suite (HTTPRouteMatching,
 * PathMatchOrder, HeaderMatching, MethodMatching, QueryParamMatching, MatchingAcrossRoutes, ExactPathMatching, GRPC methods),
 * written anew as tables.
 */
const backends = ['echo', 'one', 'two', 'three'];
const mesh = [workload({ name: 'web' }), ...backends.map((name) => workload({ name }))];

interface Rule {
  readonly to: string;
  readonly matches: readonly string[];
}
type Row = readonly [asked: Parameters<typeof request>[0], backend: string | null];

const rule = ({ to, matches }: Rule) =>
  `{ matches: [${matches.map((match) => `{ ${match} }`).join(', ')}], backendRefs: [{ name: ${to}, port: 8080 }] }`;
const route = (name: string, rules: readonly Rule[], kind = 'HTTPRoute') => `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name}, namespace: shop }
spec: { parentRefs: [{ group: "", kind: Service, name: echo }], rules: [${rules.map(rule).join(', ')}] }
`;
const compiled = (yaml: string) => serviceIn(configOf(meshOf(mesh, yaml), 'web'), 'echo.shop').routes;
const exact = (value: string) => `path: { type: Exact, value: ${value} }`;
const prefix = (value: string) => `path: { type: PathPrefix, value: ${value} }`;
const header = (name: string, value: string) => `headers: [{ name: ${name}, value: ${value} }]`;
const query = (...pairs: readonly (readonly [string, string])[]) =>
  `queryParams: [${pairs.map(([name, value]) => `{ name: ${name}, value: ${value} }`).join(', ')}]`;
const version = (value: string) => ({ headers: { version: value } });

const suites: readonly (readonly [string, string, readonly Row[]])[] = [
  [
    'paths and headers',
    route('matching', [
      { to: 'one', matches: [prefix('/'), header('version', 'one')] },
      { to: 'two', matches: [prefix('/v2'), header('version', 'two')] },
    ]),
    [
      [{ path: '/' }, 'one'],
      [{ path: '/example' }, 'one'],
      [{ path: '/', ...version('one') }, 'one'],
      [{ path: '/v2' }, 'two'],
      [{ path: '/v2/example' }, 'two'],
      [{ path: '/', ...version('two') }, 'two'],
      [{ path: '/v2example' }, 'one'],
      [{ path: '/v2/' }, 'two'],
    ],
  ],
  [
    'the order of paths',
    route('order', [
      { to: 'three', matches: [exact('/match/exact/one')] },
      { to: 'two', matches: [exact('/match/exact')] },
      { to: 'one', matches: [exact('/match')] },
      { to: 'one', matches: [prefix('/match/prefix/')] },
      { to: 'two', matches: [prefix('/match/prefix/one/')] },
      { to: 'three', matches: [prefix('/match/')] },
    ]),
    [
      [{ path: '/match/exact/one' }, 'three'],
      [{ path: '/match/exact' }, 'two'],
      [{ path: '/match' }, 'one'],
      [{ path: '/match/prefix/one/any' }, 'two'],
      [{ path: '/match/prefix/any' }, 'one'],
      [{ path: '/match/any' }, 'three'],
      [{ path: '/other' }, null],
    ],
  ],
  [
    'exact paths',
    route('exact', [
      { to: 'one', matches: [exact('/one')] },
      { to: 'two', matches: [exact('/two')] },
    ]),
    [
      [{ path: '/one' }, 'one'],
      [{ path: '/two' }, 'two'],
      [{ path: '/' }, null],
      [{ path: '/one/example' }, null],
      [{ path: '/two/' }, null],
      [{ path: '/Two' }, null],
      [{ path: '/two2' }, null],
    ],
  ],
  [
    'headers',
    route('headers', [
      { to: 'one', matches: [header('version', 'one')] },
      { to: 'two', matches: [header('version', 'two')] },
      { to: 'one', matches: ['headers: [{ name: version, value: two }, { name: color, value: orange }]'] },
      { to: 'one', matches: [header('color', 'blue'), header('color', 'green')] },
      { to: 'two', matches: [header('color', 'red'), header('color', 'yellow')] },
    ]),
    [
      [version('one'), 'one'],
      [version('two'), 'two'],
      [{ headers: { version: 'two', color: 'orange' } }, 'one'],
      [{ headers: { color: 'blue' } }, 'one'],
      [{ headers: { color: 'green' } }, 'one'],
      [{ headers: { color: 'red' } }, 'two'],
      [{ headers: { color: 'yellow' } }, 'two'],
      [{ headers: { color: 'purple' } }, null],
      [{ headers: { color: 'Blue' } }, null],
      [{}, null],
    ],
  ],
  [
    'methods',
    route('methods', [
      { to: 'one', matches: ['method: POST'] },
      { to: 'two', matches: ['method: GET'] },
      { to: 'one', matches: [`${prefix('/path1')}, method: GET`] },
      { to: 'two', matches: [`${header('version', 'one')}, method: PUT`] },
      { to: 'three', matches: [`${prefix('/path2')}, ${header('version', 'two')}, method: POST`] },
      { to: 'one', matches: [`${prefix('/path3')}, method: PATCH`, `${prefix('/path4')}, method: DELETE`] },
    ]),
    [
      [{ method: 'POST' }, 'one'],
      [{ method: 'GET' }, 'two'],
      [{ method: 'HEAD' }, null],
      [{ method: 'GET', path: '/path1' }, 'one'],
      [{ method: 'PUT', ...version('one') }, 'two'],
      [{ method: 'POST', path: '/path2', ...version('two') }, 'three'],
      [{ method: 'POST', path: '/path2' }, 'one'],
      [{ method: 'PATCH', path: '/path3' }, 'one'],
      [{ method: 'DELETE', path: '/path4' }, 'one'],
      [{ method: 'PATCH', path: '/path4' }, null],
    ],
  ],
  [
    'query parameters',
    route('query', [
      { to: 'one', matches: [query(['animal', 'whale'])] },
      { to: 'two', matches: [query(['animal', 'dolphin'])] },
      { to: 'three', matches: [query(['animal', 'dolphin'], ['color', 'blue'])] },
      { to: 'three', matches: [query(['ANIMAL', 'Whale'])] },
      { to: 'one', matches: [`${prefix('/path1')}, ${query(['animal', 'whale'])}`] },
      { to: 'two', matches: [`${header('version', 'one')}, ${query(['animal', 'whale'])}`] },
    ]),
    [
      [{ query: 'animal=whale' }, 'one'],
      [{ query: 'animal=dolphin' }, 'two'],
      [{ query: 'animal=whale&otherparam=irrelevant' }, 'one'],
      [{ query: 'animal=dolphin&color=yellow' }, 'two'],
      [{ query: 'animal=dolphin&color=blue' }, 'three'],
      [{ query: 'ANIMAL=Whale' }, 'three'],
      [{ query: 'animal=shark' }, null],
      [{ query: 'animal=' }, null],
      [{ query: '' }, null],
      [{ path: '/path1', query: 'animal=whale' }, 'one'],
      [{ query: 'animal=whale', ...version('one') }, 'two'],
    ],
  ],
  [
    'several routes of one parent',
    [
      route('part-1', [
        { to: 'one', matches: [prefix('/'), header('version', 'one')] },
        { to: 'one', matches: [`${prefix('/v2')}, ${header('version', 'one')}`] },
      ]),
      route('part-2', [{ to: 'two', matches: [prefix('/v2'), header('version', 'two')] }]),
    ].join('---'),
    [
      [{ path: '/' }, 'one'],
      [{ path: '/example' }, 'one'],
      [{ path: '/', ...version('one') }, 'one'],
      [{ path: '/v2' }, 'two'],
      [{ path: '/v2/example' }, 'two'],
      [{ path: '/v2', ...version('one') }, 'one'],
      [{ path: '/', ...version('two') }, 'two'],
    ],
  ],
  [
    'methods of gRPC',
    route(
      'grpc',
      [
        { to: 'one', matches: ['method: { service: echo.Echo, method: Say }'] },
        { to: 'two', matches: ['method: { service: echo.Echo }'] },
        { to: 'three', matches: [header('version', 'three')] },
      ],
      'GRPCRoute',
    ),
    [
      [{ method: 'POST', path: '/echo.Echo/Say' }, 'one'],
      [{ method: 'POST', path: '/echo.Echo/Sing' }, 'two'],
      [{ method: 'POST', path: '/other.Other/Say', ...version('three') }, 'three'],
      [{ method: 'POST', path: '/other.Other/Say' }, null],
    ],
  ],
];

describe.each(suites)('conformance of the Gateway API: %s', (_name, yaml, rows) => {
  const match = compileRouteMatches(compiled(yaml));
  it.each(rows)('%j goes to %s', (asked, backend) => {
    expect(match(request(asked))?.route.destinations[0]?.service ?? null).toBe(
      backend === null ? null : `${backend}.shop`,
    );
  });
});

describe('conformance of the Gateway API: rewrites', () => {
  const rewritten = (match: string, by: string, path: string) => {
    const filter = `filters: [{ type: URLRewrite, urlRewrite: { path: ${by} } }]`;
    const rules = `[{ matches: [{ ${match} }], ${filter}, backendRefs: [{ name: one, port: 8080 }] }]`;
    const text = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r, namespace: shop }
spec: { parentRefs: [{ group: "", kind: Service, name: echo }], rules: ${rules} }
`;
    const found = compileRouteMatches(compiled(text))(request({ path }));
    const { uri, regex } = found?.route.rewrite ?? {};
    if (regex !== undefined) return path.replace(new RegExp(regex.pattern), regex.by);
    return uri === undefined ? path : rewriteTarget({ path, query: '' }, toPathRewrite(uri, found?.block?.uri));
  };
  it.each([
    [prefix('/prefix/one'), '{ type: ReplacePrefixMatch, replacePrefixMatch: /one }', '/prefix/one/two', '/one/two'],
    [prefix('/prefix/one'), '{ type: ReplacePrefixMatch, replacePrefixMatch: /one }', '/prefix/one', '/one'],
    [prefix('/strip'), '{ type: ReplacePrefixMatch, replacePrefixMatch: / }', '/strip/three', '/three'],
    [prefix('/strip'), '{ type: ReplacePrefixMatch, replacePrefixMatch: / }', '/strip', '/'],
    [prefix('/full'), '{ type: ReplaceFullPath, replaceFullPath: /one }', '/full/x/y', '/one'],
    [exact('/full'), '{ type: ReplaceFullPath, replaceFullPath: /one }', '/full', '/one'],
  ])('%s by %s: %s becomes %s', (match, by, path, expected) => {
    expect(rewritten(match, by, path)).toBe(expected);
  });
});
