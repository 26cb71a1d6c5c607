/**
 * Everything that a sidecar decides about one request, in words and numbers: service, every rule tried and why it did not
 * match, destination, endpoints, what is changed on the way, time limits, retries, faults. For `request.explain` and
 * `meshdesk explain`. Decides with the same functions as the data plane; draws are made with the given random.
 */

import { compileRe2Search } from '../model/re2.ts';
import type {
  Endpoint,
  FaultConfig,
  HttpRoute,
  RouteDestination,
  ServiceConfig,
  SidecarConfig,
} from '../model/sidecar-config.ts';
import { type ClusterPolicy, policyOf, type RetryConfig } from '../model/traffic-config.ts';
import type { Random } from '../shared/random.ts';
import { explainRoutes, type RoutesExplanation } from './explain-routes.ts';
import { compileRouteMatches, type RouteMatch } from './match-route.ts';
import { pickDestination } from './pick-destination.ts';
import type { RequestView } from './request-view.ts';
import { redirectLocation, rewritePath, toPathRewrite } from './rewrite-path.ts';

/** What becomes of the request, as far as the sidecar alone decides. */
export type ExplainedOutcome =
  | { readonly kind: 'forward'; readonly destination: ExplainedDestination }
  /** Answered by the sidecar; `flag` is Envoy's response flag, '' for a route's own answer. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly flag: string;
      readonly why: string;
      readonly location: string | null;
    }
  /** No service of the mesh: straight on, or refused. */
  | { readonly kind: 'outside'; readonly allowed: boolean };

export interface ExplainedDestination {
  readonly service: string;
  readonly subset: string | null;
  readonly port: number;
  /** Percent of the route's traffic that this destination gets. */
  readonly share: number;
  readonly endpoints: readonly {
    readonly id: string;
    readonly name: string;
    readonly address: string;
    readonly priority: number;
  }[];
  readonly policy: ClusterPolicy;
}

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
  readonly retries: RetryConfig | null;
  readonly mirrors: readonly string[];
  /** Faults in scope, with their percentage. */
  readonly faults: readonly { readonly id: string; readonly kind: string; readonly percent: number }[];
}

export function explainRequest(config: SidecarConfig, request: RequestView, random: Random): RequestExplanation {
  const service = config.services.find(({ hosts }) => hosts.includes(request.host)) ?? null;
  const authority = request.header('host') ?? request.host;
  const nothing = {
    routes: [],
    route: null,
    path: request.path,
    authority,
    timeoutMs: null,
    retries: null,
    mirrors: [],
    faults: [],
  };
  if (service === null)
    return { ...nothing, service: null, outcome: { kind: 'outside', allowed: config.outbound !== 'registry-only' } };
  const explained = explainRoutes(service.routes, request);
  const found = compileRouteMatches(service.routes)(request);
  const common = {
    ...nothing,
    service: service.key,
    routes: explained.routes,
    faults: faultsOf(config, service.key, found?.route.name ?? null),
  };
  if (service.routes.length === 0) {
    const all: RouteDestination = { service: service.key, subset: null, port: null, weight: 1 };
    return { ...common, outcome: toForward(config, all, 100, request) };
  }
  if (found === null) {
    const why = `no route of ${service.key} matches`;
    return { ...common, outcome: { kind: 'answer', status: 404, flag: 'NR', why, location: null } };
  }
  return { ...common, ...explainRoute(config, found, request, authority, random) };
}

function explainRoute(
  config: SidecarConfig,
  found: RouteMatch,
  request: RequestView,
  authority: string,
  random: Random,
) {
  const { route } = found;
  const outcome = ownAnswer(found, request, authority) ?? explainDestination(config, route, request, random);
  return {
    route: route.name,
    outcome,
    path: rewrittenPath(found, request.path),
    authority: route.rewrite?.authority ?? authority,
    timeoutMs: route.timeoutMs,
    retries: route.retries ?? null,
    mirrors: (route.mirrors ?? []).map(
      ({ service, subset, percent }) => `${percent} % to ${service}${subset === null ? '' : ` (${subset})`}`,
    ),
  };
}

function ownAnswer({ route, block }: RouteMatch, request: RequestView, authority: string): ExplainedOutcome | null {
  const { redirect, directResponse } = route;
  if (directResponse !== undefined) {
    return {
      kind: 'answer',
      status: directResponse.status,
      flag: '',
      why: `route "${route.name}" answers by itself`,
      location: null,
    };
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
  return { kind: 'answer', status: redirect.status, flag: '', why: `route "${route.name}" redirects`, location };
}

function rewrittenPath({ route, block }: RouteMatch, path: string): string {
  const { uri, regex } = route.rewrite ?? {};
  if (regex !== undefined)
    return rewritePath(path, { kind: 'regex', pattern: compileRe2Search(regex.pattern), by: regex.by });
  return uri === undefined ? path : rewritePath(path, toPathRewrite(uri, block?.uri));
}

function explainDestination(
  config: SidecarConfig,
  route: HttpRoute,
  request: RequestView,
  random: Random,
): ExplainedOutcome {
  const drawn = pickDestination(route.destinations, random);
  if (drawn === null)
    return {
      kind: 'answer',
      status: 503,
      flag: 'UH',
      why: `route "${route.name}" has no destination with a weight`,
      location: null,
    };
  const total = route.destinations.reduce((sum, { weight }) => sum + weight, 0);
  const share = route.destinations.length === 1 || total === 0 ? 100 : (100 * drawn.weight) / total;
  return toForward(config, drawn, share, request);
}

function toForward(
  config: SidecarConfig,
  { service: key, subset, port }: RouteDestination,
  share: number,
  request: RequestView,
): ExplainedOutcome {
  const service = config.services.find((candidate) => candidate.key === key);
  const endpoints = service === undefined ? [] : endpointsOf(service, subset);
  if (service === undefined || endpoints.length === 0) {
    const why =
      subset === null
        ? `${key} has no endpoint that this workload reaches`
        : `subset "${subset}" of ${key} has no endpoint`;
    return { kind: 'answer', status: 503, flag: 'UH', why, location: null };
  }
  const target = port ?? request.port;
  const shares = new Map(service.shares?.map(({ endpoint, priority }) => [endpoint, priority]));
  return {
    kind: 'forward',
    destination: {
      service: key,
      subset,
      port: target,
      share,
      endpoints: endpoints.map(({ id, name, address }) => ({ id, name, address, priority: shares.get(id) ?? 0 })),
      policy: policyOf(service.policies ?? [], subset, target),
    },
  };
}

function endpointsOf({ endpoints, subsets }: ServiceConfig, subset: string | null): readonly Endpoint[] {
  if (subset === null) return endpoints;
  const ids = new Set(subsets.find(({ name }) => name === subset)?.endpoints);
  return endpoints.filter(({ id }) => ids.has(id));
}

function faultsOf(config: SidecarConfig, service: string, route: string | null): RequestExplanation['faults'] {
  const inScope = (fault: Pick<FaultConfig, 'service' | 'route'>) =>
    fault.service === service && (fault.route === null || fault.route === route);
  return [...config.faults, ...(config.injections ?? [])]
    .filter(inScope)
    .map(({ id, action, percent }) => ({ id, kind: action.kind, percent }));
}
