/** What is drawn: pauses between attempts, copies, places of keys. */
import type { Scenario } from '../scenario.ts';
import { destinationRule, to, toAll, virtualService } from './resources.ts';

const one: readonly string[] = ['v1'];
const three: readonly string[] = ['v1', 'v2', 'v3'];
const self = '{host}.shop.svc.cluster.local';
const failing = { status: 503 };

const backOff = (name: string, retries: string, forIstio = ''): Scenario => ({
  name: `VirtualService.http.retries: back-off${name}`,
  yaml: virtualService(`- retries: ${retries}\n  route: [${toAll}]`),
  versions: one,
  forIstio,
  asks: [{ order: failing, repeat: 96, pauses: true }],
});

/** Istio of 2026 says a back-off in these words to Envoy (pilot/pkg/networking/core/route/retry). */
const baseInterval = (interval: string) => `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: "{host}-backoff", namespace: shop }
spec:
  configPatches:
    - applyTo: HTTP_ROUTE
      match: { context: SIDECAR_OUTBOUND, routeConfiguration: { vhost: { name: "${self}:80" } } }
      patch: { operation: MERGE, value: { route: { retry_policy: { retry_back_off: { base_interval: ${interval} } } } } }
`;

const mirrored = (name: string, fields: string): Scenario => ({
  name: `VirtualService.http.${name}`,
  yaml: `${virtualService(`- route: [${to('v1')}]\n  ${fields.trim().replaceAll('\n', '\n  ')}`)}\n${destinationRule('', three)}`,
  versions: three,
  asks: [{ repeat: 500, mirrored: true }],
});
const copyTo = (subset: string) => `{ host: ${self}, subset: ${subset} }`;

const placed = (name: string, table: string, key: string, ask: Scenario['asks'][number]): Scenario => ({
  name: `DestinationRule.loadBalancer.consistentHash: keys and endpoints, ${name}`,
  yaml: `${virtualService(`- retries: { attempts: 0 }\n  route: [${toAll}]`)}\n${destinationRule(
    `loadBalancer: { consistentHash: { ${key}${table} } }
outlierDetection: { consecutive5xxErrors: 1, interval: 300s, baseEjectionTime: 300s, maxEjectionPercent: 100 }`,
    [],
  )}`,
  versions: three,
  asks: [{ repeat: 300, keysUntilFails: 'v3', ...ask }],
});

export const chances: readonly Scenario[] = [
  backOff(' as long as it grows', '{ attempts: 6, retryOn: 5xx }'),
  backOff(' of another base', '{ attempts: 4, retryOn: 5xx, backoff: 60ms }', baseInterval('0.06s')),
  mirrored('mirrorPercentage: a third', `mirror: ${copyTo('v2')}\nmirrorPercentage: { value: 33 }`),
  mirrored('mirrorPercentage: a tenth of a per cent', `mirror: ${copyTo('v2')}\nmirrorPercentage: { value: 0.1 }`),
  mirrored('mirrorPercent: the deprecated field', `mirror: ${copyTo('v2')}\nmirrorPercent: 60`),
  mirrored('mirror_percent: the deprecated field', `mirror: ${copyTo('v2')}\nmirror_percent: 60`),
  mirrored('mirror.port: with a port', `mirror: ${copyTo('v2, port: { number: 80 }')}`),
  mirrored(
    'mirrors.destination.port: with a port',
    `mirrors: [{ destination: ${copyTo('v2, port: { number: 80 }')} }]`,
  ),
  mirrored(
    'mirrors.percentage: each on its own',
    `mirrors:
  - { destination: ${copyTo('v2')}, percentage: { value: 30 } }
  - { destination: ${copyTo('v3')}, percentage: { value: 60 } }`,
  ),
  placed('ring', '', 'httpHeaderName: x-user', { headers: { 'x-user': '{key}' } }),
  placed('a larger ring', ', ringHash: { minimumRingSize: 4096 }', 'httpQueryParameterName: user', {
    path: '/?user={key}',
  }),
  placed('Maglev', ', maglev: { tableSize: 65537 }', 'httpCookie: { name: user, ttl: 0s }', {
    headers: { cookie: 'user={key}' },
  }),
];
