import { meshAlpn } from '../../model/identity.ts';
import type { L4RouteConfig } from '../../model/l4-config.ts';
import type { Endpoint } from '../../model/sidecar-config.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { type ConnectionView, matchL4Route } from '../../policy/match-l4.ts';
import { pickDestination } from '../../policy/pick-destination.ts';
import { pickEndpoint } from '../../policy/pick-endpoint.ts';
import type { Random } from '../../shared/random.ts';
import type { Address, DownstreamContext, UpstreamTarget } from '../connection.ts';
import type { CompiledConfig } from '../http/compiled-config.ts';
import { type CompiledService, dialledEndpoint, type HttpEndpoint } from '../http/compiled-service.ts';
import { countsCaller, portOf } from '../http/edges.ts';
import { inboundCluster, withInboundPool } from '../http/inbound-pool.ts';
import { toPlainEndpoint } from '../http/local-routings.ts';
import { onBehalfOf, type PoolPolicy } from '../upstream/connection-policy.ts';
import type { TcpClusters, TcpLease } from './tcp-clusters.ts';

type L4Destination = L4RouteConfig['destinations'][number];

/** Where a TCP connection goes, and the edge it counts on. */
export interface TcpUpstream {
  readonly target: UpstreamTarget;
  readonly key: EdgeKey;
  /** `null`: no endpoint of the mesh. */
  readonly endpointId: string | null;
  /** How long it lives; absent: as usual. */
  readonly pool?: PoolPolicy | undefined;
  /** Its place in the cluster that a traffic policy made; absent: there is none. */
  readonly lease?: TcpLease;
}

/**
 * Chooses once, for the connection's whole life; `null`: there is nowhere to go; `overflow`: no more connections may be made.
 *
 *   inbound   the application
 *   outbound  1. the service of an explicit listener  2. the endpoint that was dialled  3. the service whose virtual address
 *             was dialled, or that the server name of the application's own TLS names  4. a service that takes every
 *             address on this port  5. the address that was dialled, outside the mesh, unless only known services may be
 *             reached (Istio: ALLOW_ANY, REGISTRY_ONLY)
 *
 * `tls` and `tcp` routes of the service come first. Without one that fits, 1 and 3 name a service, so the weights and
 * subsets of its catch-all route count; 2 names one endpoint and gets it.
 * `active`: connections that an endpoint has now.
 */
export function routeConnection(
  context: DownstreamContext,
  config: CompiledConfig,
  active: (endpoint: Endpoint) => number,
  random: Random,
  clusters: TcpClusters | null = null,
): TcpUpstream | 'overflow' | null {
  if (context.direction === 'inbound') return toApplication(context, config, clusters);
  const { service: named, originalDestination: asked, serverName: sni = null } = context;
  const located = named !== null || asked === null ? null : config.endpointAt(asked.host, asked.port);
  const port = named?.port ?? located?.port ?? asked?.port ?? 0;
  const call: Call = { context, config, active, random, clusters, view: { sni, port, address: asked?.host ?? null } };
  if (named !== null) {
    const service = config.serviceByKey(named.key);
    return service === null ? null : byRules(service, call, () => toService(service, call));
  }
  if (asked === null) return null;
  if (located !== null) {
    const service = config.serviceByKey(located.service.key);
    if (service === null) return null;
    return byRules(service, call, () => hold(service, service.toEndpoint(located.endpoint, located.port), call));
  }
  const unknown = () => toUnknown(asked, call);
  const service = calledService(call, asked);
  if (service === null) return unknown();
  return byRules(service, call, () => (asksForOtherNames(service, call) ? unknown() : toService(service, call)));
}

type Routed = TcpUpstream | 'overflow' | null;

/** What nobody declared: out as it is, or to the service that is there for it, or nowhere. */
function toUnknown(asked: Address, call: Call): Routed {
  const { outbound, egressProxy } = call.config.source;
  if (egressProxy !== undefined) return toDestination({ ...egressProxy, weight: 1 }, call);
  return outbound === 'registry-only' ? null : toDialled(asked, toUnknownEdge(call.context));
}

/** A connection that is to be routed. */
interface Call {
  readonly context: DownstreamContext;
  readonly config: CompiledConfig;
  readonly active: (endpoint: Endpoint) => number;
  readonly random: Random;
  readonly clusters: TcpClusters | null;
  readonly view: ConnectionView;
}

/** Of services that share an address, the one that the server name names. */
function calledService({ config, view: { sni } }: Call, { host, port }: Address): CompiledService | null {
  const bySni = sni === null ? null : config.serviceByHost(sni, port);
  const byAddress = config.serviceAt(host, port);
  const isSameAddress = bySni !== null && (bySni.config.addresses ?? []).includes(host);
  return (isSameAddress ? bySni : (byAddress ?? bySni)) ?? config.serviceOnPort(port);
}

/** Asked of istiod: where rules ask for server names, TLS with another one is none of the service's. */
function asksForOtherNames({ config: { l4Routes = [] } }: CompiledService, { view: { sni } }: Call): boolean {
  return sni !== null && l4Routes.some(({ match }) => match.some(({ sniHosts }) => sniHosts !== undefined));
}

