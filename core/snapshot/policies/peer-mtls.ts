import type { Finding } from '../../model/finding.ts';
import type { MtlsMode } from '../../model/identity.ts';
import { type PeerAuthentication, type PeerMtlsMode, selectorOf } from '../../model/peer-authentication.ts';
import { describeResource, namespaceOf } from '../../model/resource.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';
import { labelsOf, matchesLabels } from '../workload-identity.ts';

/** Mutual TLS that one workload asks of its callers. */
export interface WorkloadMtls {
  readonly mode: MtlsMode;
  /** Ports whose mode differs, by the workload's port. */
  readonly ports: ReadonlyMap<number, MtlsMode>;
  /** False when every port refuses mesh TLS: callers use plaintext. */
  readonly accepted: boolean;
  /** True when DISABLE stands next to other modes and is applied as PERMISSIVE. */
  readonly mixed: boolean;
}

/** First mode that says something; policies come oldest first. `UNSET` and absent say nothing. */
function firstMode(policies: readonly PeerAuthentication[]): MtlsMode | null {
  const [policy] = policies;
  return said(policy?.spec.mtls?.mode);
}

function said(mode: PeerMtlsMode | undefined): MtlsMode | null {
  return mode === undefined || mode === 'UNSET' ? null : mode;
}

/** Mode of the mesh-wide policy: no selector, root namespace. Default PERMISSIVE. */
export function meshMtlsMode(policies: readonly PeerAuthentication[], rootNamespace: string): MtlsMode {
  return firstMode(policies.filter((policy) => isWide(policy, rootNamespace))) ?? 'PERMISSIVE';
}

function isWide(policy: PeerAuthentication, namespace: string): boolean {
  return namespaceOf(policy) === namespace && selectorOf(policy) === null;
}

/** Mode of a namespace: its own policy, else the mesh's. */
export function namespaceMtlsMode(
  policies: readonly PeerAuthentication[],
  namespace: string,
  rootNamespace: string,
): MtlsMode {
  return firstMode(policies.filter((policy) => isWide(policy, namespace))) ?? meshMtlsMode(policies, rootNamespace);
}

/**
 * Precedence: port, then workload, then namespace, then mesh. At one scope the oldest policy wins. Policies with a
 * selector in the root namespace are ignored. Callers decide per endpoint, not per port, whether they use mutual TLS;
 * so DISABLE for some ports only is applied as PERMISSIVE. Source: Istio PeerAuthentication.
 */
export function workloadMtls(
  workload: DiscoveredWorkload,
  policies: readonly PeerAuthentication[],
  rootNamespace: string,
): WorkloadMtls {
  const labels = labelsOf(workload);
  const [policy] = policies.filter(
    (candidate) =>
      namespaceOf(candidate) === workload.namespace &&
      workload.namespace !== rootNamespace &&
      selectorOf(candidate) !== null &&
      matchesLabels(selectorOf(candidate) ?? {}, labels),
  );
  const mode = said(policy?.spec.mtls?.mode) ?? namespaceMtlsMode(policies, workload.namespace, rootNamespace);
  const ports = new Map<number, MtlsMode>();
  for (const [port, setting] of Object.entries(policy?.spec.portLevelMtls ?? {})) {
    const portMode = said(setting.mode);
    if (portMode !== null && portMode !== mode) ports.set(Number(port), portMode);
  }
  const modes = new Set(workload.ports.map(({ port }) => ports.get(port) ?? mode));
  if (modes.size === 0) modes.add(mode);
  const accepted = modes.size > 1 || !modes.has('DISABLE');
  const mixed = accepted && (mode === 'DISABLE' || [...ports.values()].includes('DISABLE'));
  if (!mixed) return { mode, ports, accepted, mixed };
  const soften = (value: MtlsMode): MtlsMode => (value === 'DISABLE' ? 'PERMISSIVE' : value);
  return {
    mode: soften(mode),
    ports: new Map([...ports].map(([port, value]) => [port, soften(value)])),
    accepted,
    mixed,
  };
}

/** Policies that stand where they do nothing. */
export function peerAuthenticationFindings(
  policies: readonly PeerAuthentication[],
  rootNamespace: string,
): readonly Finding[] {
  return policies
    .filter((policy) => namespaceOf(policy) === rootNamespace && selectorOf(policy) !== null)
    .map((policy) => ({
      code: 'SCOPE_IGNORED',
      severity: 'warning',
      file: null,
      line: null,
      column: null,
      message: `${describeResource(policy)} selects workloads from the root namespace and is ignored`,
      hint: 'Put it into the namespace of the workloads.',
    }));
}
