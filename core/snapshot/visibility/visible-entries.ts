/** Hosts of ServiceEntries as one group of sources sees them, with the rules that are for them. */
import { compareText, namespaceOf } from '../../model/resource.ts';
import type { ServiceEntry } from '../../model/service-entry.ts';
import type { FaultConfig, HttpRoute, ServiceConfig } from '../../model/sidecar-config.ts';
import { settingsOf } from '../mesh-settings.ts';
import { callerRules } from '../policies/backend-policies.ts';
import { type DestinationPolicy, destinationPolicy } from '../policies/destination-rules.ts';
import { localityOf, withShares } from '../policies/localities.ts';
import { workloadMtls } from '../policies/peer-mtls.ts';
import { withRateLimits } from '../policies/rate-limits.ts';
import { withEntryNames } from '../policies/upstream-tls.ts';
import { compileL4Routes } from '../routes/l4-routes.ts';
import { routesOf } from '../routes/service-routes.ts';
import type { EntryHost, MeshSnapshot, SnapshotWorkload } from '../snapshot.ts';
import { labelsOf, matchesLabels, spiffeIdOf } from '../workload-identity.ts';
import { isExportedTo } from './exports.ts';
import { type EntryMember, entryMembers, toEntryService } from './service-entries.ts';
import type { SourceGroup } from './source-group.ts';
import { toHostService } from './virtual-hosts.ts';

export interface VisibleEntries {
  readonly services: readonly ServiceConfig[];
  readonly faults: readonly FaultConfig[];
}

/**
 * The first entry for a host counts.
 * @param known services of workloads, whose names come first
 */
export function compileVisibleEntries(
  snapshot: MeshSnapshot,
  group: SourceGroup,
  known: readonly ServiceConfig[],
): VisibleEntries {
  if (snapshot.entries.length === 0 && snapshot.virtualHosts.length === 0) return { services: [], faults: [] };
  const taken = new Set(known.flatMap(({ hosts }) => hosts));
  const services = new Map<string, ServiceConfig>();
  const faults: FaultConfig[] = [];
  for (const declared of snapshot.entries) {
    const { entry, host, service } = declared;
    if (services.has(service.key) || taken.has(host) || !isSeen(entry, group)) continue;
    const policy = policyFor(snapshot, declared, group);
    const members = [
      ...entryMembers(declared, snapshot.resources.workloadEntries),
      ...selectedWorkloads(snapshot, entry, group, policy),
    ];
    const whole = toEntryService(declared, members, snapshot.virtualAddresses.get(service.key) ?? null);
    const ports = group.scope.seen(host, namespaceOf(entry), whole.ports);
    if (ports === null) continue;
    const own = ports === whole.ports ? whole : { ...whole, ports: [...ports], portsOnly: true };
    const compiled = routesOf(snapshot, service, group);
    const l4Routes = compileL4Routes(snapshot, service, group);
    faults.push(...compiled.faults);
    services.set(service.key, {
      ...withPolicy(snapshot, own, members, policy, group),
      routes: withRateLimits(settingsOf(snapshot.resources), service, compiled.routes) as HttpRoute[],
      ...(l4Routes.length === 0 ? {} : { l4Routes: [...l4Routes] }),
    });
  }
  for (const host of snapshot.virtualHosts) {
    if (services.has(host.key) || taken.has(host.key)) continue;
    if (group.scope.seen(host.key, host.namespace, [{ port: 80, protocol: 'http' }]) === null) continue;
    const compiled = routesOf(snapshot, host, group);
    if (compiled.routes.length === 0) continue;
    faults.push(...compiled.faults);
    services.set(host.key, toHostService(host, compiled.routes));
  }
  return { services: [...services.values()], faults };
}

const isSeen = ({ spec, metadata }: ServiceEntry, { namespace }: SourceGroup) =>
  isExportedTo(spec.exportTo, namespaceOf({ metadata }), namespace);

