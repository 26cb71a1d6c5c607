import type { Ask, Scenario } from '../scenario.ts';
import { destinationRule, to, toAll, virtualService } from './resources.ts';

const rule = (fields: string) =>
  `${virtualService(`- ${fields.trim().replaceAll('\n', '\n  ')}\n  route: [${toAll}]`)}`;
const retry = (retries: string) => rule(`retries: ${retries}`);
const one: readonly string[] = ['v1'];

const failing = (status: number, times?: number): Ask => ({
  order: { status, ...(times === undefined ? {} : { times }) },
});

const retries: readonly [string, string, readonly Ask[]][] = [
  ['default policy does not repeat 503', '', [failing(503), failing(500), failing(502)]],
  ['default policy and resets', '', [{ order: { reset: true } }, { order: { reset: true, times: 1 } }]],
  ['off', '{ attempts: 0 }', [failing(503), { order: { reset: true } }]],
  [
    '5xx',
    '{ attempts: 2, retryOn: 5xx }',
    [failing(503), failing(500, 1), failing(404), failing(503, 2), { order: { reset: true } }],
  ],
  [
    'gateway-error',
    '{ attempts: 2, retryOn: gateway-error }',
    [failing(500), failing(502), failing(503, 1), failing(504)],
  ],
  [
    'reset',
    '{ attempts: 2, retryOn: reset }',
    [{ order: { reset: true } }, { order: { reset: true, times: 1 } }, failing(503)],
  ],
  ['status code', '{ attempts: 2, retryOn: "503" }', [failing(503), failing(500), { order: { reset: true } }]],
  ['retriable-4xx', '{ attempts: 2, retryOn: retriable-4xx }', [failing(409), failing(404), failing(503)]],
  [
    'several conditions',
    '{ attempts: 3, retryOn: "reset,503,retriable-4xx" }',
    [failing(503, 2), failing(409, 1), failing(500)],
  ],
  ['attempts only', '{ attempts: 3 }', [failing(503), { order: { reset: true } }]],
  ['connect-failure only', '{ attempts: 2, retryOn: connect-failure }', [{ order: { reset: true } }, failing(503)]],
  [
    'body is sent again',
    '{ attempts: 2, retryOn: 5xx }',
    [{ method: 'POST', body: 'hello', order: { status: 503, times: 1 } }],
  ],
  [
    'per try timeout',
    '{ attempts: 2, retryOn: 5xx, perTryTimeout: 1s }',
    [{ order: { delayMs: 4_000, times: 1 } }, { order: { delayMs: 4_000 } }],
  ],
];

