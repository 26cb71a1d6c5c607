/**
 * Where a request goes. Pure but for the random draw between weighted destinations: context + request + configuration
 * in, a decision out. Outbound HTTP is routed by Host and port and not by the address that was dialled, as in Istio.
 *
 *   plan   what is known once the host is: the same for every request of a connection to that host; it may be kept as
 *          long as the configuration is the same
 *   routing   the decision for one request
 */
import { isIP } from 'node:net';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { toServiceKey } from '../../model/workload.ts';
import type { RequestView } from '../../policy/request-view.ts';
import type { DownstreamContext, GatewayEntrance } from '../connection.ts';
import type { CompiledConfig } from './compiled-config.ts';
import { type CompiledService, type HttpEndpoint, speaksOf } from './compiled-service.ts';
import { inboundEdge, outboundEdge, portOf } from './edges.ts';
import { inboundCluster, withInboundPool } from './inbound-pool.ts';
import { blocked, noHealthyUpstream, proxyUsage, straight, toPlainEndpoint, unknownService } from './local-routings.ts';
import type { ParsedRequest } from './parsed-request.ts';
import { clusterOf, planService } from './plan-service.ts';
import { splitQuery } from './request-target.ts';
import { defaultRetryPlan } from './retry-plan.ts';
import { always, forward, type Rewrite, type RoutePlan, type Routing } from './route-plan.ts';

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
  const to = {
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
  };
  return always(forward(to));
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
  const cluster = clusterOf(proxy, subset, port ?? edge.port);
  return forward({ ...straight(first, edge, service, host), candidates, cluster });
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
  const pool = listed?.pool;
  if (pool === undefined) return always(forward({ ...straight(endpoint, edge, service, host), limits }));
  const cluster = { service: inboundCluster, subset: null, port, policy: pool };
  return always(forward({ ...straight(withInboundPool(endpoint, pool), edge, service, host), limits, cluster }));
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
