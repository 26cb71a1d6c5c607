/**
 * Resources that select nobody: policies, Sidecars and rules whose labels no workload has, exports to namespaces that are
 * not there, rules for callers that there are not. Only of namespaces that run here: a desk runs a part of production.
 */
import type { Finding } from '../../model/finding.ts';
import { describeResource, type MeshResources, namespaceOf, ofKind, type Resource } from '../../model/resource.ts';
import type { SnapshotService, SnapshotWorkload } from '../snapshot.ts';
import { isExportedTo } from '../visibility/exports.ts';
import { labelsOf, matchesLabels } from '../workload-identity.ts';
import { warning } from './check-references.ts';

type Labels = Readonly<Record<string, string>>;

interface Place {
  readonly namespaces: ReadonlySet<string>;
  readonly workloads: readonly { readonly namespace: string; readonly name: string; readonly labels: Labels }[];
}

export function unusedFindings(
  resources: MeshResources,
  workloads: ReadonlyMap<string, SnapshotWorkload>,
  services: ReadonlyMap<string, SnapshotService>,
  rootNamespace: string,
): readonly Finding[] {
  const members = [...workloads.values()].map(({ discovered }) => ({
    ...{ namespace: discovered.namespace, name: discovered.name, labels: labelsOf(discovered) },
  }));
  const place = { namespaces: new Set(members.map(({ namespace }) => namespace)), workloads: members };
  return [
    ...selectorFindings(resources, place, rootNamespace),
    ...callerFindings(resources, place, services, rootNamespace),
    ...exportFindings(resources, place),
    ...sidecarFindings(resources, place, rootNamespace),
  ];
}

function selectorFindings(resources: MeshResources, place: Place, rootNamespace: string): readonly Finding[] {
  const all: readonly Resource[] = [
    ...resources.peerAuthentications.filter((policy) => namespaceOf(policy) !== rootNamespace),
    ...resources.destinationRules,
    ...resources.kept,
  ];
  return all.flatMap((resource) => {
    const wanted = selectorOf(resource);
    const namespace = namespaceOf(resource);
    if (wanted === null || Object.keys(wanted).length === 0) return [];
    const everywhere = namespace === rootNamespace && isForAllFromRoot(resource);
    const reach = everywhere ? place.workloads : place.workloads.filter((one) => one.namespace === namespace);
    if (reach.length === 0 || reach.some(({ labels }) => matchesLabels(wanted, labels))) return [];
    if (resource.kind === 'ServiceEntry' && selectsEntry(resources, namespace, wanted)) return [];
    const words = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
    return warning(
      'UNUSED_POLICY',
      `${describeResource(resource)} selects nothing: no workload${everywhere ? '' : ` of ${namespace}`} has ${words.join(', ')}`,
      'Correct the selector, or give the container these labels.',
    );
  });
}

/** Labels that a resource selects workloads of its namespace by; `null`: it selects none, or by other means. */
function selectorOf(resource: Resource): Labels | null {
  switch (resource.kind) {
    case 'PeerAuthentication':
    case 'RequestAuthentication':
    case 'AuthorizationPolicy':
    case 'Telemetry':
    case 'ProxyConfig':
      return resource.spec?.selector?.matchLabels ?? null;
    case 'DestinationRule':
      return resource.spec.workloadSelector?.matchLabels ?? null;
    case 'Sidecar':
    case 'ServiceEntry':
      return resource.spec.workloadSelector?.labels ?? null;
    default:
      return null;
  }
}

/** In the root namespace these select in all namespaces; PeerAuthentications there with a selector are ignored. */
function isForAllFromRoot({ kind }: Resource): boolean {
  return ['RequestAuthentication', 'AuthorizationPolicy', 'Telemetry', 'ProxyConfig'].includes(kind);
}

function selectsEntry({ workloadEntries }: MeshResources, namespace: string, wanted: Labels): boolean {
  return workloadEntries.some(
    (entry) => namespaceOf(entry) === namespace && matchesLabels(wanted, entry.spec.labels ?? {}),
  );
}

/**
 * DestinationRules are looked up in the caller's namespace, the service's and the root namespace: one that stands elsewhere,
 * or is exported to nobody of those who call, is never found.
 */
function callerFindings(
  { destinationRules }: MeshResources,
  { namespaces }: Place,
  services: ReadonlyMap<string, SnapshotService>,
  rootNamespace: string,
): readonly Finding[] {
  const owners = new Set([...services.values()].map(({ namespace }) => namespace));
  return destinationRules.flatMap((rule) => {
    const namespace = namespaceOf(rule);
    if (namespace === rootNamespace || namespaces.has(namespace) || owners.has(namespace)) return [];
    if (!rule.spec.host.includes('.svc')) return [];
    return warning(
      'UNUSED_POLICY',
      `${describeResource(rule)} is for callers of namespace ${namespace} only, of which there are none`,
      "Put it into the service's namespace, or into the root namespace.",
    );
  });
}

function exportFindings(resources: MeshResources, { namespaces }: Place): readonly Finding[] {
  const all = [
    ...resources.virtualServices,
    ...resources.destinationRules,
    ...ofKind(resources.kept, 'ServiceEntry'),
  ] as const;
  return all.flatMap((resource) => {
    const { exportTo = [] } = resource.spec;
    const named = exportTo.filter((target) => !['*', '.', '~'].includes(target) && !namespaces.has(target));
    const isForNobody =
      exportTo.length > 0 &&
      ![...namespaces].some((namespace) => isExportedTo(exportTo, namespaceOf(resource), namespace));
    if (namespaces.size === 0 || (named.length === 0 && !isForNobody)) return [];
    return {
      ...warning(
        'UNKNOWN_NAMESPACE',
        `${describeResource(resource)} is exported to ${named.map((name) => `"${name}"`).join(', ') || 'nobody'}: no workload of that namespace runs here`,
        'Check the name; if the namespace is not part of what runs here, nothing has to be done.',
      ),
      severity: 'info' as const,
    };
  });
}

/** A workload that several Sidecars select gets the oldest; one of the root namespace may not select. */
function sidecarFindings(resources: MeshResources, { workloads }: Place, rootNamespace: string): readonly Finding[] {
  const selecting = ofKind(resources.kept, 'Sidecar').filter(
    ({ spec }) => Object.keys(spec.workloadSelector?.labels ?? {}).length > 0,
  );
  return selecting.flatMap((sidecar, index) => {
    const namespace = namespaceOf(sidecar);
    if (namespace === rootNamespace && workloads.every((one) => one.namespace !== rootNamespace)) {
      return warning(
        'SCOPE_IGNORED',
        `${describeResource(sidecar)} selects workloads from the root namespace and is for none elsewhere`,
        'The Sidecar of the root namespace is for all who have none of their own; it has no workloadSelector.',
      );
    }
    const selects = (other: typeof sidecar, labels: Labels) =>
      matchesLabels(other.spec.workloadSelector?.labels, labels);
    const both = workloads.find(
      (one) =>
        one.namespace === namespace &&
        selects(sidecar, one.labels) &&
        selecting.slice(0, index).some((other) => namespaceOf(other) === namespace && selects(other, one.labels)),
    );
    if (both === undefined) return [];
    return warning(
      'MULTIPLE_SIDECARS',
      `${describeResource(sidecar)} selects ${both.name}, which an older Sidecar selects already and counts`,
      'Let each workload be selected by one Sidecar.',
    );
  });
}
