/** Where traffic goes among endpoints that are not alike: places, weights, health; and what becomes of it when nobody answers. */
import type { Ask, Scenario } from '../scenario.ts';
import { virtualService } from './resources.ts';

interface Place {
  readonly version: string;
  /** Other fields of the endpoint. */
  readonly more?: string;
}

/** A host of its own with endpoints at places, to which everything is routed; `policy` is its `trafficPolicy`. */
function placed(endpoints: readonly Place[], policy: string, retries = '{ attempts: 0 }'): string {
  const items = endpoints.map(
    ({ version, more = '' }) =>
      `    - { address: 127.0.0.1, ports: { http: {port:${version}} }, labels: { version: "${version}", tier: ${version === 'v1' ? 'front' : 'back'} }${more === '' ? '' : `, ${more}`} }\n`,
  );
  return `${virtualService(`- retries: ${retries}\n  route: [{ destination: { host: "{host}.example", port: { number: 80 } } }]`)}
${entry(items.join(''))}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: "{host}-x", namespace: shop }
spec:
  host: "{host}.example"
  trafficPolicy: { ${policy} }
`;
}

function entry(endpoints: string): string {
  return `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: "{host}-x", namespace: shop }
spec:
  hosts: ["{host}.example"]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints:
${endpoints}`;
}

const many: readonly Ask[] = [{ repeat: 400 }];
const two: readonly Place[] = [
  { version: 'v1', more: 'locality: us/a' },
  { version: 'v2', more: 'locality: eu/b' },
];
const roundRobin = 'simple: ROUND_ROBIN';
const ejecting =
  'outlierDetection: { consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 300s, interval: 300s }';
const failing: Ask = { order: { status: 503 } };
/** Envoy passes changes of health on once a second at most. */
const later: Ask = { afterMs: 1_300 };
const dead = '    - { address: 127.0.0.1, ports: { http: 1 } }\n';
const toDead = virtualService(
  '- retries: { attempts: 0 }\n  route: [{ destination: { host: "{host}.example", port: { number: 80 } } }]',
);

export const upstreams: readonly Scenario[] = [
  {
    name: 'WorkloadEntry.weight: three to one',
    yaml: placed([{ version: 'v1', more: 'weight: 3' }, { version: 'v2' }], `loadBalancer: { ${roundRobin} }`),
    draws: true,
    asks: many,
  },
  {
    name: 'DestinationRule.loadBalancer.localityLbSetting.distribute: from everywhere',
    yaml: placed(
      two,
      `loadBalancer: { ${roundRobin}, localityLbSetting: { distribute: [{ from: "*", to: { "us/*": 80, "eu/*": 20 } }] } }`,
    ),
    draws: true,
    asks: many,
  },
  {
    name: 'DestinationRule.loadBalancer.localityLbSetting.failoverPriority: by a label',
    yaml: placed(two, `${ejecting}, loadBalancer: { ${roundRobin}, localityLbSetting: { failoverPriority: [tier] } }`),
    asks: [{ repeat: 40 }],
  },
  {
    name: 'DestinationRule.loadBalancer.localityLbSetting.failoverPriority: without outlier detection',
    yaml: placed(two, `loadBalancer: { ${roundRobin}, localityLbSetting: { failoverPriority: [tier] } }`),
    draws: true,
    asks: many,
  },
  {
    name: 'DestinationRule.loadBalancer.localityLbSetting.enabled: no',
    yaml: placed(
      two,
      `${ejecting}, loadBalancer: { ${roundRobin}, localityLbSetting: { failoverPriority: [tier], enabled: false } }`,
    ),
    draws: true,
    asks: many,
  },
  {
    name: 'DestinationRule.loadBalancer.localityLbSetting.failoverPriority: the first place fails',
    yaml: placed(two, `${ejecting}, loadBalancer: { ${roundRobin}, localityLbSetting: { failoverPriority: [tier] } }`),
    asks: [{}, failing, later, {}],
  },
  {
    name: 'DestinationRule.loadBalancer.localityLbSetting.failoverPriority: every place has failed',
    yaml: placed(two, `${ejecting}, loadBalancer: { ${roundRobin}, localityLbSetting: { failoverPriority: [tier] } }`),
    asks: [failing, { ...failing, ...later }, later],
  },
  {
    name: 'DestinationRule.loadBalancer.localityLbSetting.failover: the caller has no place',
    yaml: placed(
      two,
      `${ejecting}, loadBalancer: { ${roundRobin}, localityLbSetting: { failover: [{ from: us, to: eu }] } }`,
    ),
    draws: true,
    asks: many,
  },
  {
    name: 'DestinationRule.outlierDetection.minHealthPercent: panic',
    yaml: placed(
      [{ version: 'v1' }],
      'outlierDetection: { consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 300s, interval: 300s, minHealthPercent: 60 }',
    ),
    asks: [failing, later, {}],
  },
  {
    name: 'DestinationRule.outlierDetection.minHealthPercent: never without it',
    yaml: placed([{ version: 'v1' }], ejecting),
    asks: [failing, later, {}],
  },
  {
    name: 'DestinationRule.connectionPool.tcp.connectTimeout: nobody listens',
    yaml: `${toDead}\n${entry(dead)}`,
    asks: [{}, { method: 'POST', body: 'x' }],
  },
  {
    name: 'DestinationRule.connectionPool.http.maxRequestsPerConnection: requests go on',
    yaml: placed(
      [{ version: 'v1' }],
      'connectionPool: { http: { maxRequestsPerConnection: 1, idleTimeout: 1s }, tcp: { connectTimeout: 1s, idleTimeout: 1s, maxConnectionDuration: 1s, tcpKeepalive: { time: 10s, interval: 5s, probes: 3 } } }',
    ),
    asks: [{ repeat: 20 }, { method: 'POST', body: 'x' }],
  },
  {
    name: 'DestinationRule.connectionPool.http.h2UpgradePolicy: to a server of HTTP/1.1',
    yaml: placed([{ version: 'v1' }], 'connectionPool: { http: { h2UpgradePolicy: UPGRADE } }'),
    asks: [{}],
  },
  {
    name: 'DestinationRule.connectionPool.http.useClientProtocol: HTTP/1.1 stays',
    yaml: placed([{ version: 'v1' }], 'connectionPool: { http: { useClientProtocol: true } }'),
    asks: [{}],
  },
  {
    name: 'VirtualService.http.retries.retryRemoteLocalities: the second retry leaves the place',
    yaml: placed(
      two,
      `outlierDetection: { consecutive5xxErrors: 1000 }, loadBalancer: { ${roundRobin}, localityLbSetting: { failoverPriority: [tier] } }`,
      '{ attempts: 2, retryOn: 5xx, retryRemoteLocalities: true }',
    ),
    asks: [{ order: { status: 503, times: 1 } }, { order: { status: 503, times: 2 } }, { order: { status: 503 } }],
  },
];
