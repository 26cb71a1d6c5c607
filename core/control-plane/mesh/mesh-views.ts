import type { Badge, EngineStatus, MeshStatus, Topology, WorkloadView } from '../../contract/shapes.ts';
import type { DiscoveredWorkload, MeshState } from '../../model/workload.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import { readSplit } from '../../snapshot/split.ts';
import { buildTopology } from '../telemetry/build-topology.ts';
import type { TelemetryStore } from '../telemetry/telemetry-store.ts';
import { isAcked } from './applied.ts';
import type { Attachment } from './attachment.ts';
import type { CertificateBook } from './certificate-book.ts';
import { type FaultBook, faultLabel } from './fault-book.ts';
import { toListenersView } from './listeners-view.ts';
import type { WantedSet } from './wanted-set.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

/** What the views are made from. */
export interface MeshParts {
  readonly registry: WorkloadRegistry;
  readonly attachments: ReadonlyMap<string, Attachment>;
  readonly certificates: CertificateBook;
  readonly telemetry: TelemetryStore;
  readonly wanted: WantedSet;
  readonly faults: FaultBook;
  readonly snapshot: () => MeshSnapshot;
}

export function toMeshState(attachment: Attachment | undefined): MeshState {
  if (attachment === undefined) return 'detached';
  return attachment.phase === 'attached' && attachment.isDegraded ? 'degraded' : attachment.phase;
}

export function toWorkloadView(workload: DiscoveredWorkload, parts: MeshParts): WorkloadView {
  const { certificates, telemetry } = parts;
  const attachment = parts.attachments.get(workload.id);
  return {
    ...workload,
    mesh: toMeshState(attachment),
    reason: attachment === undefined ? whyDetached(workload, parts.wanted) : attachment.reason,
    identity: certificates.spiffeId(workload.id),
    ackedRevision: attachment?.link?.ackedRevision ?? null,
    ...(attachment?.link?.wanted == null ? {} : { wantedRevision: attachment.link.wanted.revision }),
    cost: telemetry.cost(workload.id),
    unseenConnections: telemetry.unseenConnections(workload.id),
    keptConnections: attachment?.phase === 'detaching' && attachment.kept !== null ? { ...attachment.kept } : null,
    listeners: toListenersView(workload, attachment, parts.snapshot().services),
  };
}

function whyDetached(workload: DiscoveredWorkload, wanted: WantedSet): string | null {
  if (workload.notAttachable !== null) return workload.notAttachable.message;
  return wanted.has(workload.id) ? 'It is attached as soon as it runs.' : null;
}

export function toStatus(
  parts: MeshParts,
  facts: Pick<MeshStatus, 'ready' | 'version' | 'project' | 'sample' | 'trustDomain'> & { engine: EngineStatus },
): MeshStatus {
  const { telemetry, attachments } = parts;
  const snapshot = parts.snapshot();
  const costs = [...attachments.keys()].flatMap((id) => telemetry.cost(id) ?? []);
  const attached = [...attachments.values()].filter(({ phase }) => phase === 'attached');
  return {
    ...facts,
    mtlsMode: snapshot.mtlsMode,
    revision: snapshot.revision,
    sidecars: { attached: attached.length, acked: attached.filter(isAcked).length },
    traffic: telemetry.totals(),
    cost: {
      sidecarsRssBytes: costs.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
      sidecarsCpuPercent: costs.reduce((sum, { cpuPercent }) => sum + cpuPercent, 0),
      controlPlaneRssBytes: process.memoryUsage.rss(),
    },
    faultsActive: parts.faults.injections().length,
  };
}

/** Engine shown for the mesh: the container engine, else a word that there is none. */
export const noEngine: EngineStatus = {
  state: 'disabled',
  name: null,
  version: null,
  endpoint: null,
  message: 'Containers are switched off; host processes and the sample shop can be meshed.',
};

export function toTopology(parts: MeshParts, windowSeconds: number, atMs: number): Topology {
  const snapshot = parts.snapshot();
  const services = [...snapshot.services.values()].map((service) => {
    const members = service.workloads.flatMap((id) => parts.registry.get(id) ?? []);
    const isGateway = members.some(({ runtime }) => runtime === 'gateway');
    return {
      key: service.key,
      kind: isGateway ? ('gateway' as const) : ('service' as const),
      name: service.name,
      namespace: service.namespace,
      project: members[0]?.project ?? null,
      versions: service.versions,
      workloads: members.map(({ id, name, version }) => ({
        ...{ id, name, version },
        mesh: toMeshState(parts.attachments.get(id)),
      })),
    };
  });
  const badges = new Map(services.map(({ key, name, namespace }) => [key, routeBadges(snapshot, name, namespace)]));
  const faults = parts.faults.list().filter(({ enabled }) => enabled);
  return buildTopology(parts.telemetry, {
    windowSeconds,
    atMs,
    revision: snapshot.revision,
    services,
    hosts: [
      ...new Set([...snapshot.entries.map(({ service }) => service), ...snapshot.virtualHosts].map(({ key }) => key)),
    ],
    badges: (from, to) => [
      ...faults
        .filter((fault) => fault.to === to && (fault.from === null || fault.from === from))
        .map((fault): Badge => ({ kind: 'fault', text: faultLabel(fault), faultId: fault.id })),
      ...(badges.get(to) ?? []),
    ],
  });
}

/** Splits and timeouts in force for a service: they act on every edge that leads to it. */
function routeBadges(snapshot: MeshSnapshot, service: string, namespace: string): Badge[] {
  const { weights, pins, virtualService } = readSplit(snapshot.resources, { service, namespace });
  const badges: Badge[] = [];
  if (weights.length > 1 || pins.length > 0) {
    const text = weights.map(({ weight }) => weight).join('/');
    badges.push({ kind: 'split', text: pins.length > 0 ? `${text} + ${pins.length} pinned` : text });
  }
  const timeouts = (virtualService?.spec.http ?? []).flatMap((rule) => rule.timeout ?? []);
  const timeout = timeouts.find((value) => !value.startsWith('0'));
  if (timeout !== undefined) badges.push({ kind: 'timeout', text: `timeout ${timeout}` });
  return badges;
}
