import type { Ask, Scenario } from '../scenario.ts';
import { destinationRule, matchOrElse, to, virtualService } from './resources.ts';

const paths = (...all: string[]): Ask[] => all.map((path) => ({ path }));
const withHeaders = (...all: Record<string, string>[]): Ask[] => all.map((headers) => ({ headers }));

const uri: readonly [name: string, match: string, asks: readonly Ask[]][] = [
  ['exact', '{ uri: { exact: /a } }', paths('/a', '/a/', '/A', '/a?x=1', '/ab', '/', '/%61')],
  ['exact, ignoreUriCase', '{ uri: { exact: /a/B }, ignoreUriCase: true }', paths('/a/b', '/A/B', '/a/bc')],
  ['prefix inside a segment', '{ uri: { prefix: /ap } }', paths('/ap', '/api', '/ap/i', '/a', '/AP')],
  ['prefix with slash', '{ uri: { prefix: /api/ } }', paths('/api', '/api/', '/api/x', '/api?x', '/apix')],
  ['prefix, ignoreUriCase', '{ uri: { prefix: /Api }, ignoreUriCase: true }', paths('/api', '/API/x', '/ap')],
  ['prefix of everything', '{ uri: { prefix: / } }', paths('/', '/x', '/?q')],
  ['regex, whole path only', '{ uri: { regex: "/a+" } }', paths('/a', '/aaa', '/ab', '/xa', '/a?q=b')],
  ['regex, alternatives', '{ uri: { regex: "/(x|y)/[0-9]{2}" } }', paths('/x/12', '/y/1', '/z/12', '/y/99')],
  ['regex, dot and query', '{ uri: { regex: "/a.*" } }', paths('/a', '/abc?x=1', '/b')],
  ['regex, case flag', '{ uri: { regex: "(?i)/abc" } }', paths('/ABC', '/abc', '/abcd')],
  ['escaped bytes', '{ uri: { exact: "/a b" } }', paths('/a%20b')],
  ['dot segments', '{ uri: { prefix: /a } }', paths('/b/../a', '/./a', '/a/../b')],
  [
    'paths that are not normal',
    '{ uri: { prefix: /a } }',
    paths(
      ...[
        '/a\\b',
        '/x/%2e%2e/a',
        '/%2e/x',
        '/a%2Fb',
        '/a%2fb',
        '/a%5Cb',
        '/a/..',
        '/..',
        '/%7Euser',
        '/a%zz',
        '/a%',
        '/x/..%2fa',
      ],
      ...[
        '/a/./b/',
        '/a/b/..',
        '/a/b/.',
        '/a//../b',
        '/...',
        '/a;x/../b',
        '/%41',
        '/a?x=%61/../b',
        '/a%3fb',
        '/a%00',
        '/%E4',
      ],
    ),
  ],
  ['repeated slashes', '{ uri: { prefix: /a/b } }', paths('//a/b', '/a//b')],
];

