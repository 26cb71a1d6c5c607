/** The part of a configuration that only gateways have: their servers, and the services that their routes lead to. */
import type { GatewayConfig, GatewayServerConfig } from '../../model/gateway-config.ts';
import { compareText, namespaceOf } from '../../model/resource.ts';
import type { FaultConfig, HttpRoute, ServiceConfig } from '../../model/sidecar-config.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { MeshSnapshot } from '../snapshot.ts';
import type { VisibleServices } from '../visibility/visible-services.ts';
import { addVirtualHosts, type PortsOfServices, type VirtualHosts } from './gateway-hosts.ts';
import { compileGatewayL4 } from './gateway-l4.ts';
import { type GatewayProxy, gatewayProxies } from './gateway-proxies.ts';
import type { ProxyServer } from './proxy-server.ts';

export interface CompiledGateway {
  readonly gateway: GatewayConfig;
  /** Those that routes lead to, without routes of their own, and one per virtual host; sorted by key. */
  readonly services: ServiceConfig[];
  /** Of VirtualServices. */
  readonly faults: readonly FaultConfig[];
}

interface Made {
  readonly servers: GatewayServerConfig[];
  readonly hosts: ServiceConfig[];
  readonly faults: FaultConfig[];
}

/** @param visible what the proxy can reach */
export function compileGatewayConfig(
  snapshot: MeshSnapshot,
  workload: DiscoveredWorkload,
  visible: VisibleServices,
): CompiledGateway {
  const proxy = gatewayProxies(snapshot.resources, snapshot.rootNamespace).find(({ id }) => id === workload.id);
  const ports: PortsOfServices = new Map(visible.services.map((service) => [service.key, service.ports]));
  const made: Made = { servers: [], hosts: [], faults: [] };
  const numbers = [...new Set((proxy?.servers ?? []).map(({ port }) => port))];
  const config = numbers.flatMap((port) => {
    if (proxy === undefined) return [];
    const servers = compilePort(port, proxy, snapshot, ports, made);
    const httpsPort = publishedHttps(workload);
    return servers.length === 0 ? [] : [{ port, servers, ...(httpsPort === null ? {} : { httpsPort }) }];
  });
  const wanted = new Set(made.hosts.flatMap(leadsTo));
  const reached = visible.services.filter(({ key }) => wanted.has(key)).map(withoutRoutes);
  const services = [...reached, ...made.hosts].sort((a, b) => compareText(a.key, b.key));
  return { gateway: { ports: config, certificates: [] }, services, faults: made.faults };
}

/** Where this machine has what the Gateway has at 443; `null`: there, or nowhere. */
function publishedHttps({ ports }: DiscoveredWorkload): number | null {
  const published = ports.find(({ port }) => port === 443)?.publishedPort ?? null;
  return published === 443 ? null : published;
}

/** Plaintext servers of a port are one, with all their hosts; each with TLS is one of its own. What comes first decides. */
function compilePort(
  port: number,
  proxy: GatewayProxy,
  snapshot: MeshSnapshot,
  ports: PortsOfServices,
  made: Made,
): GatewayServerConfig[] {
  const here = proxy.servers.filter((server) => server.port === port);
  const plain = here.filter(({ tls }) => tls === null);
  const [first] = plain;
  const secured = here.filter(({ tls }) => tls !== null);
  const servers: GatewayServerConfig[] = [];
  if (first?.protocol === 'http') {
    const hosts: VirtualHosts = new Map();
    for (const server of plain) if (server.protocol === 'http') addVirtualHosts(hosts, server, proxy, snapshot, ports);
    const named = toHosts(hosts, `${port}@${proxy.name}`, made);
    servers.push({ id: 'plaintext', protocol: 'http', names: ['*'], hosts: named });
  } else if (first !== undefined) {
    servers.push({
      id: 'plaintext',
      protocol: 'tcp',
      names: ['*'],
      hosts: [],
      ...l4(first, proxy, snapshot, ports, made),
    });
  }
  for (const server of secured) {
    if (server.tls === null) continue;
    const names = [...new Set(server.hosts.map(({ host }) => host))];
    const common = { id: server.id, protocol: server.protocol, names, tls: server.tls };
    if (server.protocol === 'tcp') {
      servers.push({ ...common, hosts: [], ...l4(server, proxy, snapshot, ports, made) });
    } else {
      const hosts: VirtualHosts = new Map();
      addVirtualHosts(hosts, server, proxy, snapshot, ports);
      servers.push({ ...common, hosts: toHosts(hosts, `${port}@${server.id}`, made) });
    }
  }
  return servers;
}

