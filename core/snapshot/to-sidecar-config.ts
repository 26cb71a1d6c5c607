import { compareText } from '../model/resource.ts';
import type { ServiceConfig, SidecarConfig } from '../model/sidecar-config.ts';
import type { DiscoveredWorkload } from '../model/workload.ts';
import { compileGatewayConfig } from './gateways/gateway-config.ts';
import { settingsOf } from './mesh-settings.ts';
import { selectsCallers } from './policies/destination-rules.ts';
import { compileHealthCheck } from './policies/health-check.ts';
import { localityOf } from './policies/localities.ts';
import { selectsByLabels } from './routes/virtual-services.ts';
import type { MeshSnapshot, SnapshotWorkload } from './snapshot.ts';
import { everything, type SidecarScope, sidecarScope } from './visibility/sidecar-scope.ts';
import type { SourceGroup } from './visibility/source-group.ts';
import { compileInbound, compileVisibleServices, type VisibleServices } from './visibility/visible-services.ts';
import { labelsOf, serviceKeyOf, spiffeIdOf } from './workload-identity.ts';

interface GroupCache {
  readonly byLabels: boolean;
  readonly groups: Map<string, VisibleServices>;
  /** What groups saw in the snapshot before: services that are the same stay the same objects. */
  readonly before: ReadonlyMap<string, VisibleServices>;
}

/** What groups of sources see, per snapshot; lives as long as the snapshot does. */
const groupCache = new WeakMap<MeshSnapshot, GroupCache>();

/** Tells that `next` follows `previous`, so that what did not change is not made, compared and sent again. */
export function continueFrom(previous: MeshSnapshot, next: MeshSnapshot): void {
  groupCache.set(next, createCache(next, groupCache.get(previous)?.groups ?? new Map()));
}

function createCache({ resources }: MeshSnapshot, before: GroupCache['before']): GroupCache {
  const places = resources.destinationRules.some((rule) => JSON.stringify(rule).includes('"failoverPriority"'));
  const byLabels = places || selectsByLabels(resources.virtualServices) || selectsCallers(resources.destinationRules);
  return { byLabels, groups: new Map(), before };
}

/** The config of one workload's sidecar; `null` when the workload is not known or has no sidecar (`listeners: null`). */
export function toSidecarConfig(snapshot: MeshSnapshot, workloadId: string): SidecarConfig | null {
  const workload = snapshot.workloads.get(workloadId);
  if (workload === undefined || workload.listeners === null) return null;
  const { discovered, listeners } = workload;
  const visible = visibleServices(snapshot, workload);
  const gateway = discovered.runtime === 'gateway' ? compileGatewayConfig(snapshot, discovered, visible) : null;
  const faults = [...(gateway?.faults ?? visible.faults)].sort((a, b) => compareText(a.id, b.id));
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
    inbound: compileInbound(snapshot, workload, scopeOf(snapshot, discovered)),
    services: gateway?.services ?? (visible.services as SidecarConfig['services']),
    faults,
    ...compileBeyond(snapshot, workload, visible),
    ...(gateway === null ? {} : { gateway: gateway.gateway }),
  };
}

function visibleServices(snapshot: MeshSnapshot, workload: SnapshotWorkload): VisibleServices {
  let cache = groupCache.get(snapshot);
  if (cache === undefined) {
    cache = createCache(snapshot, new Map());
    groupCache.set(snapshot, cache);
  }
  const group = toGroup(snapshot, workload, cache.byLabels);
  const labels = Object.entries(group.labels).sort(([a], [b]) => compareText(a, b));
  const networks = [...group.networks].sort(compareText);
  const key = JSON.stringify([
    group.namespace,
    group.explicit,
    networks,
    labels,
    group.scope.id,
    localityOf(group.place),
  ]);
  let visible = cache.groups.get(key);
  if (visible === undefined) {
    visible = reuse(cache.before.get(key), compileVisibleServices(snapshot, group));
    cache.groups.set(key, visible);
  }
  return visible;
}

/** The same services as before are the same objects; if all are, so is the list. */
function reuse(before: VisibleServices | undefined, now: VisibleServices): VisibleServices {
  if (before === undefined) return now;
  const known = new Map(before.services.map((service) => [service.key, service]));
  const services = now.services.map((service) => {
    const old = known.get(service.key);
    return old !== undefined && isSameService(old, service) ? old : service;
  });
  const all =
    services.length === before.services.length &&
    services.every((service, index) => service === before.services[index]);
  return { ...now, services: all ? before.services : services };
}

