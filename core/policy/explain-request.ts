/**
 * Everything that a sidecar decides about one request, in words and numbers: service, every rule tried and why it did not
 * match, destination, endpoints, what is changed on the way, time limits, retries, faults. For `request.explain` and
 * `meshdesk explain`. Decides with the same functions as the data plane; draws are made with the given random.
 */

import type { InjectionConfig } from '../model/injection-config.ts';
import { compileRe2Search } from '../model/re2.ts';
import type { HttpMatch, HttpRoute, RouteDestination, ServiceConfig, SidecarConfig } from '../model/sidecar-config.ts';
import type { RateLimitConfig, RetryConfig } from '../model/traffic-config.ts';
import type { Random } from '../shared/random.ts';
import { defaultRetries } from './default-retries.ts';
import { explainDestination } from './explain-destination.ts';
import { enter } from './explain-entrance.ts';
import { answered, type ExplainedOutcome, noEndpoint } from './explain-outcome.ts';
import { explainRoutes, type RoutesExplanation } from './explain-routes.ts';
import { compileMatch } from './match-conditions.ts';
import { matchL4Route } from './match-l4.ts';
import { compileRouteMatches, hasRoutesOn, type RouteMatch } from './match-route.ts';
import { pickDestination } from './pick-destination.ts';
import type { RequestView } from './request-view.ts';
import { redirectLocation, rewritePath, toPathRewrite } from './rewrite-path.ts';
import { endpointsOfSubset } from './select-endpoints.ts';

export interface RequestExplanation {
  /** Key of the service that the host names; `null`: none does. */
  readonly service: string | null;
  readonly routes: RoutesExplanation['routes'];
  readonly route: string | null;
  readonly outcome: ExplainedOutcome;
  /** Path and authority as the upstream sees them. */
  readonly path: string;
  readonly authority: string;
  /** `null`: none. */
  readonly timeoutMs: number | null;
  /** In force, Istio's default policy where the route has none; `null`: nothing is sent anywhere. */
  readonly retries: RetryConfig | null;
  readonly rateLimits: readonly RateLimitConfig[];
  /** What the route draws from. */
  readonly draw: readonly { readonly service: string; readonly subset: string | null; readonly share: number }[];
  readonly mirrors: readonly string[];
  /** Faults in scope, with their percentage. */
  readonly faults: readonly { readonly id: string; readonly kind: string; readonly percent: number }[];
}

/** What is known besides the request itself. */
export interface ExplainHints {
  /** Key of the service that the listener stands for, whatever the host says; absent: the host decides. */
  readonly service?: string;
  /** Id of the endpoint that it went to: the destination is that one instead of a draw. */
  readonly endpoint?: string;
}

export function explainRequest(
  config: SidecarConfig,
  request: RequestView,
  random: Random,
  hints: ExplainHints = {},
): RequestExplanation {
  const entrance = enter(config, request, hints.service);
  const authority = request.header('host') ?? request.host;
  const nothing = {
    routes: [],
    route: null,
    path: request.path,
    authority,
    timeoutMs: null,
    retries: null,
    rateLimits: [],
    draw: [],
    mirrors: [],
    faults: [],
  };
  if (entrance.kind === 'outcome') return { ...nothing, service: null, outcome: entrance.outcome };
  const { service } = entrance;
  if (entrance.sealed)
    return { ...nothing, service: service.key, outcome: explainConnection(config, service, request, random) };
  const explained = explainRoutes(service.routes, request);
  const found = compileRouteMatches(service.routes)(request);
  const common = {
    ...nothing,
    service: service.key,
    routes: explained.routes,
    faults: faultsOf(config, service.key, found?.route.name ?? null, request),
  };
  if (!hasRoutesOn(service.routes, request.port)) {
    const all: RouteDestination = { service: service.key, subset: null, port: null, weight: 1 };
    return {
      ...common,
      retries: defaultRetries,
      outcome: toForward(config, all, 100, request, true, random, hints.endpoint),
    };
  }
  if (found === null) {
    return { ...common, outcome: answered(404, 'NR', `no route of ${service.key} matches`) };
  }
  return { ...common, ...explainRoute(config, found, request, authority, random, hints.endpoint) };
}

/** TLS of the application's own is passed on as it is: rules of `tls`, by server name and port; else by its host name. */
function explainConnection(
  config: SidecarConfig,
  service: ServiceConfig,
  request: RequestView,
  random: Random,
): ExplainedOutcome {
  const route = matchL4Route(service.l4Routes ?? [], { sni: request.host, port: request.port, address: null });
  const all = { service: service.key, subset: null, port: null, weight: 1 };
  const drawn = route === null ? all : pickDestination(route.destinations, random);
  const share = route === null ? 100 : shareOf(route.destinations, drawn);
  const destination = drawn && explainDestination(config, drawn, share, request, route === null, random);
  if (destination !== null) return { kind: 'connection', route: route?.name ?? null, destination };
  return noEndpoint(drawn?.service ?? service.key, drawn?.subset ?? null);
}

