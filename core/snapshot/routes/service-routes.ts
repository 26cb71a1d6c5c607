/**
 * The HTTP routes of a service for one source, from the first of these that there is: its VirtualService (with delegates),
 * Gateway API routes bound to it, an SMI TrafficSplit. What does not change from one snapshot to the next is not compiled
 * again: a change of endpoints rebuilds no routes.
 */
import { ofKind } from '../../model/resource.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { settingsOf } from '../mesh-settings.ts';
import type { MeshSnapshot, SnapshotService } from '../snapshot.ts';
import { boundRoutes } from './bound-routes.ts';
import { createDelegateFinder, expandDelegates } from './delegates.ts';
import { compileTrafficSplit } from './traffic-splits.ts';
import { type CompiledRoutes, compileVirtualService, type RouteSource, virtualServicesOf } from './virtual-services.ts';

const none: CompiledRoutes = { routes: [], faults: [] };

interface Compiled {
  /** Everything that the routes depend on besides the VirtualService itself. */
  readonly context: string;
  readonly routes: CompiledRoutes;
}

/** By VirtualService, then by service and source; as long as the resource lives. */
const compiledRoutes = new WeakMap<VirtualService, Map<string, Compiled>>();

export function routesOf(snapshot: MeshSnapshot, service: SnapshotService, source: RouteSource): CompiledRoutes {
  const resource = virtualServiceFor(snapshot, service, source.namespace);
  if (resource !== undefined) return cached(snapshot, resource, service, source);
  const routes = boundRoutes(snapshot.resources, service);
  if (routes.length > 0) return { routes, faults: [] };
  const splits = ofKind(snapshot.resources.kept, 'TrafficSplit');
  const split = splits.length === 0 ? null : compileTrafficSplit(splits, service, snapshot.services);
  return split === null ? none : { routes: [split], faults: [] };
}

const narrow = new WeakMap<MeshSnapshot, boolean>();

/** The one in force for callers of a namespace; the same for all as long as no VirtualService says `exportTo`. */
function virtualServiceFor(
  snapshot: MeshSnapshot,
  service: SnapshotService,
  namespace: string,
): VirtualService | undefined {
  const { virtualServices: all } = snapshot.resources;
  let isNarrow = narrow.get(snapshot);
  if (isNarrow === undefined) {
    isNarrow = all.some(({ spec }) => (spec.exportTo ?? ['*']).some((target) => target !== '*'));
    narrow.set(snapshot, isNarrow);
  }
  if (!isNarrow) return snapshot.virtualServices.get(service.key);
  return virtualServicesOf(all, service, snapshot.services, namespace)[0]?.resource;
}

function cached(
  snapshot: MeshSnapshot,
  resource: VirtualService,
  service: SnapshotService,
  source: RouteSource,
): CompiledRoutes {
  const bySource = compiledRoutes.get(resource) ?? new Map<string, Compiled>();
  compiledRoutes.set(resource, bySource);
  const key = JSON.stringify([service.key, source.namespace, source.labels]);
  const context = contextOf(snapshot, resource);
  const known = bySource.get(key);
  if (known?.context === context) return known.routes;
  const rules = expandDelegates(resource, createDelegateFinder(snapshot.resources.virtualServices));
  const settings = settingsOf(snapshot.resources);
  const routes = compileVirtualService(resource, service, source, snapshot.services, rules, settings);
  bySource.set(key, { context, routes });
  return routes;
}

/** Names that hosts may resolve to, delegates, and the mesh's settings. */
const namesOf = new WeakMap<MeshSnapshot['services'], string>();

function contextOf(snapshot: MeshSnapshot, resource: VirtualService): string {
  let names = namesOf.get(snapshot.services);
  if (names === undefined) {
    names = [...snapshot.services.keys()].join(' ');
    namesOf.set(snapshot.services, names);
  }
  const delegates = (resource.spec.http ?? []).some((rule) => rule.delegate !== undefined)
    ? JSON.stringify(snapshot.resources.virtualServices.filter(({ spec }) => (spec.hosts ?? []).length === 0))
    : '';
  return `${names}|${delegates}|${JSON.stringify(settingsOf(snapshot.resources))}`;
}
