import type { FieldPath } from './field-path.ts';
import type { Resource } from './resource.ts';

const gatewayRoute = ['filters', 'backendRefs.*.filters', 'sessionPersistence'].map((field) => `spec.rules.*.${field}`);

const trafficPolicy = ['loadBalancer.zoneAwareLbSetting'];

/** Fields that are valid in the API, kept in the file and exported, but not applied by this release. `*`: every item. */
const keptPatterns: Readonly<Record<string, readonly string[]>> = {
  VirtualService: [
    'spec.tls',
    'spec.tcp',
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
  TrafficSplit: ['spec.matches'],
  ServiceEntry: ['spec.subjectAltNames'],
  Sidecar: [
    ...['ingress', 'inboundConnectionPool', 'outboundTrafficPolicy'].map((field) => `spec.${field}`),
    ...['port', 'bind', 'captureMode'].map((field) => `spec.egress.*.${field}`),
  ],
  HTTPRoute: [...gatewayRoute, 'spec.rules.*.timeouts.backendRequest', 'spec.rules.*.retry'],
  GRPCRoute: gatewayRoute,
  WorkloadEntry: ['spec.network'],
  FaultInjection: ['tcp', 'dns', 'workload', 'identity'].map((kind) => `spec.fault.${kind}`),
};

/** Paths of the fields that a resource has and that are kept, not applied. A kept kind is one path: `spec`. */
export function keptFields(resource: Resource): readonly FieldPath[] {
  const patterns = keptPatterns[resource.kind];
  if (patterns === undefined || isForGatewaysOnly(resource)) return [['spec']];
  const found: FieldPath[] = [];
  for (const pattern of patterns) expand(resource, pattern.split('.'), [], found);
  return found;
}

/** Gateway API routes act in the mesh where they are bound to a service. */
function isForGatewaysOnly(resource: Resource): boolean {
  if (resource.kind !== 'HTTPRoute' && resource.kind !== 'GRPCRoute') return false;
  return !(resource.spec.parentRefs ?? []).some(({ kind }) => kind === 'Service');
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