function explainRoute(
  config: SidecarConfig,
  found: RouteMatch,
  request: RequestView,
  authority: string,
  random: Random,
  endpoint: string | undefined,
) {
  const { route } = found;
  const outcome = ownAnswer(found, request, authority) ?? explainDraw(config, route, request, random, endpoint);
  return {
    route: route.name,
    outcome,
    path: rewrittenPath(found, request.path),
    authority: route.rewrite?.authority ?? authority,
    timeoutMs: route.timeoutMs,
    retries: outcome.kind === 'answer' ? null : (route.retries ?? defaultRetries),
    rateLimits: route.rateLimits ?? [],
    draw: route.destinations.map((one) => ({
      service: one.service,
      subset: one.subset,
      share: shareOf(route.destinations, one),
    })),
    mirrors: (route.mirrors ?? []).map(
      ({ service, subset, percent }) => `${percent} % to ${service}${subset === null ? '' : ` (${subset})`}`,
    ),
  };
}

function ownAnswer({ route, block }: RouteMatch, request: RequestView, authority: string): ExplainedOutcome | null {
  const { redirect, directResponse } = route;
  if (directResponse !== undefined) {
    return answered(directResponse.status, '', `route "${route.name}" answers by itself`);
  }
  if (redirect === undefined) return null;
  const target = redirect.uri ?? redirect.prefix;
  const path =
    redirect.prefix === undefined
      ? redirect.uri === undefined
        ? null
        : ({ kind: 'whole', by: redirect.uri } as const)
      : toPathRewrite(target ?? '', block?.uri);
  const scheme = redirect.scheme === 'http' || redirect.scheme === 'https' ? redirect.scheme : null;
  const location = redirectLocation(
    { status: redirect.status, path, authority: redirect.authority ?? null, scheme, port: redirect.port ?? null },
    { scheme: request.scheme, authority, path: request.path, query: request.query, port: request.port },
  );
  return answered(redirect.status, '', `route "${route.name}" redirects`, location);
}

function rewrittenPath({ route, block }: RouteMatch, path: string): string {
  const { uri, regex } = route.rewrite ?? {};
  if (regex !== undefined)
    return rewritePath(path, { kind: 'regex', pattern: compileRe2Search(regex.pattern), by: regex.by });
  return uri === undefined ? path : rewritePath(path, toPathRewrite(uri, block?.uri));
}

function explainDraw(
  config: SidecarConfig,
  route: HttpRoute,
  request: RequestView,
  random: Random,
  endpoint: string | undefined,
): ExplainedOutcome {
  const drawn =
    route.destinations.find((one) => endpoint !== undefined && leadsTo(config, one, endpoint)) ??
    pickDestination(route.destinations, random);
  if (drawn === null) return answered(503, 'UH', `route "${route.name}" has no destination with a weight`);
  return toForward(config, drawn, shareOf(route.destinations, drawn), request, false, random, endpoint);
}

/** Percent of a route's traffic; a single destination takes all of it, whatever its weight. */
function shareOf(all: readonly { readonly weight: number }[], one: { readonly weight: number } | null): number {
  const total = all.reduce((sum, { weight }) => sum + weight, 0);
  return one === null || all.length === 1 || total === 0 ? 100 : (100 * one.weight) / total;
}

function toForward(
  config: SidecarConfig,
  drawn: RouteDestination,
  share: number,
  request: RequestView,
  byHost: boolean,
  random: Random,
  endpoint: string | undefined,
): ExplainedOutcome {
  const destination = explainDestination(config, drawn, share, request, byHost, random);
  if (destination === null) return noEndpoint(drawn.service, drawn.subset);
  const isThere = endpoint !== undefined && destination.endpoints.some(({ id }) => id === endpoint);
  return { kind: 'forward', destination: isThere ? { ...destination, chosen: endpoint } : destination };
}

function leadsTo(config: SidecarConfig, { service: key, subset }: RouteDestination, endpoint: string): boolean {
  const service = config.services.find((candidate) => candidate.key === key);
  return service !== undefined && endpointsOfSubset(service, subset).some(({ id }) => id === endpoint);
}

/** What may hit this request: of its service, port and route, and with conditions that it meets. */
function faultsOf(
  config: SidecarConfig,
  service: string,
  route: string | null,
  request: RequestView,
): RequestExplanation['faults'] {
  const inScope = (fault: { readonly service: string; readonly route: string | null }) =>
    fault.service === service && (fault.route === null || fault.route === route);
  const meets = ({ match, port }: InjectionConfig) =>
    (port === null || port === request.port) &&
    (match.length === 0 ||
      match.some((block) => compileMatch(block as HttpMatch).every((condition) => condition.test(request))));
  return [
    ...config.faults.filter(inScope),
    ...(config.injections ?? []).filter((one) => inScope(one) && meets(one)),
  ].map(({ id, action, percent }) => ({ id, kind: action.kind, percent }));
}
