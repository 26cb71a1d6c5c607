/** What a Sidecar resource lets a workload see. Source: Istio Sidecar (egress hosts, outboundTrafficPolicy). */
import type { Destination } from '../../model/http-actions.ts';
import { type PortProtocol, toPortProtocol } from '../../model/protocol.ts';
import { describeResource, type MeshResources, namespaceOf, ofKind } from '../../model/resource.ts';
import type { Sidecar } from '../../model/sidecar.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { ConnectionPool } from '../../model/traffic-policy.ts';
import { toHostKey } from '../host-names.ts';
import { settingsOf } from '../mesh-settings.ts';
import { matchesLabels } from '../workload-identity.ts';
import { compileEgress, type SeenPorts, seesAll } from './egress-listeners.ts';

type Ingress = NonNullable<Sidecar['spec']['ingress']>[number];

export interface SidecarScope {
  /** Equal for workloads that see the same. */
  readonly id: string;
  readonly outbound: 'allow-any' | 'registry-only';
  /** Where traffic goes that nobody declared; `null`: on. */
  readonly egressProxy: NonNullable<SidecarConfig['egressProxy']> | null;
  /** Ports of which something is said. */
  readonly ingress: readonly IngressPort[];
  /** Limits in front of the application, for ports without their own; `null`: nothing is said. */
  readonly inboundPool: ConnectionPool | null;
  /** By full name; hosts of ServiceEntries as they are. */
  readonly seen: SeenPorts;
}

/** Of gateways: Sidecar resources are not for them. */
export const everything: SidecarScope = {
  id: 'gateway',
  outbound: 'allow-any',
  egressProxy: null,
  ingress: [],
  inboundPool: null,
  seen: seesAll,
};

export interface IngressPort {
  readonly port: number;
  readonly protocol: PortProtocol;
  /** Host `null`: the address that was dialled; `null`: the port itself. */
  readonly target: { readonly host: string | null; readonly port: number } | null;
  /** `null`: that of the Sidecar. */
  readonly pool: ConnectionPool | null;
}

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
  const egress = chosen?.spec.egress ?? [];
  const policy = chosen?.spec.outboundTrafficPolicy;
  return {
    id: chosen === undefined ? '' : describeResource(chosen),
    outbound: policy === undefined ? fallback : policy.mode === 'ALLOW_ANY' ? 'allow-any' : 'registry-only',
    egressProxy: policy?.egressProxy === undefined ? null : toEgressProxy(policy.egressProxy),
    ingress: (chosen?.spec.ingress ?? []).flatMap(toIngressPort),
    inboundPool: chosen?.spec.inboundConnectionPool ?? null,
    seen: egress.length === 0 ? seesAll : compileEgress(egress, workload.namespace),
  };
}

function toEgressProxy({ host, subset, port }: Destination): NonNullable<SidecarScope['egressProxy']> {
  return { service: toHostKey(host.toLowerCase()), subset: subset || null, port: port?.number || null };
}

/** Unix sockets are left out: the sidecar has a file system of its own. */
function toIngressPort({ port, defaultEndpoint = '', connectionPool }: Ingress): readonly IngressPort[] {
  if (port.number === undefined || defaultEndpoint.startsWith('unix:')) return [];
  const [, bracketed, plain, target] = /^(?:\[(.+)\]|([^:]*)):(\d+)$/.exec(defaultEndpoint) ?? [];
  const host = bracketed ?? plain ?? '';
  const isAny = host === '' || host === '0.0.0.0' || host === '::';
  return [
    {
      port: port.number,
      protocol: toPortProtocol(port.protocol || port.name || ''),
      target: target === undefined ? null : { host: isAny ? null : host, port: Number(target) },
      pool: connectionPool ?? null,
    },
  ];
}