const conditions: readonly [name: string, match: string, asks: readonly Ask[]][] = [
  ['method exact', '{ method: { exact: POST } }', [{ method: 'POST', body: 'x' }, {}, { method: 'PUT' }]],
  ['method regex', '{ method: { regex: "P.*" } }', [{ method: 'PATCH' }, { method: 'PUT' }, {}]],
  ['method prefix', '{ method: { prefix: P } }', [{ method: 'PUT' }, {}]],
  ['scheme', '{ scheme: { exact: http } }', [{}]],
  ['scheme https', '{ scheme: { exact: https } }', [{}]],
  ['authority exact', '{ authority: { exact: "{host}.shop.svc.cluster.local" } }', [{}]],
  ['authority prefix', '{ authority: { prefix: "{host}" } }', [{}]],
  [
    'header exact',
    '{ headers: { x-a: { exact: one } } }',
    withHeaders({ 'x-a': 'one' }, { 'x-a': 'One' }, {}, { 'x-a': '' }),
  ],
  ['header prefix', '{ headers: { x-a: { prefix: "on" } } }', withHeaders({ 'x-a': 'one' }, { 'x-a': 'no' })],
  ['header regex', '{ headers: { x-a: { regex: "[0-9]+" } } }', withHeaders({ 'x-a': '12' }, { 'x-a': '12x' }, {})],
  ['header present', '{ headers: { x-a: {} } }', withHeaders({ 'x-a': 'v' }, {}, { 'x-a': '' })],
  [
    'two headers',
    '{ headers: { x-a: { exact: "1" }, x-b: { exact: "2" } } }',
    withHeaders({ 'x-a': '1' }, { 'x-a': '1', 'x-b': '2' }),
  ],
  ['header several values', '{ headers: { x-a: { exact: "1,2" } } }', withHeaders({ 'x-a': '1,2' }, { 'x-a': '1, 2' })],
  [
    'user agent',
    '{ headers: { user-agent: { regex: ".*Mobile.*" } } }',
    withHeaders({ 'user-agent': 'A Mobile B' }, {}),
  ],
  [
    'cookie',
    '{ headers: { cookie: { regex: "^(.*?;)?(user=jason)(;.*)?$" } } }',
    withHeaders({ cookie: 'user=jason' }, { cookie: 'a=b; user=jason;c=d' }, { cookie: 'user=x' }),
  ],
  ['without header', '{ withoutHeaders: { x-a: { exact: "1" } } }', withHeaders({ 'x-a': '1' }, { 'x-a': '2' }, {})],
  ['without any header', '{ withoutHeaders: { x-a: {} } }', withHeaders({ 'x-a': '1' }, {})],
  [
    'with and without',
    '{ headers: { x-b: {} }, withoutHeaders: { x-a: { prefix: "n" } } }',
    withHeaders({ 'x-b': '1' }, { 'x-b': '1', 'x-a': 'no' }, { 'x-b': '1', 'x-a': 'yes' }),
  ],
  [
    'query exact',
    '{ queryParams: { q: { exact: "1" } } }',
    paths('/?q=1', '/?q=2', '/?a=b&q=1', '/', '/?q', '/?q=1&q=2'),
  ],
  ['query empty value', '{ queryParams: { q: { exact: "" } } }', paths('/?q', '/?q=', '/?q=1', '/')],
  ['query regex', '{ queryParams: { q: { regex: "[a-c]+" } } }', paths('/?q=abc', '/?q=abcd', '/?q=%61')],
  ['query prefix', '{ queryParams: { q: { prefix: ab } } }', paths('/?q=abc', '/?q=a')],
  ['port', '{ port: 80 }', [{}]],
  ['other port', '{ port: 81 }', [{}]],
  ['source labels that fit', '{ sourceLabels: { app: web } }', [{}]],
  ['source labels that do not fit', '{ sourceLabels: { app: other } }', [{}]],
  ['source namespace that fits', '{ sourceNamespace: shop }', [{}]],
  ['source namespace that does not fit', '{ sourceNamespace: other }', [{}]],
  ['gateways mesh', '{ uri: { prefix: / }, gateways: [mesh] }', [{}]],
  ['gateways other', '{ uri: { prefix: / }, gateways: [other] }', [{}]],
  [
    'all together',
    '{ uri: { prefix: /a }, method: { exact: GET }, headers: { x-a: { exact: "1" } }, queryParams: { q: { exact: "1" } } }',
    [{ path: '/a?q=1', headers: { 'x-a': '1' } }, { path: '/a', headers: { 'x-a': '1' } }, { path: '/a?q=1' }],
  ],
];

export const matching: readonly Scenario[] = [
  ...[...uri, ...conditions].map(([name, match, asks]) => ({
    name: `VirtualService.http.match: ${name}`,
    yaml: matchOrElse(match),
    asks,
  })),
  {
    name: 'VirtualService.http.match: blocks are alternatives',
    yaml: matchOrElse('{ uri: { exact: /a } }, { headers: { x-a: { exact: "1" } } }'),
    asks: [...paths('/a', '/b'), ...withHeaders({ 'x-a': '1' })],
  },
  {
    name: 'VirtualService.http: the first matching rule wins',
    yaml: `${virtualService(
      `- match: [{ uri: { prefix: /a } }]\n  route: [${to('v1')}]\n- match: [{ uri: { prefix: /a/b } }]\n  route: [${to('v2')}]`,
    )}\n${destinationRule()}`,
    asks: paths('/a/b', '/a', '/c'),
  },
  {
    name: 'VirtualService.http: nothing matches',
    yaml: virtualService('- match: [{ uri: { exact: /only } }]\n  route: [{ destination: { host: "{host}" } }]'),
    versions: ['v1'],
    asks: paths('/', '/only'),
  },
];
