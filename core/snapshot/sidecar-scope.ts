/** What a Sidecar resource lets a workload see. Source: Istio Sidecar (egress hosts, outboundTrafficPolicy). */
import { hostCovers } from '../model/host-syntax.ts';
import { describeResource, type MeshResources, namespaceOf, ofKind } from '../model/resource.ts';
import type { Sidecar } from '../model/sidecar.ts';
import { toFqdn } from './host-names.ts';
import { settingsOf } from './mesh-settings.ts';
import { matchesLabels } from './workload-identity.ts';

export interface SidecarScope {
  /** Equal for workloads that see the same. */
  readonly id: string;
  readonly outbound: 'allow-any' | 'registry-only';
  sees(service: { readonly name: string; readonly namespace: string }): boolean;
  /** A host of a ServiceEntry in a namespace. */
  seesHost(host: string, namespace: string): boolean;
}

/** Of gateways: Sidecar resources are not for them. */
export const everything: SidecarScope = {
  id: 'gateway',
  outbound: 'allow-any',
  sees: () => true,
  seesHost: () => true,
};

/**
 * The Sidecar for a workload: of its namespace one that selects it, else the one without a selector, else the root
 * namespace's one without a selector. The oldest of equals. Without any, everything is seen.
 */
export function sidecarScope(
  resources: MeshResources,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  rootNamespace: string,
): SidecarScope {
  const sidecars = ofKind(resources.kept, 'Sidecar');
  const own = sidecars.filter((sidecar) => namespaceOf(sidecar) === workload.namespace);
  const selects = ({ spec }: Sidecar) => Object.keys(spec.workloadSelector?.labels ?? {}).length > 0;
  const chosen =
    own.find((sidecar) => selects(sidecar) && matchesLabels(sidecar.spec.workloadSelector?.labels, workload.labels)) ??
    own.find((sidecar) => !selects(sidecar)) ??
    sidecars.find((sidecar) => namespaceOf(sidecar) === rootNamespace && !selects(sidecar));
  const fallback =
    settingsOf(resources).outboundTrafficPolicy?.mode === 'REGISTRY_ONLY' ? 'registry-only' : 'allow-any';
  const hosts = chosen?.spec.egress?.flatMap((listener) => listener.hosts) ?? ['*/*'];
  const covers = (host: string, namespace: string) =>
    hosts.some((entry) => entryCovers(entry, host, namespace, workload.namespace));
  const policy = chosen?.spec.outboundTrafficPolicy;
  return {
    id: chosen === undefined ? '' : describeResource(chosen),
    outbound: policy === undefined ? fallback : policy.mode === 'ALLOW_ANY' ? 'allow-any' : 'registry-only',
    sees: (service) => covers(toFqdn(service), service.namespace),
    seesHost: covers,
  };
}

/** `namespace/host`: `.` own namespace, `*` any, `~` none. */
function entryCovers(entry: string, host: string, namespace: string, ownNamespace: string): boolean {
  const slash = entry.indexOf('/');
  const [wanted, pattern] = [entry.slice(0, slash), entry.slice(slash + 1)];
  if (wanted.startsWith('~')) return false;
  const fits = wanted === '*' || (wanted === '.' ? ownNamespace : wanted) === namespace;
  return fits && hostCovers(pattern, host);
}
