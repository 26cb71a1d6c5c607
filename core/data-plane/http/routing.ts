/**
 * Where a request goes. Pure but for the random draw between weighted destinations: context + request + configuration
 * in, a decision out. Outbound HTTP is routed by Host and port and not by the address that was dialled, as in Istio.
 *
 *   plan   what is known once the host is: the same for every request of a connection to that host; it may be kept as
 *          long as the configuration is the same
 *   routing   the decision for one request
 */
import { isIP } from 'node:net';
import type { RouteDestination } from '../../model/sidecar-config.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { type ClusterPolicy, policyOf } from '../../model/traffic-config.ts';
import { toServiceKey } from '../../model/workload.ts';
import { hasRoutesOn, type RouteMatch } from '../../policy/match-route.ts';
import { pickDestination } from '../../policy/pick-destination.ts';
import type { RequestView } from '../../policy/request-view.ts';
import type { Random } from '../../shared/random.ts';
import type { Address, DownstreamContext, GatewayEntrance } from '../connection.ts';
import type { HttpInjection } from '../faults/injection-set.ts';
import type { CompiledConfig } from './compiled-config.ts';
import { type CompiledService, dialledEndpoint, type HttpEndpoint, speaksOf } from './compiled-service.ts';
import { inboundEdge, outboundEdge, portOf } from './edges.ts';
import type { ParsedRequest } from './parsed-request.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { splitQuery } from './request-target.ts';
import { compileRetryPlan, defaultRetryPlan, noRetries, type RetryPlan } from './retry-plan.ts';
import { compileActions, locationOf, type RouteActions } from './route-actions.ts';

/** Answered by the mesh itself; `flag` is Envoy's response flag. */
export interface LocalAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly flag: string;
  readonly body: string;
  /** Besides those that every answer has. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly edge: EdgeKey;
  readonly service: string | null;
  readonly route: string | null;
  /** What else the route does; absent: nothing. */
  readonly actions?: RouteActions | null;
  /** Headers that decided, for the record; absent: none. */
  readonly reads?: readonly string[];
}

/** Goes to one of `candidates`. */
export interface Forward {
  readonly kind: 'forward';
  readonly candidates: readonly HttpEndpoint[];
  /** The service that was asked for; `null` when it is none of the mesh's. */
  readonly service: string | null;
  readonly route: string | null;
  readonly timeoutMs: number | null;
  readonly faults: readonly HttpInjection[];
  /** How many requests may go there; absent: any number. */
  readonly limits?: readonly RateLimiter[];
  /** Target and Host to write instead of the ones sent. */
  readonly target: string | null;
  readonly host: string | null;
  /** Edge of answers given before an endpoint is chosen. */
  readonly edge: EdgeKey;
  readonly retry: RetryPlan;
  /** What else the route does; `null`: nothing. */
  readonly actions: RouteActions | null;
  /** Headers that decided, for the record; absent: none. */
  readonly reads?: readonly string[];
  /** The cluster that the candidates are; `null`: no traffic policy is set, least request decides. */
  readonly cluster: ClusterRef | null;
}

/** Names a cluster and its policy. */
export interface ClusterRef {
  readonly service: string;
  readonly subset: string | null;
  readonly port: number;
  readonly policy: ClusterPolicy;
}

export type Routing = LocalAnswer | Forward;

export interface RoutePlan {
  /** The decision when it is the same for every request; otherwise `choose` makes one. */
  readonly always: Routing | null;
  choose(request: RequestView, random: Random): Routing;
}

type Rewrite = { readonly target: string | null; readonly host: string | null };

const noFaults: readonly HttpInjection[] = [];
const asSent: Rewrite = { target: null, host: null };

/** `reusable`: holds for every further request in origin-form to the same host under the same configuration. */
export function planRoute(
  context: DownstreamContext,
  request: ParsedRequest,
  config: CompiledConfig,
): { plan: RoutePlan; reusable: boolean } {
  const rewrite = request.form === 'absolute' ? { target: request.rewrittenTarget, host: request.authority } : asSent;
  const reusable = request.form === 'origin' && !context.forwardProxy;
  return { plan: planFor(context, request, config, rewrite), reusable };
}

