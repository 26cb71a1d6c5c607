import type { ExportFinding } from '../../contract/shapes.ts';
import type { DestinationRule } from '../../model/destination-rule.ts';
import { describeResource, namespaceOf } from '../../model/resource.ts';
import type { HttpRule, VirtualService } from '../../model/virtual-service.ts';
import { hostFit } from '../../snapshot/host-names.ts';
import type { MeshSnapshot, SnapshotService } from '../../snapshot/snapshot.ts';
import { mergeSubsets } from '../../snapshot/split.ts';
import { withFaults } from './fault-rules.ts';
import { exportedHost, kubernetesName, serviceFqdn } from './names.ts';

export type Add = (finding: Omit<ExportFinding, 'file'>) => void;

export interface ServiceManifests {
  readonly virtualService: VirtualService | null;
  readonly destinationRule: DestinationRule | null;
}

/** The one VirtualService and the one DestinationRule of a service; `null` where there is nothing to say. */
export function serviceManifests(snapshot: MeshSnapshot, service: SnapshotService, add: Add): ServiceManifests {
  return {
    virtualService: toVirtualService(snapshot, service, add),
    destinationRule: toDestinationRule(snapshot, service, add),
  };
}

function toVirtualService(snapshot: MeshSnapshot, service: SnapshotService, add: Add): VirtualService | null {
  const source = snapshot.virtualServices.get(service.key);
  const faults = snapshot.faults.filter((fault) => fault.to === service.key);
  if (source === undefined && faults.length === 0) return null;
  const host = serviceFqdn(service);
  const rules: readonly HttpRule[] =
    source === undefined
      ? [{ name: 'default', route: [{ destination: { host } }] }]
      : (source.spec.http ?? []).map((rule) => withFullHosts(rule, namespaceOf(source), snapshot));
  const http = withFaults(rules, faults, snapshot.services, (kind, what, reason) => add({ kind, what, reason }));
  if (source !== undefined) {
    const { hosts = [] } = source.spec;
    const wide = hosts.length > 1 || hosts.some((name) => name.startsWith('*'));
    add({
      kind: wide ? 'approximated' : 'mapped',
      what: `${describeResource(source)} -> routes of ${service.key}`,
      reason: wide
        ? `its hosts (${hosts.join(', ')}) are written as one VirtualService per service that exists now`
        : `${http.length} ${http.length === 1 ? 'rule' : 'rules'}, in the same order`,
    });
  }
  const { hosts: _hosts, http: _http, ...rest } = source?.spec ?? { hosts: [] };
  const { name, namespace } = kubernetesName(service);
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { ...copiedMetadata(source), name, namespace },
    spec: { hosts: [host], ...rest, http: [...http] },
  };
}

/** Labels and annotations go along; what a cluster wrote does not. */
function copiedMetadata(source: VirtualService | DestinationRule | undefined) {
  const { labels, annotations } = source?.metadata ?? {};
  return { ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) };
}

function withFullHosts(rule: HttpRule, namespace: string, snapshot: MeshSnapshot): HttpRule {
  if (rule.route === undefined) return rule;
  return {
    ...rule,
    route: rule.route.map((entry) => ({
      ...entry,
      destination: {
        ...entry.destination,
        host: exportedHost(entry.destination.host, namespace, snapshot.services),
      },
    })),
  };
}

function toDestinationRule(snapshot: MeshSnapshot, service: SnapshotService, add: Add): DestinationRule | null {
  const sources = snapshot.resources.destinationRules.filter(
    (rule) =>
      namespaceOf(rule) === service.namespace &&
      hostFit(rule.spec.host, service.namespace, service, snapshot.services) === Number.MAX_SAFE_INTEGER,
  );
  const defined = sources.flatMap((rule) => rule.spec.subsets ?? []);
  const unique = defined.filter((subset, index) => defined.findIndex(({ name }) => name === subset.name) === index);
  const subsets = mergeSubsets(unique, service.versions);
  if (sources.length === 0 && subsets.length === 0) return null;
  const policy = sources.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy;
  const [first] = sources;
  const { exportTo, workloadSelector } = first?.spec ?? {};
  const names = subsets.map(({ name }) => name).join(', ') || 'none';
  add({
    kind: 'mapped',
    what: `${first === undefined ? `versions of ${service.key}` : describeResource(first)} -> subsets`,
    reason: `${names}${sources.length > 1 ? `; ${sources.length} rules for this host are one now` : ''}`,
  });
  const { name, namespace } = kubernetesName(service);
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { ...copiedMetadata(first), name, namespace },
    spec: {
      host: serviceFqdn(service),
      ...(policy === undefined ? {} : { trafficPolicy: policy }),
      ...(subsets.length === 0 ? {} : { subsets }),
      ...(exportTo === undefined ? {} : { exportTo }),
      ...(workloadSelector === undefined ? {} : { workloadSelector }),
    },
  };
}
