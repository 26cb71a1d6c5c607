import { isIP } from 'node:net';
import { meshAlpn } from '../../model/identity.ts';
import type { PortProtocol } from '../../model/protocol.ts';
import type { Endpoint, ServiceConfig } from '../../model/sidecar-config.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { type EndpointShare, entryOf } from '../../model/traffic-config.ts';
import { headersRead } from '../../policy/headers-read.ts';
import { compileRouteMatches, type RouteMatch } from '../../policy/match-route.ts';
import type { RequestView } from '../../policy/request-view.ts';
import { endpointKey, endpointsOfHost, endpointsOfSubset, toTargetPort } from '../../policy/select-endpoints.ts';
import type { Address, ChosenEndpoint, UpstreamTarget } from '../connection.ts';
import { type HttpInjection, onPort, onRoute, type ServiceInjections } from '../faults/injection-set.ts';
import { type ConnectionPolicy, connectionPolicy, type Files, type PoolPolicy } from '../upstream/connection-policy.ts';

/** An endpoint of a service, ready to be connected to. `key` is equal exactly when a pooled connection may be shared. */
export interface HttpEndpoint extends ChosenEndpoint {
  readonly target: UpstreamTarget;
  readonly edge: EdgeKey;
  readonly key: string;
  /** What it is spoken to in plaintext, whatever the client speaks; absent: what the client speaks. */
  readonly speaks?: 'http/1.1' | 'http/2';
  /** Instead of `key`, where a policy makes connections that only its own requests may use. */
  readonly poolKey?: string;
  /** How long connections live and what they carry; absent: as usual. */
  readonly pool?: PoolPolicy;
  /** Its connections are under faults of their own (toxics/), and used for nothing else. */
  readonly toxic?: true;
  /** By locality; absent: like all others. */
  readonly share?: EndpointShare;
}

/** One service as this sidecar sees it; everything that depends on the configuration only is worked out once. */
export interface CompiledService {
  readonly config: ServiceConfig;
  /** Headers that its rules look at. */
  readonly reads: readonly string[];
  readonly injections: ServiceInjections;
  /** First matching route (`null`: none matches); absent when the service has no routes. */
  readonly matchRoute: ((request: RequestView) => RouteMatch | null) | null;
  /** Faults of the whole service and of this route, at a port; the same empty list when there are none. */
  faultsOf(route: string | null, port: number): readonly HttpInjection[];
  /** Endpoints of a subset (`null`: all), for a service port. An unknown subset has none. */
  endpoints(subset: string | null, port: number): readonly HttpEndpoint[];
  /** Endpoints that plain DNS would answer with for `host`; all of them when none says so. */
  endpointsOfHost(host: string, port: number): readonly HttpEndpoint[];
  toEndpoint(endpoint: Endpoint, port: number): HttpEndpoint;
}

/** Lists kept per service and revision; ports come from clients, so the number must have an end. */
const maxCachedLists = 512;

const noFiles: Files = new Map();