/**
 * Where a CONNECT goes that was meant for a proxy beyond us: the address that was dialled. `null` on explicit listeners,
 * where we would have to be that proxy.
 */
export function tunnelEndpoint(context: DownstreamContext, config: CompiledConfig): HttpEndpoint | null {
  const destination = context.originalDestination;
  if (destination === null) return null;
  if (context.direction === 'inbound') return toPlainEndpoint(destination, inboundEdge(context, destination.port));
  const located = config.endpointAt(destination.host, destination.port);
  const service = located === null ? null : config.serviceByKey(located.service.key);
  if (located !== null && service !== null) return service.toEndpoint(located.endpoint, located.port);
  return toPlainEndpoint(destination, outboundEdge(null, null, destination.host, destination.port, false));
}

function planFor(
  context: DownstreamContext,
  request: ParsedRequest,
  config: CompiledConfig,
  rewrite: Rewrite,
): RoutePlan {
  if (context.direction === 'inbound') return planInbound(context, config, rewrite.host);
  if (context.gateway !== undefined) return planGateway(context.gateway, request, config, rewrite);
  if (context.forwardProxy) return planForwardProxy(request, config);
  const asked = { host: request.host, port: request.port, dialled: context.originalDestination };
  if (context.service !== null) {
    const service = config.serviceByKey(context.service.key);
    if (service === null) return always(unknownService(context.service.key, config, request.port));
    return planService(service, asked, rewrite, config);
  }
  const { host, port } = asked;
  const service = isIP(host) === 0 ? config.serviceByHost(host, port) : config.serviceAt(host, port);
  if (service !== null) return planService(service, asked, rewrite, config);
  return planOriginalDestination(context, request, config, rewrite);
}

