/** Routes of connections at a gateway: by server name where TLS passes through, by port where it is bytes. */
import type { L4RouteConfig } from '../../model/l4-config.ts';
import { compareText, namespaceOf, ofKind } from '../../model/resource.ts';
import { backendService } from '../routes/gateway-routes.ts';
import { toL4Routes } from '../routes/l4-routes.ts';
import type { MeshSnapshot } from '../snapshot.ts';
import { attachTo, intersectHosts } from './gateway-attachments.ts';
import type { PortsOfServices } from './gateway-hosts.ts';
import type { GatewayProxy } from './gateway-proxies.ts';
import { hostsAt, isBoundToGateway, l4RulesFor } from './gateway-rules.ts';
import type { ProxyServer } from './proxy-server.ts';

/** In order, first match wins. */
export function compileGatewayL4(
  server: ProxyServer,
  proxy: GatewayProxy,
  snapshot: MeshSnapshot,
  ports: PortsOfServices,
): readonly L4RouteConfig[] {
  const routes = server.api === 'istio' ? fromVirtualServices(server, proxy, snapshot) : fromRoutes(server, snapshot);
  return routes.map((route, index) => ({
    ...route,
    name: `${route.name}#${index + 1}`,
    destinations: route.destinations.map((to) => {
      const [only, ...others] = ports.get(to.service) ?? [];
      return to.port === null && only !== undefined && others.length === 0 ? { ...to, port: only.port } : to;
    }),
  }));
}

/** `tls` rules where TLS passes through, `tcp` rules elsewhere. */
function fromVirtualServices(
  server: ProxyServer,
  proxy: GatewayProxy,
  { resources, services }: MeshSnapshot,
): readonly L4RouteConfig[] {
  const passes = server.tls?.mode === 'passthrough';
  const source = { namespace: proxy.namespace, labels: proxy.labels };
  return resources.virtualServices.flatMap((resource) => {
    if (!isBoundToGateway(resource, server.gateway, proxy)) return [];
    const hosts = hostsAt(server, resource, intersectHosts);
    if (hosts.length === 0) return [];
    const own = l4RulesFor(resource, server.gateway, proxy);
    const spec = passes ? { ...own.spec, tcp: [] } : { ...own.spec, tls: [] };
    return toL4Routes({ ...own, spec }, source, services)
      .map((route) => ({ ...route, name: `${resource.metadata.name}-${route.name}` }))
      .filter(
        ({ match }) => match.length === 0 || match.some(({ port }) => port === undefined || port === server.port),
      );
  });
}

/** The oldest TCPRoute has a port; of TLSRoutes the best fitting name wins, then the oldest. */
function fromRoutes(server: ProxyServer, { resources }: MeshSnapshot): readonly L4RouteConfig[] {
  const grants = ofKind(resources.kept, 'ReferenceGrant');
  const candidates = [...ofKind(resources.kept, 'TLSRoute'), ...ofKind(resources.kept, 'TCPRoute')];
  const routes = candidates.flatMap((route) => {
    const hosts = attachTo(route, server);
    if (typeof hosts === 'string') return [];
    const destinations = (route.spec.rules[0]?.backendRefs ?? []).map((ref) => ({
      service: backendService(ref, namespaceOf(route), grants),
      subset: null,
      port: ref.port ?? null,
      weight: ref.weight ?? 1,
    }));
    const names = route.kind === 'TLSRoute' ? hosts : ['*'];
    return names.map((host) => ({
      name: route.metadata.name,
      match: host === '*' ? [] : [{ sniHosts: [host] }],
      destinations,
    }));
  });
  const nameOf = ({ match }: L4RouteConfig) => match[0]?.sniHosts?.[0] ?? '*';
  return routes.sort((a, b) => compareFit(nameOf(a), nameOf(b)));
}

/** Names before wildcards, longer before shorter. */
function compareFit(a: string, b: string): number {
  const rank = (host: string) => (host === '*' ? 2 : host.startsWith('*') ? 1 : 0);
  return rank(a) - rank(b) || (rank(a) === 1 ? b.length - a.length : 0) || (rank(a) === 0 ? compareText(a, b) : 0);
}
