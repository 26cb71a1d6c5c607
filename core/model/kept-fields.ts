import type { DestinationRule } from './destination-rule.ts';
import type { FieldPath } from './field-path.ts';
import type { Resource } from './resource.ts';
import type { Sidecar } from './sidecar.ts';

const notFilters = ['extensionRef', 'externalAuth'];
const gatewayRoute = [
  ...notFilters.flatMap((filter) => [`filters.*.${filter}`, `backendRefs.*.filters.*.${filter}`]),
  'sessionPersistence',
].map((field) => `spec.rules.*.${field}`);

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
  HTTPRoute: [...gatewayRoute, 'spec.useDefaultGateways'],
  GRPCRoute: [...gatewayRoute, 'spec.useDefaultGateways'],
  TLSRoute: ['spec.useDefaultGateways'],
  TCPRoute: ['spec.useDefaultGateways'],
  WorkloadEntry: ['spec.network'],
  FaultInjection: [],
};

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
