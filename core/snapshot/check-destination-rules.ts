/** DestinationRules against what runs and against each other: hosts, subsets, mutual TLS. */
import type { DestinationRule } from '../model/destination-rule.ts';
import type { Finding } from '../model/finding.ts';
import { describeResource, type MeshResources, namespaceOf } from '../model/resource.ts';
import { warning } from './check-references.ts';
import { hostFit, resolveHost } from './host-names.ts';
import { workloadMtls } from './peer-mtls.ts';
import type { SnapshotService, SnapshotWorkload } from './snapshot.ts';
import { labelsOf, matchesLabels } from './workload-identity.ts';

type Services = ReadonlyMap<string, SnapshotService>;
type Workloads = ReadonlyMap<string, SnapshotWorkload>;

export function destinationRuleFindings(
  resources: MeshResources,
  services: Services,
  workloads: Workloads,
  rootNamespace: string,
): readonly Finding[] {
  const { destinationRules: rules } = resources;
  const hosts = new Set(
    resources.kept.flatMap((resource) => (resource.kind === 'ServiceEntry' ? resource.spec.hosts : [])),
  );
  return rules.flatMap((rule) => {
    const covered = [...services.values()].filter(
      (service) => hostFit(rule.spec.host, namespaceOf(rule), service, services) >= 0,
    );
    if (covered.length === 0)
      return hosts.has(rule.spec.host) || rule.spec.host.includes('*') ? [] : [unknownHost(rule, services)];
    return [
      ...subsetFindings(rule, covered, workloads),
      ...duplicateFindings(rule, rules, services),
      ...covered.flatMap((service) => mtlsFindings(rule, service, workloads, resources, rootNamespace)),
    ];
  });
}

function unknownHost(rule: DestinationRule, services: Services): Finding {
  const { key } = resolveHost(rule.spec.host, namespaceOf(rule), services);
  return warning(
    'UNKNOWN_HOST',
    `${describeResource(rule)}: no workload serves "${rule.spec.host}" (${key})`,
    "Check the name and namespace; short names are of the resource's own namespace.",
  );
}

/** A subset that selects nothing: whatever is routed to it is answered 503. */
function subsetFindings(
  rule: DestinationRule,
  covered: readonly SnapshotService[],
  workloads: Workloads,
): readonly Finding[] {
  const members = covered.flatMap((service) => service.workloads.flatMap((id) => workloads.get(id) ?? []));
  return (rule.spec.subsets ?? []).flatMap(({ name, labels }) => {
    if (members.some(({ discovered }) => matchesLabels(labels, labelsOf(discovered)))) return [];
    const wanted = Object.entries(labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(', ');
    return warning(
      'EMPTY_SUBSET',
      `${describeResource(rule)}: no workload of ${rule.spec.host} has ${wanted}, so subset "${name}" is empty`,
      'Start that version, or correct the labels.',
    );
  });
}

/** Rules of one namespace for one host are merged: of two definitions of a subset, or two policies, the older counts. */
function duplicateFindings(
  rule: DestinationRule,
  all: readonly DestinationRule[],
  services: Services,
): readonly Finding[] {
  const key = (candidate: DestinationRule) =>
    `${namespaceOf(candidate)} ${candidate.spec.host.includes('*') ? candidate.spec.host : resolveHost(candidate.spec.host, namespaceOf(candidate), services).key}`;
  const earlier = all.slice(0, all.indexOf(rule)).filter((other) => key(other) === key(rule));
  const taken = new Set(earlier.flatMap(({ spec }) => (spec.subsets ?? []).map(({ name }) => name)));
  const twice = (rule.spec.subsets ?? [])
    .filter(({ name }) => taken.has(name))
    .map(({ name }) =>
      warning(
        'DUPLICATE_SUBSET',
        `${describeResource(rule)}: subset "${name}" of ${rule.spec.host} is defined by an older rule already, which counts`,
        'Define each subset once.',
      ),
    );
  const policy = rule.spec.trafficPolicy !== undefined && earlier.some(({ spec }) => spec.trafficPolicy !== undefined);
  if (!policy) return twice;
  return [
    ...twice,
    warning(
      'CONFLICTING_HOST',
      `${describeResource(rule)}: the traffic policy of ${rule.spec.host} comes from an older rule`,
      'Merge the two rules.',
    ),
  ];
}

/** Callers that must not use mutual TLS where it is asked for, or must where it is refused. */
function mtlsFindings(
  rule: DestinationRule,
  service: SnapshotService,
  workloads: Workloads,
  resources: MeshResources,
  rootNamespace: string,
): readonly Finding[] {
  const mode = rule.spec.trafficPolicy?.tls?.mode;
  if (mode === undefined) return [];
  const modes = service.workloads.flatMap((id) => {
    const workload = workloads.get(id);
    return workload === undefined
      ? []
      : workloadMtls(workload.discovered, resources.peerAuthentications, rootNamespace).mode;
  });
  if (mode !== 'ISTIO_MUTUAL' && modes.includes('STRICT')) {
    return [
      warning(
        'MTLS_CONFLICT',
        `${describeResource(rule)}: callers of ${service.key} use ${mode}, but it takes mutual TLS of the mesh only (STRICT)`,
        'Use ISTIO_MUTUAL, or make the service PERMISSIVE.',
      ),
    ];
  }
  if (mode === 'ISTIO_MUTUAL' && modes.includes('DISABLE')) {
    return [
      warning(
        'MTLS_CONFLICT',
        `${describeResource(rule)}: callers of ${service.key} use mutual TLS, which it refuses (DISABLE)`,
        'Remove tls from the rule, or allow mutual TLS.',
      ),
    ];
  }
  return [];
}