function policyFor(snapshot: MeshSnapshot, { entry, service }: EntryHost, group: SourceGroup): DestinationPolicy {
  const { resources, rootNamespace, services } = snapshot;
  const policy = destinationPolicy(callerRules(resources), service, group, rootNamespace, services);
  const { subjectAltNames = [] } = entry.spec;
  if (subjectAltNames.length === 0) return policy;
  const policies = policy.policies.map((scope) => ({
    ...scope,
    policy: withEntryNames(scope.policy, subjectAltNames),
  }));
  return { ...policy, policies };
}

/** Workloads of the entry's namespace that its selector selects, as far as the source shares a network with them. */
function selectedWorkloads(
  snapshot: MeshSnapshot,
  entry: ServiceEntry,
  group: SourceGroup,
  policy: DestinationPolicy,
): readonly EntryMember[] {
  const { workloadSelector, resolution } = entry.spec;
  if (workloadSelector === undefined || resolution !== 'STATIC') return [];
  const members: EntryMember[] = [];
  for (const workload of snapshot.workloads.values()) {
    const { discovered } = workload;
    if (discovered.namespace !== namespaceOf(entry) || discovered.state !== 'running') continue;
    if (!matchesLabels(workloadSelector.labels, labelsOf(discovered))) continue;
    const address = discovered.addresses.find(({ ip, network }) => ip !== '' && group.networks.has(network))?.ip;
    if (address === undefined) continue;
    const mtls = workloadMtls(discovered, snapshot.resources.peerAuthentications, snapshot.rootNamespace);
    members.push({
      spec: { labels: labelsOf(discovered), locality: localityOf(discovered) },
      endpoint: {
        id: discovered.id,
        name: discovered.name,
        address,
        ports: targetPorts(entry, workload),
        version: discovered.version,
        hosts: [],
        mesh: workload.attached && mtls.accepted && !policy.plaintext,
        spiffeId: spiffeIdOf(discovered, snapshot.trustDomain),
      },
    });
  }
  return members;
}

function targetPorts({ spec }: ServiceEntry, { attached, endpointPorts }: SnapshotWorkload) {
  const sidecarPorts = new Map(attached ? endpointPorts.map(({ port, targetPort }) => [port, targetPort]) : []);
  return (spec.ports ?? [])
    .map(({ number, targetPort }) => ({ port: number, targetPort: targetPort || number }))
    .map(({ port, targetPort }) => ({ port, targetPort: sidecarPorts.get(targetPort) ?? targetPort }))
    .filter(({ port, targetPort }) => port !== targetPort);
}

/** The service with what destination rules say about its host. */
function withPolicy(
  { resources }: MeshSnapshot,
  service: ServiceConfig,
  members: readonly EntryMember[],
  policy: DestinationPolicy,
  group: SourceGroup,
): ServiceConfig {
  const subsets = policy.subsets.map(({ name, labels }) => ({
    name,
    endpoints: members
      .filter(({ spec }) => matchesLabels(labels, spec.labels ?? {}))
      .map(({ endpoint }) => endpoint.id),
  }));
  const placed = members.map(({ endpoint: { id }, spec: { locality = '', weight, labels = {} } }) => ({
    id,
    locality,
    weight: weight || 1,
    labels,
  }));
  const { localityLbSetting } = settingsOf(resources);
  const { policies, shares } = withShares(
    policy.policies,
    { members: placed, subsets },
    group.place,
    localityLbSetting,
  );
  const { addresses, dns, ...rest } = service;
  return {
    ...rest,
    subsets: subsets.sort((a, b) => compareText(a.name, b.name)),
    ...(policies.length === 0 ? {} : { policies }),
    ...(shares.length === 0 ? {} : { shares }),
    // Explicit listeners have no address of their own that could be dialled, and no DNS.
    ...(group.explicit || addresses === undefined ? {} : { addresses }),
    ...(group.explicit || dns === undefined ? {} : { dns }),
  };
}