function toHosts(hosts: VirtualHosts, place: string, made: Made): GatewayServerConfig['hosts'] {
  return [...hosts].map(([domain, { routes, faults, httpsRedirect }]) => {
    const key = `${domain}:${place}`;
    if (routes.length > 0) made.hosts.push({ ...emptyHost(key, domain), routes });
    made.faults.push(...faults.map((fault) => ({ ...fault, id: `${fault.id}@${place}`, service: key })));
    const service = routes.length > 0 ? key : null;
    return { domain, service, ...(httpsRedirect ? { httpsRedirect } : {}) };
  });
}

function l4(
  server: ProxyServer,
  proxy: GatewayProxy,
  snapshot: MeshSnapshot,
  ports: PortsOfServices,
  made: Made,
): Pick<GatewayServerConfig, 'service'> {
  const l4Routes = [...compileGatewayL4(server, proxy, snapshot, ports)];
  if (l4Routes.length === 0) return {};
  const key = `tcp:${server.port}@${server.id}`;
  made.hosts.push({ ...emptyHost(key, server.id), l4Routes });
  return { service: key };
}

function emptyHost(key: string, name: string): ServiceConfig {
  return { key, name, namespace: '', hosts: [], ports: [], subsets: [], routes: [], endpoints: [] };
}

function leadsTo({ routes, l4Routes = [] }: ServiceConfig): string[] {
  const http = routes.flatMap(({ destinations, mirrors = [] }: HttpRoute) => [...destinations, ...mirrors]);
  return [...http, ...l4Routes.flatMap(({ destinations }) => destinations)].map(({ service }) => service);
}

/** Routes of the mesh are not a gateway's: what it routes to is an end. */
const ends = new WeakMap<ServiceConfig, ServiceConfig>();

function withoutRoutes(service: ServiceConfig): ServiceConfig {
  if (service.routes.length === 0 && service.l4Routes === undefined) return service;
  let end = ends.get(service);
  if (end === undefined) {
    const { l4Routes: _l4Routes, ...rest } = service;
    end = { ...rest, routes: [] };
    ends.set(service, end);
  }
  return end;
}

/** Keys of the services that a gateway's routes lead to, whether they are reached or not. */
export function gatewayDestinations(snapshot: MeshSnapshot, proxy: GatewayProxy): ReadonlySet<string> {
  const ports: PortsOfServices = new Map([...snapshot.services].map(([key, service]) => [key, [...service.ports]]));
  const made: Made = { servers: [], hosts: [], faults: [] };
  for (const port of new Set(proxy.servers.map((server) => server.port))) {
    compilePort(port, proxy, snapshot, ports, made);
  }
  return new Set(made.hosts.flatMap(leadsTo));
}

/** Whether VirtualServices send what is in the mesh to a gateway, as for egress. */
export function isGatewayDestination({ resources }: MeshSnapshot, { name, namespace }: GatewayProxy): boolean {
  const isItsName = (host: string, own: string) =>
    host === name ? own === namespace : host === `${name}.${namespace}` || host.startsWith(`${name}.${namespace}.`);
  return resources.virtualServices.some((resource) => {
    const { http = [], tls = [], tcp = [] } = resource.spec;
    const targets = [...http, ...tls, ...tcp].flatMap(({ route = [] }) => route.map(({ destination }) => destination));
    return targets.some(({ host }) => isItsName(host, namespaceOf(resource)));
  });
}
