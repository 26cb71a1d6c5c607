/** Where requests for a service go: its routes, and what they are without any. */
import type { RouteDestination } from '../../model/sidecar-config.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { policyOf } from '../../model/traffic-config.ts';
import { hasRoutesOn, type RouteMatch } from '../../policy/match-route.ts';
import { pickDestination } from '../../policy/pick-destination.ts';
import type { RequestView } from '../../policy/request-view.ts';
import type { Random } from '../../shared/random.ts';
import type { Address } from '../connection.ts';
import type { CompiledConfig } from './compiled-config.ts';
import { type CompiledService, dialledEndpoint, type HttpEndpoint } from './compiled-service.ts';
import { outboundEdge } from './edges.ts';
import { noFaults, noHealthyUpstream } from './local-routings.ts';
import { compileRetryPlan, defaultRetryPlan } from './retry-plan.ts';
import { compileActions, locationOf } from './route-actions.ts';
import {
  always,
  type ClusterRef,
  forward,
  type LocalAnswer,
  type Rewrite,
  type RoutePlan,
  type Routing,
} from './route-plan.ts';

/** What a request asks for, and the address that its connection dialled; `null` or absent: none is known. */
export interface Asked extends Address {
  readonly dialled?: Address | null;
}

/** The address that was dialled, or the host itself, for a service that has no endpoints of its own. */
function passing({ config, toEndpoint }: CompiledService, { host, port, dialled }: Asked): readonly HttpEndpoint[] {
  const address = dialled ?? { host, port };
  return [toEndpoint(dialledEndpoint(address, config.key), address.port)];
}

/**
 * The one that was dialled, where the load balancer is PASSTHROUGH (Istio: a cluster of kind ORIGINAL_DST); otherwise, and
 * on listeners to which nobody was redirected, the candidates.
 */
function balanced(
  service: CompiledService,
  cluster: ClusterRef | null,
  asked: Asked,
  candidates: readonly HttpEndpoint[],
): readonly HttpEndpoint[] {
  const { dialled } = asked;
  if (cluster?.policy.loadBalancer?.kind !== 'passthrough' || dialled == null) return candidates;
  const there = service.endpoints(null, cluster.port).filter(({ endpoint }) => endpoint.address === dialled.host);
  return there.length > 0 ? there : passing(service, asked);
}

/** A service that no rule is about. */
function planUnruled(service: CompiledService, asked: Asked, rewrite: Rewrite, edge: EdgeKey): RoutePlan {
  const { key, originalDestination } = service.config;
  const isPassing = originalDestination === true;
  const cluster = clusterOf(service, null, asked.port);
  const candidates = isPassing
    ? passing(service, asked)
    : balanced(service, cluster, asked, service.endpointsOfHost(asked.host, asked.port));
  if (candidates.length === 0) return always(noHealthyUpstream(key, edge));
  const to = {
    candidates,
    service: key,
    route: null,
    timeoutMs: null,
    faults: service.faultsOf(null, asked.port),
    ...rewrite,
    edge,
    retry: defaultRetryPlan,
    actions: null,
    cluster,
  };
  return always(forward(to));
}

/** @param isHost a gateway's virtual host, which only stands for the services that its routes lead to */
export function planService(
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
  const scope = { service, asked, rewrite, config, edge, isHost };
  const unmatched = answerUnmatched(scope);
  const known = new Map<RouteMatch, Map<RouteDestination, Routing>>();
  const answers = new Map<RouteMatch, (request: RequestView) => LocalAnswer>();
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
    const routing = forwardTo(scope, match, destination);
    routings.set(destination, routing);
    return routing;
  };
  return { always: null, choose };
}

/** What is the same for all routes of a service. */
interface Scope {
  readonly service: CompiledService;
  readonly asked: Asked;
  readonly rewrite: Rewrite;
  readonly config: CompiledConfig;
  /** Of answers that are given before an endpoint is chosen. */
  readonly edge: EdgeKey;
  readonly isHost: boolean;
}

/** Istio: a VirtualService without a catch-all answers 404 for what it does not match. */
function answerUnmatched({ service, edge, isHost }: Scope): Routing {
  const { key } = service.config;
  const body = isHost ? '' : `no route of ${key} matches this request\n`;
  const from = { service: isHost ? null : key, route: null, reads: service.reads };
  return { kind: 'answer', status: 404, flag: 'NR', body, edge, ...from };
}

function candidatesOf(
  target: CompiledService,
  cluster: ClusterRef | null,
  { subset, port }: { readonly subset: string | null; readonly port: number },
  asked: Asked,
): readonly HttpEndpoint[] {
  if (target.config.originalDestination === true) return passing(target, asked);
  return balanced(target, cluster, asked, target.endpoints(subset, port));
}

/** The same for every request that is drawn to this destination of this route. */
function forwardTo(
  { service, asked, rewrite, config, edge, isHost }: Scope,
  match: RouteMatch,
  destination: RouteDestination,
): Routing {
  const { name, timeoutMs, retries, rateLimits } = match.route;
  const target = config.serviceByKey(destination.service);
  const port = destination.port ?? asked.port;
  const retry = retries === undefined ? defaultRetryPlan : compileRetryPlan(retries, timeoutMs);
  const actions = compileActions(match, destination, asked.port);
  const cluster = target === null ? null : clusterOf(target, destination.subset, port);
  // None: still a route, with its faults and header changes, that ends with "no healthy upstream".
  const candidates = target === null ? [] : candidatesOf(target, cluster, { ...destination, port }, asked);
  const faults = service.faultsOf(name, asked.port);
  const limits = config.rateLimiters.of(rateLimits);
  const to = { candidates, service: service.config.key, route: name, timeoutMs };
  const routing = { ...to, ...rewrite, edge, retry, actions, cluster, faults, limits, reads: service.reads };
  if (!isHost) return forward(routing);
  const own = target?.faultsOf(null, port) ?? noFaults;
  return forward({
    ...routing,
    service: destination.service,
    edge: outboundEdge(destination.service, null, null, port, false),
    faults: own.length === 0 ? faults : [...faults, ...own],
  });
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

export function clusterOf(service: CompiledService, subset: string | null, port: number): ClusterRef | null {
  const { key, policies } = service.config;
  if (policies === undefined || policies.length === 0) return null;
  return { service: key, subset, port, policy: policyOf(policies, subset, port) };
}
