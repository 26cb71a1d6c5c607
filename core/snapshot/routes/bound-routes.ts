import type { GRPCRoute } from '../../model/grpc-route.ts';
import type { HTTPRoute } from '../../model/http-route.ts';
import type { ReferenceGrant } from '../../model/k8s-gateway.ts';
import { type MeshResources, namespaceOf, ofKind } from '../../model/resource.ts';
import type { HttpRoute } from '../../model/sidecar-config.ts';
import { toServiceKey } from '../../model/workload.ts';
import type { SnapshotService } from '../snapshot.ts';
import { compileGatewayRoutes } from './gateway-routes.ts';

interface Bound {
  readonly httpRoutes: HTTPRoute[];
  readonly grpcRoutes: GRPCRoute[];
}

interface Index {
  readonly byService: ReadonlyMap<string, Bound>;
  readonly grants: readonly ReferenceGrant[];
}

interface Compiled {
  /** The resources that it was made of. */
  readonly from: readonly object[];
  readonly routes: readonly HttpRoute[];
}

const indexes = new WeakMap<MeshResources, Index>();
/** By the first of the routes, then by service: as long as the resources live. */
const known = new WeakMap<object, Map<string, Compiled>>();

/**
 * Gateway API routes of a service; none: nothing is bound to it. Looked up once per set of resources, and compiled again only
 * when one of the routes or grants is another.
 */
export function boundRoutes(resources: MeshResources, service: SnapshotService): readonly HttpRoute[] {
  const { byService, grants } = indexOf(resources);
  const bound = byService.get(toServiceKey(service.name, service.namespace));
  const first = bound?.httpRoutes[0] ?? bound?.grpcRoutes[0];
  if (bound === undefined || first === undefined) return [];
  const from = [...bound.httpRoutes, ...bound.grpcRoutes, ...grants];
  const compiled = known.get(first) ?? new Map<string, Compiled>();
  known.set(first, compiled);
  const before = compiled.get(service.key);
  if (before?.from.length === from.length && before.from.every((one, index) => one === from[index]))
    return before.routes;
  const routes = compileGatewayRoutes(service, { ...bound, grants });
  compiled.set(service.key, { from, routes });
  return routes;
}

function indexOf(resources: MeshResources): Index {
  let index = indexes.get(resources);
  if (index === undefined) {
    const byService = new Map<string, Bound>();
    const boundTo = (key: string) => {
      const bound = byService.get(key) ?? { httpRoutes: [], grpcRoutes: [] };
      byService.set(key, bound);
      return bound;
    };
    for (const route of ofKind(resources.kept, 'HTTPRoute'))
      for (const key of servicesOf(route)) boundTo(key).httpRoutes.push(route);
    for (const route of ofKind(resources.kept, 'GRPCRoute'))
      for (const key of servicesOf(route)) boundTo(key).grpcRoutes.push(route);
    index = { byService, grants: ofKind(resources.kept, 'ReferenceGrant') };
    indexes.set(resources, index);
  }
  return index;
}

/** Keys of the services that a route names as parents. */
function servicesOf(route: HTTPRoute | GRPCRoute): ReadonlySet<string> {
  const parents = (route.spec.parentRefs ?? []).filter(({ kind, group }) => kind === 'Service' && group === '');
  return new Set(parents.map(({ name, namespace }) => toServiceKey(name, namespace ?? namespaceOf(route))));
}
