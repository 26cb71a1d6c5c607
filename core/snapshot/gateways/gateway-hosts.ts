/**
 * Virtual hosts of a gateway: for each server and host name the routes of everything that is bound to it. Several
 * VirtualServices for one host are merged (only gateways do that), with what takes every request moved to the end.
 * Source: istio pilot gateway.go (buildGatewayHTTPRouteConfig), sortVHostRoutes.
 */
import { namespaceOf, ofKind } from '../../model/resource.ts';
import type { FaultConfig, HttpMatch, HttpRoute, ServiceConfig } from '../../model/sidecar-config.ts';
import { settingsOf } from '../mesh-settings.ts';
import { createDelegateFinder, expandDelegates } from '../routes/delegates.ts';
import { orderRoutes } from '../routes/gateway-routes.ts';
import { grpcToHttp } from '../routes/grpc-routes.ts';
import { compileVirtualService } from '../routes/virtual-services.ts';
import type { MeshSnapshot, SnapshotService } from '../snapshot.ts';
import { attachTo, intersectHosts } from './gateway-attachments.ts';
import type { GatewayProxy } from './gateway-proxies.ts';
import { hostsAt, httpRulesFor, isBoundToGateway } from './gateway-rules.ts';
import type { ProxyServer } from './proxy-server.ts';

/** By domain, in the order in which they came up. */
export type VirtualHosts = Map<string, VirtualHost>;

export interface VirtualHost {
  readonly routes: HttpRoute[];
  readonly faults: FaultConfig[];
  httpsRedirect: boolean;
}

/** Ports of the services that routes may lead to, by key; a destination without a port means the only one. */
export type PortsOfServices = ReadonlyMap<string, ServiceConfig['ports']>;

/** Adds the virtual hosts of a server. */
export function addVirtualHosts(
  hosts: VirtualHosts,
  server: ProxyServer,
  proxy: GatewayProxy,
  snapshot: MeshSnapshot,
  ports: PortsOfServices,
): void {
  const added: VirtualHosts = new Map();
  if (server.api === 'istio') addVirtualServices(added, server, proxy, snapshot);
  else addRoutes(added, server, snapshot);
  for (const [domain, host] of added) {
    const known = hostOf(hosts, domain);
    known.routes.push(...host.routes.map((route) => withPorts(route, ports, server)));
    known.faults.push(...host.faults);
  }
  if (!server.httpsRedirect) return;
  for (const { host } of server.hosts) hostOf(hosts, host);
  for (const [domain, host] of hosts) {
    if (added.has(domain) || server.hosts.some((own) => own.host === domain)) host.httpsRedirect = true;
  }
}

function hostOf(hosts: VirtualHosts, domain: string): VirtualHost {
  let host = hosts.get(domain);
  if (host === undefined) {
    host = { routes: [], faults: [], httpsRedirect: false };
    hosts.set(domain, host);
  }
  return host;
}

function addVirtualServices(
  hosts: VirtualHosts,
  server: ProxyServer,
  proxy: GatewayProxy,
  snapshot: MeshSnapshot,
): void {
  const { resources, services } = snapshot;
  const find = createDelegateFinder(resources.virtualServices);
  const settings = settingsOf(resources);
  for (const resource of resources.virtualServices) {
    if ((resource.spec.http ?? []).length === 0 || !isBoundToGateway(resource, server.gateway, proxy)) continue;
    const namespace = namespaceOf(resource);
    const rules = httpRulesFor(expandDelegates(resource, find), server.gateway, namespace, proxy);
    for (const domain of hostsAt(server, resource, intersectHosts)) {
      const host = hostOf(hosts, domain);
      const stand: SnapshotService = { ...standIn, key: `${domain}:${server.port}`, name: domain };
      const source = { namespace: proxy.namespace, labels: proxy.labels };
      const { routes, faults } = compileVirtualService(resource, stand, source, services, rules, settings);
      const rename = renamer(host.routes, `${namespace}/${resource.metadata.name}`);
      host.routes.push(...routes.map((route) => ({ ...route, name: rename(route.name) })));
      host.faults.push(
        ...faults.map((fault) => ({ ...fault, route: fault.route === null ? null : rename(fault.route) })),
      );
    }
  }
  for (const host of hosts.values()) moveCatchAllsToEnd(host.routes);
}

const standIn = { namespace: '', workloads: [], versions: [], ports: [] };

/** Names are unique among the routes of a host: those of a later resource that are taken get its name in front. */
function renamer(present: readonly HttpRoute[], owner: string): (name: string) => string {
  const taken = new Set(present.map(({ name }) => name));
  return (name) => (taken.has(name) ? `${owner}/${name}` : name);
}

function moveCatchAllsToEnd(routes: HttpRoute[]): void {
  const last = routes.filter(isCatchAll);
  const first = routes.filter((route) => !isCatchAll(route));
  routes.splice(0, routes.length, ...first, ...last);
}

function isCatchAll({ match }: HttpRoute): boolean {
  return match.length === 0 || match.some(takesEverything);
}

/** A path that all paths have, and no other condition on the request. */
function takesEverything(block: HttpMatch): boolean {
  const { uri, name: _name, ignoreUriCase: _case, ...others } = block;
  if (Object.keys(others).length > 0) return false;
  if (uri === undefined) return true;
  return 'prefix' in uri ? uri.prefix === '/' : 'regex' in uri && (uri.regex === '.*' || uri.regex === '*');
}

function addRoutes(hosts: VirtualHosts, server: ProxyServer, { resources }: MeshSnapshot): void {
  const grants = ofKind(resources.kept, 'ReferenceGrant');
  const candidates = [
    ...ofKind(resources.kept, 'HTTPRoute').map((route) => ({ route, http: route })),
    ...ofKind(resources.kept, 'GRPCRoute').map((route) => ({ route, http: grpcToHttp(route) })),
  ];
  const bound = new Map<string, (typeof candidates)[number]['http'][]>();
  for (const { route, http } of candidates) {
    const attached = attachTo(route, server);
    if (typeof attached === 'string') continue;
    for (const domain of attached) bound.set(domain, [...(bound.get(domain) ?? []), http]);
  }
  for (const [domain, routes] of bound) hostOf(hosts, domain).routes.push(...orderRoutes(routes, grants));
}

/**
 * A destination without a port means the only port of its service. Routes of the Gateway API that lead nowhere at all are
 * answered 500, as it says.
 */
function withPorts(route: HttpRoute, ports: PortsOfServices, { api }: ProxyServer): HttpRoute {
  const { destinations, redirect, directResponse } = route;
  const isLost =
    redirect === undefined &&
    directResponse === undefined &&
    !destinations.some(({ service, weight }) => ports.has(service) && (weight > 0 || destinations.length === 1));
  if (api === 'gateway-api' && isLost) {
    return { ...route, destinations: [], directResponse: { status: 500, body: '' } };
  }
  const withPort = <T extends { readonly service: string; readonly port: number | null }>(to: T): T => {
    const [only, ...others] = ports.get(to.service) ?? [];
    return to.port === null && only !== undefined && others.length === 0 ? { ...to, port: only.port } : to;
  };
  return {
    ...route,
    destinations: destinations.map(withPort),
    ...(route.mirrors === undefined ? {} : { mirrors: route.mirrors.map(withPort) }),
  };
}