export const resilience: readonly Scenario[] = [
  ...retries.map(([name, policy, asks]) => ({
    name: `VirtualService.http.retries: ${name}`,
    yaml: policy === '' ? rule('name: plain') : retry(policy),
    versions: one,
    asks,
  })),
  {
    name: 'VirtualService.http.timeout: upstream is slower',
    yaml: rule('timeout: 1s'),
    versions: one,
    asks: [
      { order: { delayMs: 4_000 } },
      { order: { delayMs: 10 } },
      { method: 'POST', body: 'x', order: { delayMs: 4_000 } },
    ],
  },
  {
    name: 'VirtualService.http.timeout: with retries',
    yaml: rule('timeout: 2500ms\nretries: { attempts: 5, retryOn: 5xx, perTryTimeout: 1s }'),
    versions: one,
    asks: [{ order: { delayMs: 6_000 } }, { order: { delayMs: 6_000, times: 1 } }],
  },
  {
    name: 'VirtualService.http.fault: abort all',
    yaml: rule('fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }'),
    versions: one,
    asks: [{}, { method: 'POST', body: 'x' }],
  },
  {
    name: 'VirtualService.http.fault: abort without percentage',
    yaml: rule('fault: { abort: { httpStatus: 418 } }'),
    versions: one,
    asks: [{ repeat: 20 }],
  },
  {
    name: 'VirtualService.http.fault: abort a third',
    yaml: rule('fault: { abort: { httpStatus: 503, percentage: { value: 33 } } }'),
    versions: one,
    asks: [{ repeat: 500 }],
  },
  {
    name: 'VirtualService.http.fault: gRPC status',
    yaml: rule('fault: { abort: { grpcStatus: UNAVAILABLE, percentage: { value: 100 } } }'),
    versions: one,
    asks: [{}, { headers: { 'content-type': 'application/grpc' } }],
  },
  {
    name: 'VirtualService.http.fault: delay and abort',
    yaml: rule(
      'fault: { delay: { fixedDelay: 50ms, percentage: { value: 100 } }, abort: { httpStatus: 500, percentage: { value: 100 } } }',
    ),
    versions: one,
    asks: [{}],
  },
  {
    name: 'VirtualService.http.fault: switches retries and timeouts off',
    yaml: rule(
      'timeout: 3s\nretries: { attempts: 3, retryOn: 5xx }\nfault: { abort: { httpStatus: 503, percentage: { value: 0 } } }',
    ),
    versions: one,
    asks: [failing(503), { order: { delayMs: 6_000 } }],
  },
  {
    name: 'VirtualService.http.corsPolicy: origins',
    yaml: rule(
      'corsPolicy: { allowOrigins: [{ exact: "https://a.example" }, { regex: "https://.*[.]b[.]example" }], allowMethods: [GET, PUT], allowHeaders: [x-a], exposeHeaders: [x-e], maxAge: 24h, allowCredentials: true }',
    ),
    versions: one,
    asks: [
      { headers: { origin: 'https://a.example' } },
      { headers: { origin: 'https://x.b.example' } },
      { headers: { origin: 'https://no.example' } },
      {},
      { method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'PUT' } },
      { method: 'OPTIONS', headers: { origin: 'https://no.example', 'access-control-request-method': 'PUT' } },
      { method: 'OPTIONS', headers: { origin: 'https://a.example' } },
    ],
  },
  ...(
    [
      ['prefixes of origins', 'allowOrigins: [{ prefix: "https://a." }], allowMethods: [GET]'],
      ['the deprecated allowOrigin', 'allowOrigin: ["https://a.example"], allowMethods: [GET]'],
    ] as const
  ).map(([name, policy]) => ({
    name: `VirtualService.http.corsPolicy: ${name}`,
    yaml: rule(`corsPolicy: { ${policy} }`),
    versions: one,
    asks: ['https://a.example', 'https://b.example'].flatMap((origin) => [
      { headers: { origin } },
      { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } },
    ]),
  })),
  ...(['percentage: { value: 30 }', 'percent: 60', 'percentage: { value: 0.1 }'] as const).map((share) => ({
    name: `VirtualService.http.fault.delay: ${share}`,
    yaml: rule(`fault: { delay: { fixedDelay: 4s, ${share} } }`),
    versions: one,
    asks: [{ repeat: 150, slowFromMs: 3_900 }],
  })),
  {
    name: 'VirtualService.http.retries: another endpoint than the one that failed',
    yaml: `${virtualService(`- route: [${toAll}]\n  retries: { attempts: 1, retryOn: 5xx }`)}\n${destinationRule('loadBalancer: { simple: ROUND_ROBIN }', [])}`,
    draws: true,
    asks: [{ order: { status: 503, only: 'v1' }, repeat: 200 }],
  },
  {
    name: 'DestinationRule.loadBalancer: consistent hash on a header',
    yaml: `${destinationRule('loadBalancer: { consistentHash: { httpHeaderName: x-user } }', [])}`,
    versions: ['v1', 'v2', 'v3'],
    asks: ['a', 'b', 'c', 'd'].map((user) => ({ headers: { 'x-user': user }, repeat: 12, sticky: true })),
  },
  {
    name: 'DestinationRule.loadBalancer: consistent hash on a query parameter',
    yaml: `${destinationRule('loadBalancer: { consistentHash: { httpQueryParameterName: user } }', [])}`,
    versions: ['v1', 'v2', 'v3'],
    asks: ['a', 'b', 'c'].map((user) => ({ path: `/?user=${user}`, repeat: 12, sticky: true })),
  },
  {
    name: 'DestinationRule.loadBalancer: round robin',
    yaml: `${destinationRule('loadBalancer: { simple: ROUND_ROBIN }', [])}`.replace(/\n {2}subsets:\n$/, '\n'),
    asks: [{ repeat: 300 }],
  },
  {
    name: 'DestinationRule.outlierDetection: a failing endpoint is ejected',
    yaml: `${virtualService(`- route: [${to('v1')}]\n  retries: { attempts: 0 }`)}\n${destinationRule(
      'outlierDetection: { consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 100 }',
    )}`,
    asks: [failing(500), failing(500), failing(500), { afterMs: 1_300 }, {}],
  },
  {
    name: 'DestinationRule.outlierDetection: the deprecated consecutiveErrors',
    yaml: `${virtualService(`- route: [${to('v1')}]\n  retries: { attempts: 0 }`)}\n${destinationRule(
      'outlierDetection: { consecutiveErrors: 2, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 100 }',
    )}`,
    asks: [failing(502), failing(502), { afterMs: 1_300 }, failing(500), { afterMs: 1_300 }],
  },
  {
    name: 'VirtualService.http.mirror: the answer is the first one’s',
    yaml: `${virtualService(`- route: [${to('v1')}]\n  mirror: { host: "{host}.shop.svc.cluster.local", subset: v2 }`)}\n${destinationRule()}`,
    asks: [{ mirrored: true }, { method: 'POST', body: 'hello', mirrored: true }],
  },
];
