/**
 * Resources against each other without a mesh, as `istioctl analyze` does without a cluster: every service that they name is
 * taken to be there, so that only what contradicts itself is found, whatever runs or does not.
 */
import type { Finding, FindingCode } from '../../model/finding.ts';
import { compareText, namespaceOf, type Resource } from '../../model/resource.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';
import { compileSnapshot } from '../../snapshot/compile-snapshot.ts';
import { defaultRootNamespace, type SnapshotWorkload } from '../../snapshot/snapshot.ts';
import { canonicalHost, splitFqdn } from './import/production-names.ts';

/** Those that do not depend on what runs. */
const independent: ReadonlySet<FindingCode> = new Set<FindingCode>([
  ...(['UNKNOWN_SUBSET', 'CONFLICTING_HOST', 'SCOPE_IGNORED', 'UNKNOWN_GATEWAY', 'TIMEOUT_BELOW_RETRIES'] as const),
  ...(['DUPLICATE_SUBSET', 'UNKNOWN_DELEGATE', 'MULTIPLE_SIDECARS', 'REFERENCE_NOT_GRANTED'] as const),
  ...(['MTLS_CONFLICT', 'CONFLICTING_GATEWAY', 'ROUTE_NOT_BOUND', 'NOT_SERVED'] as const),
]);

export function checkTogether(resources: readonly Resource[]): readonly Finding[] {
  const { findings } = compileSnapshot({
    revision: 0,
    trustDomain: 'cluster.local',
    rootNamespace: defaultRootNamespace,
    resources,
    workloads: namedServices(resources).map(toWorkload),
    faults: [],
  });
  // Without a DestinationRule among them the subsets are defined elsewhere.
  const definesSubsets = resources.some(({ kind }) => kind === 'DestinationRule');
  return findings.filter(({ code }) => independent.has(code) && (code !== 'UNKNOWN_SUBSET' || definesSubsets));
}

/** Keys (`name.namespace`) of the services that hosts and destinations name. */
function namedServices(resources: readonly Resource[]): readonly string[] {
  const namespaces = new Set(resources.map(namespaceOf));
  const keys = new Set<string>();
  const add = (host: string, namespace: string) => {
    const service = splitFqdn(canonicalHost(host, namespace, namespaces) ?? '');
    if (service !== null) keys.add(`${service.name}.${service.namespace}`);
  };
  for (const resource of resources) {
    for (const host of hostsOf(resource)) add(host, namespaceOf(resource));
  }
  return [...keys].sort(compareText);
}

function hostsOf(resource: Resource): readonly string[] {
  if (resource.kind === 'DestinationRule') return [resource.spec.host];
  if (resource.kind !== 'VirtualService') return [];
  const { hosts = [], http = [], tls = [], tcp = [] } = resource.spec;
  const routes = [...http, ...tls, ...tcp].flatMap(({ route = [] }) =>
    route.map(({ destination }) => destination.host),
  );
  return [...hosts, ...routes];
}

function toWorkload(key: string): SnapshotWorkload {
  const [name = key, namespace = ''] = key.split('.');
  const discovered: DiscoveredWorkload = {
    ...{ id: key, incarnation: '', name, runtime: 'docker', service: name, namespace, version: null, project: null },
    ...{ image: null, labels: {}, state: 'running', stateText: '', startedAtMs: null, ports: [], addresses: [] },
    notAttachable: null,
  };
  return { discovered, attached: false, listeners: null, endpointPorts: [] };
}
