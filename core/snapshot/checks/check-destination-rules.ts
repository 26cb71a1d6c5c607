/** DestinationRules against what runs and against each other: hosts, subsets, mutual TLS. */
import type { DestinationRule } from '../../model/destination-rule.ts';
import type { Finding } from '../../model/finding.ts';
import { describeResource, type MeshResources, namespaceOf } from '../../model/resource.ts';
import { hostFit, resolveHost } from '../host-names.ts';
import { workloadMtls } from '../policies/peer-mtls.ts';
import type { SnapshotService, SnapshotWorkload } from '../snapshot.ts';
import { labelsOf, matchesLabels } from '../workload-identity.ts';
import { warning } from './check-references.ts';

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
  const earlier = earlierOf(rules, services);
  return rules.flatMap((rule) => {
    const covered = coveredBy(rule, services);
    if (covered.length === 0)
      return hosts.has(rule.spec.host) || rule.spec.host.includes('*') ? [] : [unknownHost(rule, services)];
    return [
      ...subsetFindings(rule, covered, workloads),
      ...duplicateFindings(rule, earlier.get(rule) ?? []),
      ...covered.flatMap((service) => mtlsFindings(rule, service, workloads, resources, rootNamespace)),
    ];
  });
}

/** Services that a rule is for. */
function coveredBy(rule: DestinationRule, services: Services): readonly SnapshotService[] {
  const { host } = rule.spec;
  if (!host.startsWith('*'))
    return [services.get(resolveHost(host, namespaceOf(rule), services).key)].flatMap((service) => service ?? []);
  return [...services.values()].filter((service) => hostFit(host, namespaceOf(rule), service, services) >= 0);
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
function duplicateFindings(rule: DestinationRule, earlier: readonly DestinationRule[]): readonly Finding[] {
  const taken = new Set(earlier.flatMap(({ spec }) => (spec.subsets ?? []).map(({ name }) => name)));
  const { subsets = [], host, trafficPolicy } = rule.spec;
  const twice = subsets
    .filter(({ name }) => taken.has(name))
    .map(({ name }) =>
      warning(
        'DUPLICATE_SUBSET',
        `${describeResource(rule)}: subset "${name}" of ${host} is defined by an older rule already, which counts`,
        'Define each subset once.',
      ),
    );
  const policy = trafficPolicy !== undefined && earlier.some(({ spec }) => spec.trafficPolicy !== undefined);
  if (!policy) return twice;
  const message = `${describeResource(rule)}: the traffic policy of ${host} comes from an older rule`;
  return [...twice, warning('CONFLICTING_HOST', message, 'Merge the two rules.')];
}

/** Rules before each one that are of its namespace and for its host. */
function earlierOf(
  rules: readonly DestinationRule[],
  services: Services,
): ReadonlyMap<DestinationRule, readonly DestinationRule[]> {
  const byHost = new Map<string, DestinationRule[]>();
  const earlier = new Map<DestinationRule, readonly DestinationRule[]>();
  for (const rule of rules) {
    const { host } = rule.spec;
    const name = host.includes('*') ? host : resolveHost(host, namespaceOf(rule), services).key;
    // Those that select callers are for those alone.
    const key = JSON.stringify([namespaceOf(rule), name, rule.spec.workloadSelector ?? null]);
    const group = byHost.get(key) ?? [];
    byHost.set(key, group);
    earlier.set(rule, [...group]);
    group.push(rule);
  }
  return earlier;
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
