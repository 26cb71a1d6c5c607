/** Limits of a destination, told by what becomes of many requests at once; and which of several policies is in force. */
import type { Ask, Scenario } from '../scenario.ts';
import { destinationRule, to, toAll, virtualService } from './resources.ts';

const slow = { delayMs: 800 };

const limited = (name: string, pool: string, retries: string, asks: readonly Ask[]): Scenario => ({
  name: `DestinationRule.connectionPool.${name}`,
  yaml: `${virtualService(`- retries: ${retries}\n  route: [${toAll}]`)}\n${destinationRule(`connectionPool: { ${pool} }`, [])}`,
  versions: ['v1'],
  asks,
});
const eight: readonly Ask[] = [{ order: slow, repeat: 8, atOnce: true }, {}];

/** One failure and the endpoint is out, where the policy is in force. */
const ejecting =
  'outlierDetection: { consecutive5xxErrors: 1, interval: 300s, baseEjectionTime: 300s, maxEjectionPercent: 100 }';
const failing: Ask = { order: { status: 500 } };
const later: Ask = { afterMs: 1_300 };

/** @param extra fields of the spec, indented by two */
const governed = (name: string, extra: string, asks: readonly Ask[], route = to('v1'), policy = ''): Scenario => ({
  name: `DestinationRule.${name}`,
  ...(route === toAll ? { versions: ['v1'] } : {}),
  yaml: `${virtualService(`- retries: { attempts: 0 }\n  route: [${route}]`)}\n${destinationRule(policy)}${extra}`,
  asks,
});
const own = (detection: string) =>
  `    - { name: own, labels: { version: v1 }, trafficPolicy: { ${detection} } }\n`.replaceAll('\n\n', '\n');
const never = 'outlierDetection: { consecutive5xxErrors: 0 }';

export const limits: readonly Scenario[] = [
  limited(
    'http.http1MaxPendingRequests: two go, two wait',
    'tcp: { maxConnections: 2 }, http: { http1MaxPendingRequests: 2 }',
    '{ attempts: 0 }',
    [{ order: slow, repeat: 2, atOnce: true }, ...eight],
  ),
  limited(
    'http.http1MaxPendingRequests: before there are connections',
    'tcp: { maxConnections: 2 }, http: { http1MaxPendingRequests: 1 }',
    '{ attempts: 0 }',
    eight,
  ),
  limited('tcp.maxConnections: the others wait', 'tcp: { maxConnections: 2 }', '{ attempts: 0 }', eight),
  limited('http.http2MaxRequests: three', 'http: { http2MaxRequests: 3 }', '{ attempts: 0 }', eight),
  limited('http.maxRetries: one at a time', 'http: { maxRetries: 1 }', '{ attempts: 1, retryOn: 5xx }', [
    { order: { status: 503, delayMs: 500 }, repeat: 6, atOnce: true },
  ]),
  governed('subsets.trafficPolicy: of the subset', own(ejecting), [failing, later], to('own')),
  governed('subsets.trafficPolicy: not where the subset is not named', own(ejecting), [failing, later]),
  governed('subsets.trafficPolicy: in place of the rule’s', own(never), [failing, later], to('own'), ejecting),
  governed(
    'subsets.trafficPolicy: fields it does not have are the rule’s',
    own('loadBalancer: { simple: RANDOM }'),
    [failing, later],
    to('own'),
    ejecting,
  ),
  governed(
    'portLevelSettings: in place of the rule’s',
    '',
    [failing, later],
    to('v1'),
    `${ejecting}\nportLevelSettings: [{ port: { number: 80 }, ${never} }]`,
  ),
  governed(
    'portLevelSettings: take nothing over from the rule',
    '',
    [failing, later],
    to('v1'),
    `${ejecting}\nportLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: RANDOM } }]`,
  ),
  governed(
    'portLevelSettings: of another port',
    '',
    [failing, later],
    to('v1'),
    `${ejecting}\nportLevelSettings: [{ port: { number: 81 }, ${never} }]`,
  ),
  governed('workloadSelector: of the caller', '  workloadSelector: { matchLabels: { app: web } }\n', [
    ...[{}, { path: '/x' }],
  ]),
  governed(
    'workloadSelector: of others',
    '  workloadSelector: { matchLabels: { app: other } }\n',
    [failing, failing, later],
    toAll,
    ejecting,
  ),
  governed('exportTo: its own namespace', '  exportTo: ["."]\n', [failing, later], to('v1'), ejecting),
  governed('exportTo: another namespace', '  exportTo: [other]\n', [failing, failing, later], toAll, ejecting),
  {
    name: 'DestinationRule.loadBalancer.consistentHash.useSourceIp: one caller, one endpoint',
    yaml: destinationRule('loadBalancer: { consistentHash: { useSourceIp: true } }', []),
    versions: ['v1', 'v2', 'v3'],
    asks: [{ repeat: 40, sticky: true }],
  },
  {
    name: 'DestinationRule.loadBalancer.consistentHash: cookies with a path, and the deprecated minimumRingSize',
    yaml: destinationRule(
      'loadBalancer: { consistentHash: { httpCookie: { name: user, path: /a, ttl: 60s }, minimumRingSize: 2048 } }',
      [],
    ),
    versions: ['v1'],
    asks: [{}, { headers: { cookie: 'user=one' } }],
  },
];
