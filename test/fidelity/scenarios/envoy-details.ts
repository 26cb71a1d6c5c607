import type { Ask, Scenario } from '../scenario.ts';
import { destinationRule, to, toAll, virtualService } from './resources.ts';

/** What generated cases have taught about the proxy's small print; each is one of them, made small. */

const rules = (http: string) => `${virtualService(http.trim())}\n${destinationRule()}`;
const rule = (fields: string, route = to('v1')) =>
  rules(`- ${fields.trim().replaceAll('\n', '\n  ')}\n  route: [${route}]`);
const local = (fields: string) => virtualService(`- ${fields.trim().replaceAll('\n', '\n  ')}`);
const add = 'headers: { response: { set: { x-a: set }, add: { x-b: added }, remove: [x-c] } }';
const abort = 'fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }';
const cors =
  'corsPolicy: { allowOrigins: [{ exact: "https://a.example" }], allowMethods: [PUT], exposeHeaders: [x-e] }';
const origin = { origin: 'https://a.example' };
const preflight: Ask = { method: 'OPTIONS', headers: { ...origin, 'access-control-request-method': 'PUT' } };
const twice = (headers: string, more = '') =>
  `{ destination: { host: "{host}.shop.svc.cluster.local", subset: v1 }, weight: 50, headers: ${headers}${more} }`;

const answers: readonly Scenario[] = [
  ['of a fault', rule(`${add}\n${abort}`), [{}]],
  ['of a redirect', local(`${add}\nredirect: { uri: /b }`), [{}]],
  ['of a direct response', local(`${add}\ndirectResponse: { status: 404, body: { string: none } }`), [{}]],
  ['with a content type', local(contentType()), [{}]],
  ['of no healthy upstream', rule(add, to('v9')), [{}]],
  ['of a timeout', rule(`${add}\ntimeout: 1s`), [{ order: { delayMs: 3_000 } }]],
  ['of a reset', rule(add), [{ order: { reset: true } }]],
  ['of a preflight', rule(`${add}\n${cors}`), [preflight, { headers: origin }]],
].map(([name, yaml, asks]) => ({ name: `Headers of the mesh's answers: ${name}`, yaml, asks }) as Scenario);

function contentType(): string {
  return 'headers: { response: { set: { content-type: application/json } } }\ndirectResponse: { status: 200, body: { string: "{}" } }';
}

const order: readonly Scenario[] = [
  {
    name: 'Order: a fault comes before CORS',
    yaml: rule(`${cors}\n${abort}`),
    asks: [preflight, { headers: origin }],
  },
  {
    name: 'Order: redirects and direct responses know no CORS',
    yaml: rules(`- match: [{ uri: { prefix: /a } }]
  ${cors}
  redirect: { uri: /b }
- ${cors}
  directResponse: { status: 200, body: { string: direct } }`),
    asks: [preflight, { headers: origin }, { ...preflight, path: '/a' }, { path: '/a', headers: origin }],
  },
  {
    name: 'Order: what a fault answers is not mirrored',
    yaml: rule(`${abort}\nmirror: { host: "{host}.shop.svc.cluster.local", subset: v2 }`),
    asks: [{ mirrored: true }, { method: 'POST', body: 'hello', mirrored: true }],
  },
  {
    name: 'Order: what finds no upstream is not mirrored',
    yaml: rule('mirror: { host: "{host}.shop.svc.cluster.local", subset: v2 }', to('v9')),
    asks: [{ mirrored: true }],
  },
  {
    name: 'VirtualService.http.mirrors: several, and of none',
    yaml: rule(`mirrors:
  - { destination: { host: "{host}.shop.svc.cluster.local", subset: v2 } }
  - { destination: { host: "{host}.shop.svc.cluster.local", subset: v1 }, percentage: { value: 0 } }`),
    asks: [{ mirrored: true }],
  },
];

