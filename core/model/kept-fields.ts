import type { DestinationRule } from './destination-rule.ts';
import type { FieldPath } from './field-path.ts';
import type { Resource } from './resource.ts';
import type { Sidecar } from './sidecar.ts';

const trafficPolicy = ['loadBalancer.zoneAwareLbSetting.minClusterSize'];

/** Fields that are valid in the API, kept in the file and exported, but not applied by this release. `*`: every item. */
const keptPatterns: Readonly<Record<string, readonly string[]>> = {
  VirtualService: [
    ...['fault.delay.exponentialDelay', 'fault.abort.http2Error', 'match.*.statPrefix'].map(
      (field) => `spec.http.*.${field}`,
    ),
  ],
  DestinationRule: [
    ...['spec.trafficPolicy', 'spec.subsets.*.trafficPolicy'].flatMap((policy) => [
      ...trafficPolicy.map((field) => `${policy}.${field}`),
      ...trafficPolicy.map((field) => `${policy}.portLevelSettings.*.${field}`),
    ]),
  ],
  PeerAuthentication: [],
  ProxyConfig: ['spec.concurrency', 'spec.environmentVariables', 'spec.image'],
  ReferenceGrant: [],
  Namespace: [],
  BackendTLSPolicy: ['spec.options'],
  XBackendTrafficPolicy: ['spec.sessionPersistence', 'spec.retryConstraint.budget.interval'],
  TrafficSplit: ['spec.matches'],
  ServiceEntry: [],
  Sidecar: [
    ...['bind', 'captureMode', 'tls'].map((field) => `spec.ingress.*.${field}`),
    ...['bind', 'captureMode'].map((field) => `spec.egress.*.${field}`),
  ],
  // Both kinds of that name: `servers` of Istio's, `listeners` of the Gateway API's.
  Gateway: [
    ...['bind', 'defaultEndpoint'].map((field) => `spec.servers.*.${field}`),
    ...['infrastructure', 'allowedListeners', 'defaultScope', 'tls.backend'].map((field) => `spec.${field}`),
  ],
  GatewayClass: ['spec.parametersRef'],
  HTTPRoute: ['spec.rules.*.sessionPersistence', 'spec.useDefaultGateways'],
  GRPCRoute: ['spec.rules.*.sessionPersistence', 'spec.useDefaultGateways'],
  TLSRoute: ['spec.useDefaultGateways'],
  TCPRoute: ['spec.useDefaultGateways'],
  WorkloadEntry: ['spec.network'],
  FaultInjection: [],
};

const byNobody = 'Nothing to do; Istio ignores it as well.';
const byKubernetes = 'Nothing to do; it is for what runs in Kubernetes.';

/** What is to be said where it is not "production applies it". */
const remarks: Readonly<Record<string, string>> = {
  'VirtualService spec.http.fault.delay.exponentialDelay': byNobody,
  'VirtualService spec.http.match.statPrefix': "Nothing to do; it only names Envoy's statistics of the route.",
  'DestinationRule loadBalancer.zoneAwareLbSetting.minClusterSize':
    'Nothing to do; it acts in Istio only where proxies discover themselves (ENABLE_SELF_DISCOVERY).',
  'Sidecar spec.ingress.bind': 'Nothing to do; without captureMode NONE Istio takes it for a name alone as well.',
  'Sidecar spec.ingress.tls': 'Istio ignores it as well, unless istiod runs with ENABLE_TLS_ON_SIDECAR_INGRESS.',
  'Gateway spec.servers.defaultEndpoint': byNobody,
  'Gateway spec.defaultScope': byNobody,
  'Gateway spec.tls.backend': byNobody,
  'Gateway spec.infrastructure': byKubernetes,
  'Gateway spec.allowedListeners': 'Nothing to do; a ListenerSet is no kind of a project here.',
  'GatewayClass spec.parametersRef': byKubernetes,
  ...Object.fromEntries(
    ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'].map((kind) => [`${kind} spec.useDefaultGateways`, byNobody]),
  ),
  'HTTPRoute spec.rules.sessionPersistence': byNobody,
  'GRPCRoute spec.rules.sessionPersistence': byNobody,
  'BackendTLSPolicy spec.options': byNobody,
  'XBackendTrafficPolicy spec.sessionPersistence': byNobody,
  'ProxyConfig spec.concurrency': 'Nothing to do; sidecars here have one thread.',
  'ProxyConfig spec.environmentVariables': byKubernetes,
  'ProxyConfig spec.image': "Nothing to do; sidecars here are Meshdesk's own.",
};

/** Whether somebody applies a kept field, as advice to whoever wrote it. */
export function keptHint({ kind }: Pick<Resource, 'kind'>, path: FieldPath): string {
  const field = path.filter((step) => typeof step === 'string').join('.');
  const end = field.split('.').slice(-3).join('.');
  return remarks[`${kind} ${field}`] ?? remarks[`${kind} ${end}`] ?? 'Nothing to do; production applies it.';
}

/** Paths of the fields that a resource has and that are kept, not applied. A kept kind is one path: `spec`. */
export function keptFields(resource: Resource): readonly FieldPath[] {
  const patterns = keptPatterns[resource.kind];
  if (patterns === undefined) return [['spec']];
  const found: FieldPath[] = [];
  for (const pattern of patterns) expand(resource, pattern.split('.'), [], found);
  if (resource.kind === 'Sidecar') found.push(...socketEndpoints(resource.spec));
  if (resource.kind === 'DestinationRule') found.push(...tunnelsByPost(resource.spec));
  return found;
}

function expand(value: unknown, pattern: readonly string[], path: FieldPath, found: FieldPath[]): void {
  const [key, ...rest] = pattern;
  if (key === undefined) {
    if (value !== undefined) found.push(path);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (key === '*') {
    if (!Array.isArray(value)) return;
    for (const [index, item] of value.entries()) expand(item, rest, [...path, index], found);
    return;
  }
  expand((value as Readonly<Record<string, unknown>>)[key], rest, [...path, key], found);
}

/** Unix sockets: a sidecar has a file system of its own. */
function socketEndpoints({ ingress = [] }: Sidecar['spec']): FieldPath[] {
  return ingress.flatMap(({ defaultEndpoint = '' }, index) =>
    defaultEndpoint.startsWith('unix:') ? [['spec', 'ingress', index, 'defaultEndpoint']] : [],
  );
}

/** Tunnels are asked for by CONNECT only. */
function tunnelsByPost({ trafficPolicy, subsets = [] }: DestinationRule['spec']): FieldPath[] {
  const policies: { at: FieldPath; policy: DestinationRule['spec']['trafficPolicy'] }[] = [
    { at: ['spec', 'trafficPolicy'], policy: trafficPolicy },
    ...subsets.map((subset, index) => ({
      at: ['spec', 'subsets', index, 'trafficPolicy'],
      policy: subset.trafficPolicy,
    })),
  ];
  return policies.flatMap(({ at, policy }) =>
    policy?.tunnel?.protocol === 'POST' ? [[...at, 'tunnel', 'protocol']] : [],
  );
}
