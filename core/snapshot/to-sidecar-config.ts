import { compareText } from '../model/resource.ts';
import type { FaultConfig, SidecarConfig } from '../model/sidecar-config.ts';
import type { MeshSnapshot, SnapshotWorkload } from './snapshot.ts';
import { selectsByLabels } from './virtual-services.ts';
import { compileInbound, compileVisibleServices, type SourceGroup, type VisibleServices } from './visible-services.ts';
import { labelsOf, serviceKeyOf, spiffeIdOf } from './workload-identity.ts';

/** What groups of sources see, per snapshot; lives as long as the snapshot does. */
const groupCache = new WeakMap<
  MeshSnapshot,
  { readonly byLabels: boolean; readonly groups: Map<string, VisibleServices> }
>();

/** The config of one workload's sidecar; `null` when the workload is not known or has no sidecar (`listeners: null`). */
export function toSidecarConfig(snapshot: MeshSnapshot, workloadId: string): SidecarConfig | null {
  const workload = snapshot.workloads.get(workloadId);
  if (workload === undefined || workload.listeners === null) return null;
  const { discovered, listeners } = workload;
  const visible = visibleServices(snapshot, workload);
  return {
    formatVersion: 1,
    revision: snapshot.revision,
    workload: {
      id: discovered.id,
      name: discovered.name,
      service: discovered.service,
      namespace: discovered.namespace,
      version: discovered.version,
      spiffeId: spiffeIdOf(discovered, snapshot.trustDomain),
    },
    trustDomain: snapshot.trustDomain,
    listeners,
    inbound: compileInbound(snapshot, workload),
    services: visible.services as SidecarConfig['services'],
    faults: compileFaults(snapshot, workload, visible),
  };
}

function visibleServices(snapshot: MeshSnapshot, workload: SnapshotWorkload): VisibleServices {
  let cache = groupCache.get(snapshot);
  if (cache === undefined) {
    cache = { byLabels: selectsByLabels(snapshot.resources.virtualServices), groups: new Map() };
    groupCache.set(snapshot, cache);
  }
  const group = toGroup(workload, cache.byLabels);
  const labels = Object.entries(group.labels).sort(([a], [b]) => compareText(a, b));
  const key = JSON.stringify([group.namespace, group.explicit, [...group.networks].sort(compareText), labels]);
  let visible = cache.groups.get(key);
  if (visible === undefined) {
    visible = compileVisibleServices(snapshot, group);
    cache.groups.set(key, visible);
  }
  return visible;
}

function toGroup({ discovered, listeners }: SnapshotWorkload, byLabels: boolean): SourceGroup {
  return {
    namespace: discovered.namespace,
    labels: byLabels ? labelsOf(discovered) : {},
    networks: new Set(discovered.addresses.map((address) => address.network)),
    explicit: listeners?.kind === 'explicit',
  };
}

/**
 * Faults that this sidecar injects, as a caller: those of its VirtualServices, and the active ones whose `from` is its
 * service, or that are for every caller (then not for the target itself). Sorted by id.
 */
function compileFaults(snapshot: MeshSnapshot, workload: SnapshotWorkload, visible: VisibleServices): FaultConfig[] {
  const own = serviceKeyOf(workload.discovered);
  const reachable = new Set(visible.services.map((service) => service.key));
  const active = snapshot.faults
    .filter(({ from, to }) => (from === null ? to !== own : from === own) && reachable.has(to))
    .map(({ id, to, route, action, percent, seed, expiresAtMs }) => ({
      ...{ id, service: to, route, action, percent, seed, expiresAtMs },
    }));
  return [...visible.faults, ...active].sort((a, b) => compareText(a.id, b.id));
}

/** Text of the big part, made once per object: sidecars of one group share it. */
const servicesText = new WeakMap<SidecarConfig['services'], string>();

function textOf(services: SidecarConfig['services']): string {
  let text = servicesText.get(services);
  if (text === undefined) {
    text = JSON.stringify(services);
    servicesText.set(services, text);
  }
  return text;
}

/** True when two configs say the same, whatever their revisions: then nothing has to be pushed. */
export function sameSidecarConfig(a: SidecarConfig, b: SidecarConfig): boolean {
  const { services: aServices, revision: _a, ...aRest } = a;
  const { services: bServices, revision: _b, ...bRest } = b;
  return (
    JSON.stringify(aRest) === JSON.stringify(bRest) &&
    (aServices === bServices || textOf(aServices) === textOf(bServices))
  );
}