const headers: readonly Scenario[] = [
  {
    name: 'Header changes: of a rule and its only destination, removals first, then replacements, then additions',
    yaml: rule(
      'headers: { request: { set: { x-a: rule }, add: { x-b: rule } }, response: { add: { x-b: rule } } }',
      `{ destination: { host: "{host}.shop.svc.cluster.local", subset: v1 }, headers: { request: { set: { x-a: only, x-b: only }, remove: [x-b] }, response: { set: { x-b: only } } } }`,
    ),
    asks: [{ headers: { 'x-a': 'own', 'x-b': 'own' }, order: { headers: { 'x-b': 'up' } } }],
  },
  {
    name: 'Header changes: of several destinations, theirs before the rule’s',
    yaml: rule(
      'headers: { request: { set: { x-a: rule }, add: { x-c: "[%REQ(x-b)%]" }, remove: [x-d] } }',
      `${twice('{ request: { set: { x-a: one, x-b: one }, add: { x-d: one } } }')}, ${twice('{ request: { set: { x-a: one, x-b: one }, add: { x-d: one } } }')}`,
    ),
    asks: [{ headers: { 'x-a': 'own', 'x-d': 'own' } }],
  },
  {
    name: 'Header changes: a destination sets the authority',
    yaml: rules(`- match: [{ uri: { prefix: /only } }]
  route: [${twice('{ request: { set: { host: only.example } } }')}]
- match: [{ uri: { prefix: /ruled } }]
  headers: { request: { set: { host: rule.example } } }
  route: [${twice('{ request: { set: { host: one.example } } }')}]
- route: [${twice('{ request: { set: { host: one.example } } }')}, ${twice('{ request: { set: { ":authority": one.example } } }')}]`),
    asks: [{ path: '/only' }, { path: '/ruled' }, {}],
  },
  {
    name: 'Header variables: of the request, after what was removed',
    yaml: rule('headers: { request: { set: { x-a: "%REQ(x-b)%", x-c: "[%REQ(x-d?x-e)%]" }, remove: [x-b] } }'),
    asks: [{ headers: { 'x-a': 'own', 'x-b': 'b', 'x-e': 'e' } }],
  },
  {
    name: 'Header variables: the path, before it is rewritten for the request, after it for the answer',
    yaml: rule(
      'rewrite: { uri: /b, authority: other.example }\nheaders: { request: { set: { x-a: "%REQ(:path)% %REQ(:authority)% %REQ(:method)%" } }, response: { set: { x-a: "%REQ(:path)% %REQ(:authority)%" } } }',
    ),
    asks: [{ path: '/a?q=1' }],
  },
  {
    name: 'Header variables: of an answer that no upstream gave',
    yaml: rule(
      `rewrite: { uri: /b }\nheaders: { request: { set: { x-b: new } }, response: { set: { x-a: "%REQ(:path)% %REQ(x-b)% %RESPONSE_CODE%" } } }\n${abort}`,
    ),
    asks: [{ path: '/a', headers: { 'x-b': 'own' } }],
  },
  {
    name: 'Header variables: response code, headers of the answer, the first of several values',
    yaml: rule(
      'headers: { request: { add: { x-a: "%RESPONSE_CODE%" } }, response: { add: { x-b: "%RESPONSE_CODE%", x-c: "[%RESP(x-up)%]", x-d: "[%REQ(x-a)%]" } } }',
    ),
    asks: [
      { headers: { 'x-a': 'own' }, order: { status: 404, headers: { 'x-up': 'up' } } },
      { order: { reset: true } },
    ],
  },
  {
    name: 'Header variables: a cookie for stickiness goes with answers of upstreams only',
    yaml: `${virtualService(`- match: [{ uri: { prefix: /a } }]\n  ${abort}\n  route: [${to('v1')}]\n- route: [${to('v1')}]`)}\n${destinationRule('loadBalancer: { consistentHash: { httpCookie: { name: sticky, ttl: 60s } } }')}`,
    asks: [{}, { path: '/a' }, { headers: { cookie: 'sticky=abc' } }],
  },
];