/** Routes are compared by identity first: they are compiled once per resource. */
function isSameService(a: VisibleServices['services'][number], b: VisibleServices['services'][number]): boolean {
  const { routes: aRoutes, ...aRest } = a;
  const { routes: bRoutes, ...bRest } = b;
  if (aRoutes !== bRoutes && JSON.stringify(aRoutes) !== JSON.stringify(bRoutes)) return false;
  return JSON.stringify(aRest) === JSON.stringify(bRest);
}

/** Sidecar resources are for sidecars: a gateway sees everything. */
function scopeOf({ resources, rootNamespace }: MeshSnapshot, discovered: DiscoveredWorkload): SidecarScope {
  if (discovered.runtime === 'gateway') return everything;
  const workload = { namespace: discovered.namespace, labels: labelsOf(discovered) };
  return sidecarScope(resources, workload, rootNamespace);
}

function toGroup(snapshot: MeshSnapshot, { discovered, listeners }: SnapshotWorkload, byLabels: boolean): SourceGroup {
  return {
    scope: scopeOf(snapshot, discovered),
    place: discovered,
    namespace: discovered.namespace,
    labels: byLabels ? labelsOf(discovered) : {},
    networks: new Set(discovered.addresses.map((address) => address.network)),
    explicit: listeners?.kind === 'explicit',
  };
}

const keysOf = new WeakMap<VisibleServices, ReadonlySet<string>>();

/** Made once per group of sources. */
function reachableKeys(visible: VisibleServices): ReadonlySet<string> {
  let keys = keysOf.get(visible);
  if (keys === undefined) {
    keys = new Set(visible.services.map((service) => service.key));
    keysOf.set(visible, keys);
  }
  return keys;
}

/**
 * What only some sidecars have: the active faults whose `from` is their service, or that are for every caller (then not for
 * the target itself); and that unknown hosts are not let out.
 */
function compileBeyond(
  snapshot: MeshSnapshot,
  { discovered }: SnapshotWorkload,
  visible: VisibleServices,
): Pick<SidecarConfig, 'injections' | 'outbound' | 'egressProxy' | 'healthCheck'> {
  const healthCheck = compileHealthCheck(settingsOf(snapshot.resources));
  const own = serviceKeyOf(discovered);
  const reachable = reachableKeys(visible);
  const injections = snapshot.injections
    .filter(({ from, config }) => {
      // A certificate is shown by the service itself, to whoever calls.
      if (config.action.kind.startsWith('identity-')) return config.service === own;
      return (from === null ? config.service !== own : from === own) && reachable.has(config.service);
    })
    .map(({ config }) => config);
  const { outbound, egressProxy } = scopeOf(snapshot, discovered);
  return {
    ...(injections.length === 0 ? {} : { injections }),
    ...(outbound === 'allow-any' ? {} : { outbound }),
    ...(egressProxy === null ? {} : { egressProxy }),
    ...(healthCheck === null ? {} : { healthCheck }),
  };
}

type Callers = SidecarConfig['inbound']['attachedCallers'];

/** Text of a service or a list of callers, made once per object: sidecars of one group share it. */
const texts = new WeakMap<ServiceConfig | NonNullable<Callers>, string>();

function textOf(part: ServiceConfig | Callers): string {
  if (part === undefined) return '';
  let text = texts.get(part);
  if (text === undefined) {
    text = JSON.stringify(part);
    texts.set(part, text);
  }
  return text;
}

/** True when two configs say the same, whatever their revisions: then nothing has to be pushed. */
export function sameSidecarConfig(a: SidecarConfig, b: SidecarConfig): boolean {
  const [one, other] = [parts(a), parts(b)];
  if (one.text !== other.text || !sameServices(one.services, other.services)) return false;
  return one.callers === other.callers || textOf(one.callers) === textOf(other.callers);
}

/** The lists that sidecars share, and the text of all else but the revision. */
function parts({ services, revision: _, inbound, ...rest }: SidecarConfig) {
  const { attachedCallers: callers, ...own } = inbound;
  return { services, callers, text: JSON.stringify([rest, own]) };
}

/** Services that did not change are the same objects (`continueFrom`), so that few texts are compared. */
function sameServices(a: SidecarConfig['services'], b: SidecarConfig['services']): boolean {
  if (a === b) return true;
  return (
    a.length === b.length && a.every((service, index) => service === b[index] || textOf(service) === textOf(b[index]))
  );
}