/** By virtual host; the routes of one are those of a service that has nothing else. Source: Istio gateways, Envoy's `require_tls`. */
function planGateway(
  { port, server, secure }: GatewayEntrance,
  request: ParsedRequest,
  config: CompiledConfig,
  rewrite: Rewrite,
): RoutePlan {
  const edge = outboundEdge(null, null, null, port, false);
  const taken = config.gateway?.port(port) ?? null;
  const host = taken?.server(server)?.hostOf(request.host) ?? null;
  const local = { kind: 'answer', body: '', edge, service: null, route: null } as const;
  if (host?.httpsRedirect === true && !secure) {
    // Behind a published port that stands for 80, the one that stands for 443.
    const named = request.authorityPort !== null && taken?.httpsPort != null;
    const authority = named ? `${bracketed(request.host)}:${taken.httpsPort}` : request.authority;
    const redirect = (to: RequestView): Routing => {
      const location = `https://${authority}${to.query === '' ? to.path : `${to.path}?${to.query}`}`;
      return { ...local, status: 301, flag: '', headers: [['location', location]] };
    };
    return { always: null, choose: redirect };
  }
  const service = host?.service == null ? null : config.serviceByKey(host.service);
  if (service === null) return always({ ...local, status: 404, flag: 'NR' });
  return planService(service, { host: request.host, port }, rewrite, config, true);
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function always(routing: Routing): RoutePlan {
  return { always: routing, choose: () => routing };
}

/** What a request asks for, and the address that its connection dialled; `null` or absent: none is known. */
interface Asked extends Address {
  readonly dialled?: Address | null;
}

/** The address that was dialled, or the host itself, for a service that has no endpoints of its own. */
function passing({ config, toEndpoint }: CompiledService, { host, port, dialled }: Asked): readonly HttpEndpoint[] {
  const address = dialled ?? { host, port };
  return [toEndpoint(dialledEndpoint(address, config.key), address.port)];
}

/** A service that no rule is about. */
function planUnruled(service: CompiledService, asked: Asked, rewrite: Rewrite, edge: EdgeKey): RoutePlan {
  const { key, originalDestination } = service.config;
  const isPassing = originalDestination === true;
  const candidates = isPassing ? passing(service, asked) : service.endpointsOfHost(asked.host, asked.port);
  if (candidates.length === 0) return always(noHealthyUpstream(key, edge));
  return always({
    kind: 'forward',
    candidates,
    service: key,
    route: null,
    timeoutMs: null,
    faults: service.faultsOf(null, asked.port),
    ...rewrite,
    edge,
    retry: defaultRetryPlan,
    actions: null,
    cluster: clusterOf(service, null, asked.port),
  });
}

/** @param isHost a gateway's virtual host, which only stands for the services that its routes lead to */
function planService(
  service: CompiledService,
  asked: Asked,
  rewrite: Rewrite,
  config: CompiledConfig,
  isHost = false,
): RoutePlan {
  const { key } = service.config;
  const edge = outboundEdge(isHost ? null : key, null, null, asked.port, false);
  const { matchRoute } = service;
  if (matchRoute === null || (!isHost && !hasRoutesOn(service.config.routes, asked.port))) {
    return planUnruled(service, asked, rewrite, edge);
  }
  // Istio: a VirtualService without a catch-all answers 404 for what it does not match.
  const body = isHost ? '' : `no route of ${key} matches this request\n`;
  const { reads } = service;
  const unmatched: Routing = {
    kind: 'answer',
    status: 404,
    flag: 'NR',
    body,
    edge,
    service: isHost ? null : key,
    route: null,
    reads,
  };
  const known = new Map<RouteMatch, Map<RouteDestination, Routing>>();
  const answers = new Map<RouteMatch, (request: RequestView) => LocalAnswer>();
  const toDestination = (match: RouteMatch, destination: RouteDestination): Routing => {
    const { route } = match;
    const target = config.serviceByKey(destination.service);
    const port = destination.port ?? asked.port;
    // None: still a route, with its faults and header changes, that ends with "no healthy upstream".
    const isPassing = target?.config.originalDestination === true;
    const candidates = isPassing ? passing(target, asked) : (target?.endpoints(destination.subset, port) ?? []);
    const { name, timeoutMs } = route;
    const retry = route.retries === undefined ? defaultRetryPlan : compileRetryPlan(route.retries, timeoutMs);
    const actions = compileActions(match, destination, asked.port);
    const cluster = target === null ? null : clusterOf(target, destination.subset, port);
    const faults = service.faultsOf(name, asked.port);
    const limits = config.rateLimiters.of(route.rateLimits);
    const to = { kind: 'forward', candidates, service: key, route: name, timeoutMs, faults, limits } as const;
    const routing = { ...to, ...rewrite, edge, retry, actions, cluster, reads };
    if (!isHost) return routing;
    const own = target?.faultsOf(null, port) ?? noFaults;
    return {
      ...routing,
      service: destination.service,
      edge: outboundEdge(destination.service, null, null, port, false),
      faults: own.length === 0 ? faults : [...faults, ...own],
    };
  };
  const choose = (request: RequestView, random: Random): Routing => {
    const match = matchRoute(request);
    if (match === null) return unmatched;
    const { redirect, directResponse } = match.route;
    if (redirect !== undefined || directResponse !== undefined) {
      const answer = answers.get(match) ?? compileAnswer(match, isHost ? null : key, edge);
      answers.set(match, answer);
      return answer(request);
    }
    const destination = pickDestination(match.route.destinations, random);
    if (destination === null) return noHealthyUpstream(key, edge);
    let routings = known.get(match);
    if (routings === undefined) {
      routings = new Map();
      known.set(match, routings);
    }
    const before = routings.get(destination);
    if (before !== undefined) return before;
    const routing = toDestination(match, destination);
    routings.set(destination, routing);
    return routing;
  };
  return { always: null, choose };
}

/** What a redirect or a direct response is, for each request. */
function compileAnswer(
  match: RouteMatch,
  service: string | null,
  edge: EdgeKey,
): (request: RequestView) => LocalAnswer {
  const { redirect, directResponse, name } = match.route;
  const actions = compileActions(match);
  // The request goes nowhere: it stays as it is.
  const own = actions === null ? null : { ...actions, request: [] };
  const common = { kind: 'answer', flag: '', edge, service, route: name, actions: own } as const;
  const { status, body = '' } =
    redirect === undefined ? { status: 200, ...directResponse } : { status: redirect.status };
  const answer = { ...common, status, body: Buffer.from(body, 'base64').toString('latin1') };
  // Of a direct response, Envoy says so too: where the request was meant for.
  const hasLocation = redirect !== undefined || status === 201 || (status >= 300 && status < 400);
  if (!hasLocation) return () => answer;
  const where = redirect ?? { status };
  return (request) => ({ ...answer, headers: [['location', locationOf(where, match.block, request)]] });
}

function clusterOf(service: CompiledService, subset: string | null, port: number): ClusterRef | null {
  const { key, policies } = service.config;
  if (policies === undefined || policies.length === 0) return null;
  return { service: key, subset, port, policy: policyOf(policies, subset, port) };
}

/** A host name that is no service of the mesh, or an address: the endpoint that was dialled, else straight through. */
function planOriginalDestination(
  context: DownstreamContext,
  request: ParsedRequest,
  config: CompiledConfig,
  rewrite: Rewrite,
): RoutePlan {
  const destination = context.originalDestination;
  if (destination === null) return always(unknownService(request.host, config, request.port));
  const located = config.endpointAt(destination.host, destination.port);
  const service = located === null ? null : config.serviceByKey(located.service.key);
  if (located === null || service === null) {
    const { host, port } = destination;
    const edge = outboundEdge(null, null, host, port, false);
    const called = config.serviceAt(host, port);
    if (called !== null) return planService(called, { ...destination, dialled: destination }, rewrite, config);
    const { outbound, egressProxy } = config.source;
    if (egressProxy !== undefined) return always(toEgressProxy(egressProxy, edge, rewrite.host, config));
    if (outbound === 'registry-only') return always(blocked(edge));
    // An egress proxy needs the absolute form; only the Host is made to agree with it.
    return always(straight(toPlainEndpoint(destination, edge), edge, null, rewrite.host));
  }
  const endpoint = service.toEndpoint(located.endpoint, located.port);
  return always({
    kind: 'forward',
    candidates: [endpoint],
    service: service.config.key,
    route: null,
    timeoutMs: null,
    faults: service.faultsOf(null, located.port),
    ...rewrite,
    edge: endpoint.edge,
    retry: defaultRetryPlan,
    actions: null,
    cluster: null,
  });
}

/** What nobody declared goes there as it is (Istio Sidecar, `outboundTrafficPolicy.egressProxy`). */
function toEgressProxy(
  { service, subset, port }: NonNullable<CompiledConfig['source']['egressProxy']>,
  edge: EdgeKey,
  host: string | null,
  config: CompiledConfig,
): Routing {
  const proxy = config.serviceByKey(service);
  const candidates = proxy?.endpoints(subset, port ?? edge.port) ?? [];
  const [first] = candidates;
  if (proxy === null || first === undefined) return noHealthyUpstream(service, edge);
  return { ...straight(first, edge, service, host), candidates, cluster: clusterOf(proxy, subset, port ?? edge.port) };
}

function planInbound(context: DownstreamContext, config: CompiledConfig, host: string | null): RoutePlan {
  const { workload } = config.source;
  const service = toServiceKey(workload.service, workload.namespace);
  const port = portOf(context);
  const edge = inboundEdge(context, port);
  const destination = context.target ?? context.originalDestination;
  if (destination === null) {
    const body = 'the address of the application is unknown\n';
    return always({ kind: 'answer', status: 503, flag: 'UH', body, edge, service, route: null });
  }
  const listed = config.source.inbound.ports.find((one) => one.port === port);
  const plain = { ...toPlainEndpoint(destination, edge), ...speaksOf(listed?.protocol) };
  const send = listed?.proxyProtocol?.send ?? null;
  const endpoint = send === null ? plain : { ...plain, target: { ...plain.target, dial: { proxyProtocol: send } } };
  const limits = config.rateLimiters.of(config.source.inbound.rateLimits);
  return always({ ...straight(endpoint, edge, service, host), limits });
}

function planForwardProxy(request: ParsedRequest, config: CompiledConfig): RoutePlan {
  if (request.form === 'absolute') {
    const service =
      config.serviceByHost(request.host, request.authorityPort ?? 80) ?? config.serviceByName(request.host);
    if (service === null && config.source.outbound === 'registry-only') {
      return always(blocked(outboundEdge(null, null, null, request.authorityPort ?? 80, false)));
    }
    if (service === null) return always(unknownService(request.host, config, request.authorityPort ?? 80));
    const asked = { host: request.host, port: request.authorityPort ?? defaultPort(service) };
    const rewrite = { target: request.rewrittenTarget, host: request.authority };
    return withRequest(planService(service, asked, rewrite, config), request, { port: asked.port });
  }
  const match = /^\/proxy\/([^/:]+)(?::(\d{1,5}))?(\/.*)?$/.exec(request.path);
  const [, name, port, rest] = match ?? [];
  if (name === undefined) return always(proxyUsage(config, request.port));
  const service = config.serviceByName(name.toLowerCase());
  if (service === null) return always(unknownService(name, config, Number(port ?? 0)));
  const path = rest ?? '/';
  const target = request.query === '' ? path : `${path}?${request.query}`;
  const host = service.config.name;
  const asked = { host, port: port === undefined ? defaultPort(service) : Number(port) };
  const plan = planService(service, asked, { target, host }, config);
  return withRequest(plan, request, { ...splitQuery(target), ...asked });
}

/** A plan that is asked about another request than the one that came: what the forward proxy makes of it. */
function withRequest(plan: RoutePlan, request: ParsedRequest, changes: Partial<RequestView>): RoutePlan {
  const { method, path, query, emptyQuery = false, host, port, scheme } = request;
  const header = (name: string) => request.header(name);
  const someHeader: NonNullable<RequestView['someHeader']> = (name, test) =>
    request.someHeader?.(name, test) ?? test(request.header(name) ?? '');
  const authority = changes.host ?? request.authority;
  const view = { method, path, query, emptyQuery, host, authority, port, scheme, header, someHeader, ...changes };
  return { always: plan.always, choose: (_request, random) => plan.choose(view, random) };
}

/** 80 when the service has it, else its first port that may speak HTTP. */
function defaultPort(service: CompiledService): number {
  const { ports } = service.config;
  if (ports.some(({ port }) => port === 80)) return 80;
  const http = ports.find(({ protocol }) => protocol === 'http') ?? ports.find(({ protocol }) => protocol === 'auto');
  return (http ?? ports[0])?.port ?? 80;
}

function straight(endpoint: HttpEndpoint, edge: EdgeKey, service: string | null, host: string | null): Forward {
  return {
    kind: 'forward',
    candidates: [endpoint],
    service,
    route: null,
    timeoutMs: null,
    faults: noFaults,
    target: null,
    host,
    edge,
    retry: noRetries,
    actions: null,
    cluster: null,
  };
}

/** A plaintext address that belongs to no service. */
function toPlainEndpoint({ host, port }: Address, edge: EdgeKey): HttpEndpoint {
  return {
    endpoint: { id: '', name: '', address: host, ports: [], version: null, hosts: [], mesh: false, spiffeId: '' },
    port,
    target: { host, port, tls: null },
    edge,
    key: `${edge.direction} ${host}:${port}`,
  };
}

function noHealthyUpstream(service: string, edge: EdgeKey): LocalAnswer {
  return { kind: 'answer', status: 503, flag: 'UH', body: 'no healthy upstream', edge, service, route: null };
}

/** Asked of istiod: virtual host `block_all`, a response of its own without a flag. */
function blocked(edge: EdgeKey): LocalAnswer {
  return { kind: 'answer', status: 502, flag: '', body: '', edge, service: null, route: 'block_all' };
}

function unknownService(name: string, config: CompiledConfig, port: number): LocalAnswer {
  const body = `no service "${name}" in this mesh; known services: ${knownServices(config)}\n`;
  const edge = outboundEdge(null, null, null, port, false);
  return { kind: 'answer', status: 404, flag: 'NR', body, edge, service: null, route: null };
}

function proxyUsage(config: CompiledConfig, port: number): LocalAnswer {
  const body = `ask for /proxy/{service}/{path} or use this address as HTTP proxy; known services: ${knownServices(config)}\n`;
  const edge = outboundEdge(null, null, null, port, false);
  return { kind: 'answer', status: 404, flag: 'NR', body, edge, service: null, route: null };
}

function knownServices(config: CompiledConfig): string {
  const keys = config.source.services.map((service) => service.key).sort();
  return keys.length === 0 ? '(none)' : keys.join(', ');
}