/** @param files that rules may name */
export function compileService(
  config: ServiceConfig,
  injections: ServiceInjections,
  files: Files = noFiles,
): CompiledService {
  const serverName = config.hosts.find((host) => isIP(host) === 0) ?? config.key;
  const scopes = new Map<string, Scope>();
  const scopeOf = (subset: string | null, port: number) => {
    const key = `${subset ?? '*'}|${port}`;
    let scope = scopes.get(key);
    if (scope === undefined) {
      if (scopes.size >= maxCachedLists) scopes.clear();
      scope = { ...toScope(config, serverName, subset, port, files), toxic: onPort(injections.tcp, port).length > 0 };
      scopes.set(key, scope);
    }
    return scope;
  };
  const toEndpoint = (endpoint: Endpoint, port: number, subset: string | null = null) =>
    toHttpEndpoint(config, serverName, endpoint, port, scopeOf(subset, port));
  const cached = new Map<string, readonly HttpEndpoint[]>();
  const list = (key: string, port: number, select: () => readonly Endpoint[], subset: string | null = null) => {
    const known = cached.get(key);
    if (known !== undefined) return known;
    if (cached.size >= maxCachedLists) cached.clear();
    const made = select().map((endpoint) => toEndpoint(endpoint, port, subset));
    cached.set(key, made);
    return made;
  };
  const subsets = new Set(config.subsets.map(({ name }) => name));
  const knownHosts = new Set(config.endpoints.flatMap((endpoint) => endpoint.hosts));
  // Names of all of them: one list, as state of a cluster belongs to its list.
  const commonHosts = new Set(
    [...knownHosts].filter((host) => config.endpoints.every(({ hosts }) => hosts.includes(host))),
  );
  const endpoints = (subset: string | null, port: number) => {
    if (subset === null) return list(`*|${port}`, port, () => config.endpoints);
    if (!subsets.has(subset)) return [];
    return list(`subset ${subset}|${port}`, port, () => endpointsOfSubset(config, subset), subset);
  };
  return {
    config,
    reads: headersRead(config),
    injections,
    matchRoute: config.routes.length === 0 ? null : compileRouteMatches(config.routes),
    faultsOf: (route, port) => onRoute(injections, route, port),
    endpoints,
    endpointsOfHost(host, port) {
      if (!knownHosts.has(host) || commonHosts.has(host)) return endpoints(null, port);
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

/** What the policy for a subset and port changes about the endpoints; nothing without one. */
interface Scope {
  readonly policy: ConnectionPolicy | null;
  readonly shares: ReadonlyMap<string, EndpointShare> | null;
  /** There are faults of connections. */
  readonly toxic: boolean;
}

const plainScope: Omit<Scope, 'toxic'> = { policy: null, shares: null };

function toScope(
  config: ServiceConfig,
  serverName: string,
  subset: string | null,
  port: number,
  files: Files,
): Omit<Scope, 'toxic'> {
  const { policies = [], shares } = config;
  const entry = entryOf(policies, subset, port);
  if (entry === null && shares === undefined) return plainScope;
  const own = entry?.shares ?? shares ?? [];
  return {
    policy: entry === null ? null : connectionPolicy(entry.policy, serverName, files),
    shares: own.length === 0 ? null : new Map(own.map((share) => [share.endpoint, share])),
  };
}

function toHttpEndpoint(
  config: ServiceConfig,
  serverName: string,
  endpoint: Endpoint,
  port: number,
  { policy, shares, toxic }: Scope,
): HttpEndpoint {
  const service = config.key;
  const targetPort = toTargetPort(endpoint, port);
  const mesh = endpoint.mesh && policy?.withoutMesh !== true;
  const tls = mesh ? { alpn: meshAlpn.http, spiffeId: endpoint.spiffeId, serverName } : null;
  const share = shares?.get(endpoint.id);
  const key = endpointKey(service, endpoint, port);
  const speaks = policy?.httpVersion === undefined ? speaksOf(protocolOf(config, port)) : versionOf(policy.httpVersion);
  const target = { host: endpoint.address, port: targetPort, tls };
  return {
    endpoint,
    port: targetPort,
    target: policy?.dial === undefined ? target : { ...target, dial: policy.dial },
    edge: {
      direction: 'outbound',
      peerService: service,
      peerWorkload: endpoint.id,
      peerAddress: endpoint.address,
      peerSpiffeId: mesh ? endpoint.spiffeId : null,
      port,
      protocol: 'http/1.1',
      mtls: mesh,
    },
    ...speaks,
    ...(policy === null && !toxic ? {} : { poolKey: `${key} ${policy?.text ?? ''}${toxic ? ' under faults' : ''}` }),
    ...(toxic ? { toxic: true } : {}),
    ...(policy?.pool === undefined ? {} : { pool: policy.pool }),
    ...(share === undefined ? {} : { share }),
    key,
  };
}

function protocolOf({ ports }: ServiceConfig, port: number): PortProtocol | undefined {
  return ports.find((listed) => listed.port === port)?.protocol;
}

function versionOf(version: NonNullable<ConnectionPolicy['httpVersion']>): Pick<HttpEndpoint, 'speaks'> {
  return version === 'client' ? {} : { speaks: version };
}