const targets: readonly Scenario[] = [
  {
    name: 'Empty query: kept by rewrites, redirects and normalization',
    yaml: rules(`- match: [{ uri: { prefix: /a } }]
  rewrite: { uri: /b }
  route: [${to('v1')}]
- match: [{ uri: { prefix: /r } }]
  redirect: { uri: /b }
- route: [${to('v1')}]`),
    asks: ['/a?', '/a', '/r?', '/x/../y?', '/y?'].map((path) => ({ path })),
  },
  {
    name: 'VirtualService.http.redirect: to a path without a slash',
    yaml: local('redirect: { uri: to }'),
    asks: [{ path: '/a?q=1' }],
  },
  ...(
    ['port: 80', 'port: 443', 'port: 443, scheme: https', 'derivePort: FROM_PROTOCOL_DEFAULT', 'scheme: https'] as const
  ).map((redirect) => ({
    name: `VirtualService.http.redirect: ${redirect}, of hosts with and without a port`,
    yaml: local(`redirect: { ${redirect} }`),
    asks: [{}, { authority: '{host}.shop.svc.cluster.local:80' }],
  })),
  {
    name: 'VirtualService.http.directResponse: 201 and 3xx say where',
    yaml: rules(`- match: [{ uri: { prefix: /made } }]
  directResponse: { status: 201 }
- directResponse: { status: 302, body: { string: moved } }`),
    asks: [{ path: '/made?q=1' }, { path: '/x' }],
  },
  {
    name: 'VirtualService.http.directResponse: 204 with a body',
    yaml: local('directResponse: { status: 204, body: { string: text } }'),
    asks: [{}],
  },
  {
    name: 'VirtualService.http.match: gateways take the place of source labels',
    yaml: rules(
      `- match: [{ gateways: [mesh], sourceLabels: { app: other }, uri: { prefix: / } }]\n  route: [${to('v1')}]\n- route: [${to('v2')}]`,
    ),
    asks: [{}],
  },
  {
    name: 'VirtualService.http: all rules are for other ports',
    yaml: virtualService(`- match: [{ port: 81 }]\n  directResponse: { status: 418 }`),
    versions: ['v1'],
    asks: [{}],
  },
  {
    name: 'VirtualService.http: all rules are for other sources',
    yaml: virtualService(`- match: [{ sourceLabels: { app: other } }]\n  directResponse: { status: 418 }`),
    versions: ['v1'],
    asks: [{}],
  },
  {
    name: 'VirtualService.http.delegate: rules of the delegate, with what the root says',
    yaml: `${virtualService(`- match: [{ uri: { prefix: /a } }]
  timeout: 5s
  headers: { request: { set: { x-root: yes } } }
  delegate: { name: "{host}-part", namespace: shop }
- route: [${toAll}]`).replaceAll('yes', '"yes"')}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: "{host}-part", namespace: shop }
spec:
  http:
    - match: [{ uri: { prefix: /a/b }, headers: { x-a: {} } }]
      directResponse: { status: 418 }
    - match: [{ uri: { prefix: /c } }]
      directResponse: { status: 201 }
    - rewrite: { uri: /z }
      route: [${toAll}]`,
    versions: ['v1'],
    asks: [{ path: '/a/b', headers: { 'x-a': '1' } }, { path: '/a/b' }, { path: '/c' }, { path: '/a' }],
  },
  {
    name: 'gRPC: the mesh answers in its words',
    yaml: rules(`- match: [{ uri: { prefix: /abort } }]
  ${abort}
  route: [${to('v1')}]
- match: [{ uri: { prefix: /none } }]
  route: [${to('v9')}]
- match: [{ uri: { prefix: /direct } }]
  directResponse: { status: 404, body: { string: nothing } }
- redirect: { uri: /b }`),
    asks: ['/abort', '/none', '/direct', '/'].map((path) => ({
      path,
      method: 'POST',
      headers: { 'content-type': 'application/grpc' },
    })),
  },
];

export const envoyDetails: readonly Scenario[] = [...answers, ...order, ...headers, ...targets];
