import type { Scenario } from '../scenario.ts';
import { destinationRule, to, toAll, virtualService } from './resources.ts';

const rule = (fields: string, route = to('v1')) =>
  `${virtualService(`- ${fields.trim().replaceAll('\n', '\n  ')}\n  route: [${route}]`)}\n${destinationRule()}`;
const local = (fields: string) => virtualService(`- ${fields.trim().replaceAll('\n', '\n  ')}`);

const split = (name: string, route: string): Scenario => ({
  name: `VirtualService.http.route.weight: ${name}`,
  yaml: `${virtualService(`- route: [${route}]`)}\n${destinationRule()}`,
  asks: [{ repeat: 400 }],
});

const rewrites: readonly [string, string, readonly string[]][] = [
  [
    'prefix by prefix',
    'match: [{ uri: { prefix: /a } }]\nrewrite: { uri: /b }',
    ['/a', '/a/x', '/ax', '/a?q=1', '/a/x?q=1'],
  ],
  ['prefix by root', 'match: [{ uri: { prefix: /a } }]\nrewrite: { uri: / }', ['/a', '/a/x', '/ax']],
  ['prefix with slash by root', 'match: [{ uri: { prefix: /a/ } }]\nrewrite: { uri: / }', ['/a/', '/a/x']],
  ['exact', 'match: [{ uri: { exact: /a } }]\nrewrite: { uri: /b/c }', ['/a', '/a?x=1']],
  ['regex match', 'match: [{ uri: { regex: "/a.*" } }]\nrewrite: { uri: /b }', ['/a', '/abc', '/abc?x=1']],
  ['no match', 'rewrite: { uri: /b }', ['/a', '/']],
  ['ignoring case', 'match: [{ uri: { prefix: /a }, ignoreUriCase: true }]\nrewrite: { uri: /b }', ['/A/x']],
  [
    'by regex',
    'rewrite: { uriRegexRewrite: { match: "/v([0-9]+)/(.*)", rewrite: "/\\\\2/v\\\\1" } }',
    ['/v1/x', '/v12/a/b?q=1', '/none'],
  ],
  ['by regex, part of the path', 'rewrite: { uriRegexRewrite: { match: "o+", rewrite: "0" } }', ['/foo/boo', '/x']],
];

const redirects: readonly [string, string, readonly string[]][] = [
  ['path', 'redirect: { uri: /b }', ['/a', '/a?x=1']],
  ['path of a prefix match', 'match: [{ uri: { prefix: /a } }]\nredirect: { uri: /b }', ['/a/x', '/a']],
  ['authority', 'redirect: { authority: other.example }', ['/a?x=1']],
  ['both and code', 'redirect: { uri: /b, authority: other.example, redirectCode: 308 }', ['/a']],
  ['scheme', 'redirect: { scheme: https }', ['/a']],
  ['port', 'redirect: { port: 8443 }', ['/a']],
  ['port from protocol default', 'redirect: { derivePort: FROM_PROTOCOL_DEFAULT }', ['/a']],
  ['port from request', 'redirect: { derivePort: FROM_REQUEST_PORT }', ['/a']],
  ['code 302', 'redirect: { uri: /b, redirectCode: 302 }', ['/a']],
  ['code 303', 'redirect: { uri: /b, redirectCode: 303 }', ['/a']],
  ['code 307', 'redirect: { uri: /b, redirectCode: 307 }', ['/a']],
];

const headerOps: readonly [string, string][] = [
  ['request set', 'headers: { request: { set: { x-a: new } } }'],
  ['request add', 'headers: { request: { add: { x-a: more } } }'],
  ['request remove', 'headers: { request: { remove: [x-a] } }'],
  ['request set, add, remove', 'headers: { request: { set: { x-a: s }, add: { x-a: a, x-b: b }, remove: [x-c] } }'],
  ['remove and set the same', 'headers: { request: { set: { x-a: s }, remove: [x-a] } }'],
  ['host', 'headers: { request: { set: { host: other.example } } }'],
  ['authority', 'rewrite: { authority: other.example }'],
  ['response set', 'headers: { response: { set: { x-up: new } } }'],
  ['response add', 'headers: { response: { add: { x-up: more } } }'],
  ['response remove', 'headers: { response: { remove: [x-up] } }'],
  ['variable', 'headers: { request: { set: { x-a: "%REQ(x-c)%" } } }'],
  ['percent sign', 'headers: { request: { set: { x-a: "100%%" } } }'],
];

