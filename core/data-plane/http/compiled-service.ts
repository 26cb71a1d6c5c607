import { isIP } from 'node:net';
import { meshAlpn } from '../../model/identity.ts';
import type { PortProtocol } from '../../model/protocol.ts';
import type { Endpoint, FaultConfig, ServiceConfig } from '../../model/sidecar-config.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { headersRead } from '../../policy/headers-read.ts';
import { compileRouteMatches, type RouteMatch } from '../../policy/match-route.ts';
import type { RequestView } from '../../policy/request-view.ts';
import { endpointKey, endpointsOfHost, endpointsOfSubset, toTargetPort } from '../../policy/select-endpoints.ts';
import type { Address, ChosenEndpoint, UpstreamTarget } from '../connection.ts';

/** A fault with its draws; the decider carries state and outlives a revision that leaves the fault as it is. */
export interface CompiledFault {
  readonly config: FaultConfig;
  readonly decide: (nowMs: number) => boolean;
}

/** An endpoint of a service, ready to be connected to. `key` is equal exactly when a pooled connection may be shared. */
export interface HttpEndpoint extends ChosenEndpoint {
  readonly target: UpstreamTarget;
  readonly edge: EdgeKey;
  readonly key: string;
  /** What it is spoken to in plaintext, whatever the client speaks; absent: what the client speaks. */
  readonly speaks?: 'http/1.1' | 'http/2';
}

/** One service as this sidecar sees it; everything that depends on the configuration only is worked out once. */
export interface CompiledService {
  readonly config: ServiceConfig;
  /** Headers that its rules look at. */
  readonly reads: readonly string[];
  /** All faults of this service. */
  readonly faults: readonly CompiledFault[];
  /** First matching route (`null`: none matches); absent when the service has no routes. */
  readonly matchRoute: ((request: RequestView) => RouteMatch | null) | null;
  /** Faults of the whole service and of this route; the same empty list when there are none. */
  faultsOf(route: string | null): readonly CompiledFault[];
  /** Endpoints of a subset (`null`: all), for a service port. An unknown subset has none. */
  endpoints(subset: string | null, port: number): readonly HttpEndpoint[];
  /** Endpoints that plain DNS would answer with for `host`; all of them when none says so. */
  endpointsOfHost(host: string, port: number): readonly HttpEndpoint[];
  toEndpoint(endpoint: Endpoint, port: number): HttpEndpoint;
}

const noFaults: readonly CompiledFault[] = [];
/** Lists kept per service and revision; ports come from clients, so the number must have an end. */
const maxCachedLists = 512;

export function compileService(config: ServiceConfig, faults: readonly CompiledFault[]): CompiledService {
  const serverName = config.hosts.find((host) => isIP(host) === 0) ?? config.key;
  const toEndpoint = (endpoint: Endpoint, port: number) => toHttpEndpoint(config, serverName, endpoint, port);
  const cached = new Map<string, readonly HttpEndpoint[]>();
  const list = (key: string, port: number, select: () => readonly Endpoint[]) => {
    const known = cached.get(key);
    if (known !== undefined) return known;
    if (cached.size >= maxCachedLists) cached.clear();
    const made = select().map((endpoint) => toEndpoint(endpoint, port));
    cached.set(key, made);
    return made;
  };
  const subsets = new Set(config.subsets.map(({ name }) => name));
  const knownHosts = new Set(config.endpoints.flatMap((endpoint) => endpoint.hosts));
  const everyRoute = faults.filter((fault) => fault.config.route === null);
  const faultsByRoute = new Map<string, readonly CompiledFault[]>();
  for (const { config: fault } of faults) {
    if (fault.route === null || faultsByRoute.has(fault.route)) continue;
    const inScope = faults.filter((other) => other.config.route === null || other.config.route === fault.route);
    faultsByRoute.set(fault.route, inScope);
  }
  const endpoints = (subset: string | null, port: number) => {
    if (subset === null) return list(`*|${port}`, port, () => config.endpoints);
    if (!subsets.has(subset)) return [];
    return list(`subset ${subset}|${port}`, port, () => endpointsOfSubset(config, subset));
  };
  return {
    config,
    reads: headersRead(config),
    faults,
    matchRoute: config.routes.length === 0 ? null : compileRouteMatches(config.routes),
    faultsOf(route) {
      if (faults.length === 0) return noFaults;
      return (route === null ? undefined : faultsByRoute.get(route)) ?? everyRoute;
    },
    endpoints,
    endpointsOfHost(host, port) {
      if (!knownHosts.has(host)) return endpoints(null, port);
      return list(`host ${host}|${port}`, port, () => endpointsOfHost(config, host));
    },
    toEndpoint,
  };
}

/** The address that was dialled, as the endpoint of a service that has none of its own. It belongs to no configuration. */
export function dialledEndpoint({ host }: Address, name: string): Endpoint {
  return { id: '', name, address: host, ports: [], version: null, hosts: [], mesh: false, spiffeId: '' };
}

/** What a port that declares its protocol is spoken to in, whatever the client speaks; nothing for one that does not. */
export function speaksOf(protocol: PortProtocol | undefined): Pick<HttpEndpoint, 'speaks'> {
  if (protocol === 'http') return { speaks: 'http/1.1' };
  return protocol === 'http2' || protocol === 'grpc' ? { speaks: 'http/2' } : {};
}

function toHttpEndpoint(config: ServiceConfig, serverName: string, endpoint: Endpoint, port: number): HttpEndpoint {
  const service = config.key;
  const targetPort = toTargetPort(endpoint, port);
  const tls = endpoint.mesh ? { alpn: meshAlpn.http, spiffeId: endpoint.spiffeId, serverName } : null;
  return {
    endpoint,
    port: targetPort,
    target: { host: endpoint.address, port: targetPort, tls },
    edge: {
      direction: 'outbound',
      peerService: service,
      peerWorkload: endpoint.id,
      peerAddress: endpoint.address,
      peerSpiffeId: endpoint.mesh ? endpoint.spiffeId : null,
      port,
      protocol: 'http/1.1',
      mtls: endpoint.mesh,
    },
    ...speaksOf(config.ports.find((listed) => listed.port === port)?.protocol),
    key: endpointKey(service, endpoint, port),
  };
}
