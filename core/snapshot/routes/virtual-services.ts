import type { StringMatchOrAny } from '../../model/api-fields.ts';
import { parseDuration } from '../../model/duration.ts';
import { seedOf } from '../../model/fault-injection.ts';
import { grpcStatusCode } from '../../model/grpc-status.ts';
import type { MeshSettings } from '../../model/mesh-settings.ts';
import { compareText, namespaceOf } from '../../model/resource.ts';
import type { FaultConfig, HttpMatch, HttpRoute, RouteDestination, StringMatch } from '../../model/sidecar-config.ts';
import type { HeaderChanges } from '../../model/traffic-config.ts';
import type { HttpMatchRequest, HttpRouteDestination, HttpRule, VirtualService } from '../../model/virtual-service.ts';
import { hostFit, resolveHost } from '../host-names.ts';
import type { SnapshotService } from '../snapshot.ts';
import { exportTier } from '../visibility/exports.ts';
import { matchesLabels } from '../workload-identity.ts';
import { authorityOf, compileHeaderChanges, compileRouteActions, type ResolveDestination } from './route-actions.ts';
import { rulesFor } from './rule-index.ts';

/** The caller, as far as rules may select by it. */
export interface RouteSource {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface CompiledRoutes {
  readonly routes: readonly HttpRoute[];
  readonly faults: readonly FaultConfig[];
}

type Services = ReadonlyMap<string, SnapshotService>;

/** Rules for sidecars: `gateways` absent or naming `mesh`. */
function isForSidecars(gateways: readonly string[] | undefined): boolean {
  return gateways === undefined || gateways.length === 0 || gateways.includes('mesh');
}

/**
 * The VirtualServices that name a service, best first: exact host before wildcards, then the oldest. In sidecars only
 * the first counts (Kiali KIA1106). Those without HTTP rules, or for gateways only, are left out.
 * @param client namespace of the caller, which sees only what is exported to it; `null`: whoever
 */
export function virtualServicesOf(
  all: readonly VirtualService[],
  service: SnapshotService,
  services: Services,
  client: string | null = null,
): readonly { readonly resource: VirtualService; readonly fit: number }[] {
  const tierOf = ({ spec, metadata }: VirtualService) =>
    client === null ? 2 : exportTier(spec.exportTo, namespaceOf({ metadata }), client);
  return rulesFor(
    all,
    ({ spec }) => spec.hosts ?? [],
    services,
  )(service.key)
    .filter(({ spec }) => spec.http !== undefined && spec.http.length > 0 && isForSidecars(spec.gateways))
    .map((resource) => ({
      resource,
      fit: Math.max(
        -1,
        ...(resource.spec.hosts ?? []).map((host) => hostFit(host, namespaceOf(resource), service, services)),
      ),
    }))
    .filter(({ fit, resource }) => fit >= 0 && tierOf(resource) !== null)
    .sort((a, b) => b.fit - a.fit || (tierOf(a.resource) ?? 2) - (tierOf(b.resource) ?? 2));
}

/**
 * Routes and faults of a service for one source. Names that are missing or taken are made up: `route-2`, `split-2`.
 * @param rules those of the resource, delegates in their place
 */
export function compileVirtualService(
  resource: VirtualService,
  service: SnapshotService,
  source: RouteSource,
  services: Services,
  rules: readonly HttpRule[] = resource.spec.http ?? [],
  settings: MeshSettings['spec'] = {},
): CompiledRoutes {
  const routes: HttpRoute[] = [];
  const faults: FaultConfig[] = [];
  const names = new Set<string>();
  for (const [index, rule] of rules.entries()) {
    const name = uniqueName(rule.name ?? `route-${index + 1}`, names);
    const match = compileMatches(rule, source);
    if (match === null) continue;
    const resolve = (host: string) => resolveHost(host, namespaceOf(resource), services).key;
    const destinations = toDestinations(rule, resolve);
    const actions = compileRouteActions(rule, resolve, settings.defaultHttpRetryPolicy);
    if (destinations.length === 0 && actions.redirect === undefined && actions.directResponse === undefined) continue;
    routes.push({ name, match, destinations, ...actions });
    faults.push(...ruleFaults(rule, name, resource, service.key));
  }
  return { routes, faults };
}

/**
 * Of several destinations, each with its own header changes, which come before the route's; an authority that one sets counts
 * unless the route sets one. Those of an only destination are the route's.
 */
function toDestinations({ route = [] }: HttpRule, resolve: ResolveDestination): RouteDestination[] {
  if (route.length <= 1) return route.map((entry) => toDestination(entry, null, resolve));
  return route.map((entry) => {
    const changes = withAuthority(compileHeaderChanges(entry.headers), authorityOf(entry.headers));
    return toDestination(entry, changes, resolve);
  });
}

function withAuthority(changes: HeaderChanges | null, authority: string | undefined): HeaderChanges | null {
  if (authority === undefined) return changes;
  const { remove = [], set = [], add = [] } = changes?.request ?? {};
  return { ...changes, request: { remove, set: [...set, ['host', authority]], add } };
}

function toDestination(
  entry: HttpRouteDestination,
  headers: HeaderChanges | null,
  resolve: ResolveDestination,
): RouteDestination {
  const { host, subset, port } = entry.destination;
  return {
    service: resolve(host),
    subset: subset ?? null,
    port: port?.number ?? null,
    weight: entry.weight ?? 0,
    ...(headers === null ? {} : { headers }),
  };
}

function uniqueName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}-${number}`;
  taken.add(name);
  return name;
}

/** Blocks that apply to this source; `null` when the rule has conditions but none is for this source. */
function compileMatches(rule: HttpRule, source: RouteSource): HttpMatch[] | null {
  if (rule.match === undefined || rule.match.length === 0) return [];
  const blocks = rule.match.filter((match) => isForSource(match, source)).map(toHttpMatch);
  return blocks.length === 0 ? null : blocks;
}

/** Selectors of which proxies get a rule; they are no run-time conditions. */
export function isForSource(
  match: Pick<HttpMatchRequest, 'gateways' | 'sourceNamespace' | 'sourceLabels'>,
  source: RouteSource,
): boolean {
  // Gateways take the place of the other selectors (istio route.go, sourceMatchHTTP).
  if (match.gateways !== undefined && match.gateways.length > 0) return isForSidecars(match.gateways);
  return (
    (match.sourceNamespace === undefined || match.sourceNamespace === source.namespace) &&
    matchesLabels(match.sourceLabels, source.labels)
  );
}

/** The run-time conditions of a block; header names in lower case. */
export function toHttpMatch(match: HttpMatchRequest): HttpMatch {
  const { name, ignoreUriCase, port, headers, withoutHeaders, queryParams } = match;
  const values = (['uri', 'scheme', 'method', 'authority'] as const).flatMap((field) => {
    const value = match[field];
    return value !== undefined && isStringMatch(value) ? [[field, value]] : [];
  });
  return {
    ...(name === undefined ? {} : { name }),
    ...(Object.fromEntries(values) as HttpMatch),
    ...(ignoreUriCase === undefined ? {} : { ignoreUriCase }),
    ...(headers === undefined ? {} : { headers: lowerCaseKeys(headers) }),
    ...(withoutHeaders === undefined ? {} : { withoutHeaders: lowerCaseKeys(withoutHeaders) }),
    ...(queryParams === undefined ? {} : { queryParams }),
    ...(port === undefined || port === 0 ? {} : { port }),
  };
}

/** `{}` of a path, method, scheme or authority asks for nothing. */
function isStringMatch(match: StringMatchOrAny): match is StringMatch {
  return Object.keys(match).length > 0;
}

/** Header names in lower case; the expression `*`, which Istio takes for any value, becomes presence. */
function lowerCaseKeys(record: Readonly<Record<string, StringMatchOrAny>>): Record<string, StringMatchOrAny> {
  const entries = Object.entries(record).map(([name, value]): [string, StringMatchOrAny] => [
    name.toLowerCase(),
    'regex' in value && value.regex === '*' ? {} : value,
  ]);
  return Object.fromEntries(entries.sort(([a], [b]) => compareText(a, b)));
}

/** Delay and abort are two faults, decided independently. Percentage absent: nothing is injected. */
function ruleFaults(rule: HttpRule, route: string, resource: VirtualService, service: string): FaultConfig[] {
  const { hosts = [] } = resource.spec;
  const scope = hosts.length > 1 || hosts[0]?.startsWith('*') ? `@${service}` : '';
  const id = `vs:${namespaceOf(resource)}/${resource.metadata.name}:${route}${scope}`;
  const faults: FaultConfig[] = [];
  const add = (kind: string, percent: number, action: FaultConfig['action']) => {
    const faultId = `${id}:${kind}`;
    if (percent > 0) {
      faults.push({ id: faultId, service, route, action, percent, seed: seedOf(faultId), expiresAtMs: null });
    }
  };
  const { delay, abort } = rule.fault ?? {};
  if (delay?.fixedDelay !== undefined) {
    const delayMs = Math.max(1, Math.round(parseDuration(delay.fixedDelay) ?? 1));
    add('delay', Math.min(100, delay.percentage?.value ?? delay.percent ?? 0), { kind: 'delay', delayMs });
  }
  const grpcStatus = abort?.grpcStatus === undefined ? null : grpcStatusCode(abort.grpcStatus);
  if (abort?.httpStatus !== undefined) {
    add('abort', abort.percentage?.value ?? 0, { kind: 'abort', httpStatus: abort.httpStatus });
  } else if (grpcStatus !== null) {
    add('abort', abort?.percentage?.value ?? 0, { kind: 'abort', httpStatus: 200, grpcStatus });
  }
  return faults;
}

/** True when some rule selects by the caller's labels, so that callers of one namespace may get different routes. */
export function selectsByLabels(all: readonly VirtualService[]): boolean {
  return all.some(({ spec }) =>
    [...(spec.http ?? []), ...(spec.tls ?? []), ...(spec.tcp ?? [])].some((rule) =>
      (rule.match ?? []).some((match) => match.sourceLabels !== undefined),
    ),
  );
}