export const forwarding: readonly Scenario[] = [
  split('90 and 10', `${to('v1', 90)}, ${to('v2', 10)}`),
  split('50 and 50', `${to('v1', 50)}, ${to('v2', 50)}`),
  split('sum is not 100', `${to('v1', 1)}, ${to('v2', 3)}`),
  split('zero', `${to('v1', 100)}, ${to('v2', 0)}`),
  split('single with a small weight', to('v2', 10)),
  split('no subsets', toAll),
  ...rewrites.map(([name, fields, paths]) => ({
    name: `VirtualService.http.rewrite: ${name}`,
    yaml: rule(fields),
    asks: paths.map((path) => ({ path })),
  })),
  ...redirects.map(([name, fields, paths]) => ({
    name: `VirtualService.http.redirect: ${name}`,
    yaml: local(fields),
    asks: paths.map((path) => ({ path })),
  })),
  ...headerOps.map(([name, fields]) => ({
    name: `VirtualService.http.headers: ${name}`,
    yaml: rule(fields),
    asks: [
      { headers: { 'x-a': 'old', 'x-c': 'c' }, order: { headers: { 'x-up': 'old' } } },
      { order: { status: 404 } },
    ],
  })),
  {
    name: 'VirtualService.http.route.headers: of the destination and of the rule',
    yaml: `${virtualService(`- headers: { request: { add: { x-a: rule } }, response: { add: { x-up: rule } } }
  route:
    - destination: { host: "{host}.shop.svc.cluster.local", subset: v1 }
      headers: { request: { add: { x-a: destination } }, response: { add: { x-up: destination } } }`)}\n${destinationRule()}`,
    asks: [{ headers: { 'x-a': 'own' }, order: { headers: { 'x-up': 'own' } } }],
  },
  {
    name: 'VirtualService.http.route.headers: the destination takes one away from the answer',
    yaml: rule(
      'name: plain',
      '{ destination: { host: "{host}.shop.svc.cluster.local", subset: v1 }, headers: { response: { remove: [x-up] } } }',
    ),
    asks: [{ order: { headers: { 'x-up': 'own' } } }],
  },
  ...(['gateways: [mesh]', 'gateways: [shop/other]', 'exportTo: ["."]', 'exportTo: [other]'] as const).map((field) => ({
    name: `VirtualService.${field}`,
    yaml: rule('directResponse: { status: 418 }')
      .replace('  http:', `  ${field}\n  http:`)
      .replace(/\n *route: .*/, ''),
    versions: ['v1'],
    asks: [{}],
  })),
  {
    name: 'VirtualService.http.directResponse: text',
    yaml: local('directResponse: { status: 418, body: { string: "short and stout" } }'),
    asks: [{}, { method: 'POST', body: 'x' }, { method: 'HEAD' }],
  },
  {
    name: 'VirtualService.http.directResponse: bytes and headers',
    yaml: local(
      'directResponse: { status: 503, body: { bytes: "aGVsbG8=" } }\nheaders: { response: { set: { x-a: b } } }',
    ),
    asks: [{}],
  },
  {
    name: 'VirtualService.http.directResponse: no body',
    yaml: local('directResponse: { status: 204 }'),
    asks: [{}],
  },
  {
    name: 'VirtualService.http.route.destination: unknown subset',
    yaml: `${virtualService(`- route: [${to('v9')}]`)}\n${destinationRule()}`,
    asks: [{}],
  },
  {
    name: 'VirtualService.http.route.destination: subset without a DestinationRule',
    yaml: virtualService(`- route: [${to('v1')}]`),
    asks: [{}],
  },
  {
    name: 'VirtualService.http.route.destination: unknown host',
    yaml: virtualService('- route: [{ destination: { host: nobody.shop.svc.cluster.local } }]'),
    asks: [{}],
  },
];