/** By the first `tls` or `tcp` route that fits; `otherwise`: none does. */
function byRules({ config: { l4Routes } }: CompiledService, call: Call, otherwise: () => Routed): Routed {
  const route = l4Routes === undefined ? null : matchL4Route(l4Routes, call.view);
  return route === null ? otherwise() : toDestination(pickDestination(route.destinations, call.random), call);
}

/** Of the HTTP routes only one without conditions can apply: there is no request to look at. */
function toService(service: CompiledService, call: Call): Routed {
  const { sni, port } = call.view;
  const route = service.config.routes.find(({ match }) => match.length === 0);
  if (route !== undefined) return toDestination(pickDestination(route.destinations, call.random), call);
  if (service.config.originalDestination === true) return toServiceDialled(service, call);
  const candidates = sni === null ? service.endpoints(null, port) : service.endpointsOfHost(sni, port);
  return pick(service, null, port, candidates, call);
}

function toDestination(destination: L4Destination | null, call: Call): Routed {
  const target = destination === null ? null : call.config.serviceByKey(destination.service);
  if (destination === null || target === null) return null;
  if (target.config.originalDestination === true) return toServiceDialled(target, call);
  const port = destination.port ?? call.view.port;
  return pick(target, destination.subset, port, target.endpoints(destination.subset, port), call);
}

function pick(
  service: CompiledService,
  subset: string | null,
  port: number,
  candidates: readonly HttpEndpoint[],
  call: Call,
): Routed {
  const { clusters, context } = call;
  if (clusters !== null && (service.config.policies ?? []).length > 0) {
    const found = clusters.pick(service, subset, port, candidates, context.remote.host);
    if (found === null || found === 'overflow') return found;
    return { ...toUpstream(found.endpoint, call), lease: found.lease };
  }
  const picked = pickEndpoint(candidates, ({ endpoint }) => call.active(endpoint), call.random);
  return picked === null ? null : toUpstream(picked, call);
}

/** The endpoint is given; limits of its cluster still hold. */
function hold(service: CompiledService, endpoint: HttpEndpoint, call: Call): Routed {
  const { clusters, view } = call;
  const upstream = toUpstream(endpoint, call);
  if (clusters === null || (service.config.policies ?? []).length === 0) return upstream;
  const lease = clusters.hold(service, view.port, endpoint);
  return lease === 'overflow' ? lease : { ...upstream, lease };
}

function toUpstream({ endpoint, target, edge, pool }: HttpEndpoint, { context }: Call): TcpUpstream {
  const { tls } = target;
  const own = { ...target, tls: tls === null ? null : { ...tls, alpn: meshAlpn.tcp } };
  return {
    target: onBehalfOf(own, context.remote, context.originalDestination),
    key: { ...edge, protocol: 'tcp' },
    endpointId: endpoint.id,
    pool,
  };
}

/** A service that has no endpoints of its own: to whatever was dialled, counted as the service's. */
function toServiceDialled(service: CompiledService, call: Call): TcpUpstream | null {
  const { originalDestination: asked } = call.context;
  if (asked === null) return null;
  const { target, key } = toUpstream(service.toEndpoint(dialledEndpoint(asked, service.config.key), asked.port), call);
  return { target, key: { ...key, peerWorkload: null }, endpointId: null };
}

function toDialled(asked: Address, key: EdgeKey): TcpUpstream {
  return { target: { host: asked.host, port: asked.port, tls: null }, key, endpointId: null };
}

function toApplication(context: DownstreamContext, config: CompiledConfig, clusters: TcpClusters | null): Routed {
  const application = context.target ?? context.originalDestination;
  if (application === null) return null;
  const { host, port } = application;
  const key = toUnknownEdge(context);
  const pool = config.source.inbound.ports.find((one) => one.port === key.port)?.pool;
  if (pool === undefined || clusters === null) return { target: { host, port, tls: null }, key, endpointId: null };
  const endpoint = withInboundPool(toPlainEndpoint(application, key), pool);
  const lease = clusters.holdIn(inboundCluster, key.port, pool, endpoint);
  return lease === 'overflow' ? lease : { target: endpoint.target, key, endpointId: null, lease };
}

/** The edge to a peer of which only the address (and, with mTLS, the identity; with TLS of its own, the name) is known. */
export function toUnknownEdge(context: DownstreamContext): EdgeKey {
  const isInbound = countsCaller(context);
  return {
    direction: isInbound ? 'inbound' : 'outbound',
    peerService: isInbound ? null : (context.service?.key ?? null),
    peerWorkload: null,
    peerAddress: isInbound ? context.remote.host : (context.originalDestination?.host ?? null),
    peerSpiffeId: context.peerSpiffeId,
    port: portOf(context),
    protocol: 'tcp',
    mtls: context.peerSpiffeId !== null,
    ...(isInbound || context.serverName === undefined ? {} : { serverName: context.serverName }),
  };
}
