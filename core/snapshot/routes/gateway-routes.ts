/**
 * HTTPRoute and GRPCRoute of the Gateway API that are bound to a service (parentRef of kind Service, "GAMMA"), as routes in
 * the order of their own precedence: exact path, longest prefix, method, most headers, most query parameters, oldest
 * route, name, place in its list. Source: Gateway API httproute_types.go.
 */
import { refusedFilter } from '../../model/check-route-filters.ts';
import { parseDuration } from '../../model/duration.ts';
import type { ParentRef } from '../../model/gateway-api-fields.ts';
import type { GRPCRoute } from '../../model/grpc-route.ts';
import type { HTTPRoute, HttpRouteMatch, HttpRouteRule } from '../../model/http-route.ts';
import type { ReferenceGrant } from '../../model/k8s-gateway.ts';
import { compareText, namespaceOf } from '../../model/resource.ts';
import type { HttpMatch, HttpRoute, RouteDestination } from '../../model/sidecar-config.ts';
import { toServiceKey } from '../../model/workload.ts';
import { toCors, toHeaders, toMirrors, toRedirect, toRewrite } from './gateway-filters.ts';
import { isGranted } from './gateway-grants.ts';
import { grpcToHttp } from './grpc-routes.ts';
import { compileRetries } from './route-actions.ts';

export interface GatewayRoutesInput {
  readonly httpRoutes: readonly HTTPRoute[];
  readonly grpcRoutes: readonly GRPCRoute[];
  readonly grants: readonly ReferenceGrant[];
}

interface Entry {
  readonly route: HTTPRoute;
  readonly rule: HttpRouteRule;
  readonly match: HttpRouteMatch;
  readonly place: number;
}

/** Routes of a service from all that are bound to it; none: nothing is bound to it. */
export function compileGatewayRoutes(
  service: { readonly name: string; readonly namespace: string },
  input: GatewayRoutesInput,
): readonly HttpRoute[] {
  const bound = [...input.httpRoutes, ...input.grpcRoutes.map(grpcToHttp)].filter((route) => isBoundTo(route, service));
  return orderRoutes(bound, input.grants, (block, route) => withParentPort(block, route, service));
}

/** Routes that are bound to one host, in the order of their precedence. */
export function orderRoutes(
  bound: readonly HTTPRoute[],
  grants: readonly ReferenceGrant[],
  adapt: (block: HttpMatch, route: HTTPRoute) => HttpMatch = (block) => block,
): readonly HttpRoute[] {
  const taken = bound.filter((route) => refusedFilter(route) === null);
  const entries = taken.flatMap((route) =>
    (route.spec.rules ?? [{}]).flatMap((rule, place) =>
      (rule.matches ?? [{}]).map((match): Entry => ({ route, rule, match, place })),
    ),
  );
  const names = new Map<string, number>();
  return entries.sort(byPrecedence).flatMap(({ route, rule, match, place }) => {
    const base = `${route.metadata.name}-${rule.name ?? place + 1}`;
    return toRoutes(rule, match, namespaceOf(route), grants).map((made) => {
      const count = (names.get(base) ?? 0) + 1;
      names.set(base, count);
      return {
        ...made,
        name: count === 1 ? base : `${base}-${count}`,
        match: made.match.map((block) => adapt(block, route)),
      };
    });
  });
}

function isBoundTo(route: HTTPRoute, service: { readonly name: string; readonly namespace: string }): boolean {
  return (route.spec.parentRefs ?? []).some((ref) => isServiceRef(ref, route, service));
}

function isServiceRef(
  { group, kind, name, namespace }: ParentRef,
  route: HTTPRoute,
  service: { readonly name: string; readonly namespace: string },
): boolean {
  return (
    group === '' &&
    kind === 'Service' &&
    name === service.name &&
    (namespace ?? namespaceOf(route)) === service.namespace
  );
}

/** A parentRef with a port binds the route to that port of the service only. */
function withParentPort(
  block: HttpMatch,
  route: HTTPRoute,
  service: { readonly name: string; readonly namespace: string },
): HttpMatch {
  const refs = (route.spec.parentRefs ?? []).filter((ref) => isServiceRef(ref, route, service));
  const port = refs.length === 1 ? refs[0]?.port : undefined;
  return port === undefined ? block : { ...block, port };
}

function byPrecedence(a: Entry, b: Entry): number {
  const created = ({ route }: Entry) => route.metadata.creationTimestamp ?? '';
  const name = ({ route }: Entry) => `${namespaceOf(route)}/${route.metadata.name}`;
  return (
    pathRank(b.match) - pathRank(a.match) ||
    prefixLength(b.match) - prefixLength(a.match) ||
    Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
    (b.match.headers?.length ?? 0) - (a.match.headers?.length ?? 0) ||
    (b.match.queryParams?.length ?? 0) - (a.match.queryParams?.length ?? 0) ||
    compareText(created(a), created(b)) ||
    compareText(name(a), name(b)) ||
    a.place - b.place
  );
}

/** Exact, then expressions (which the API leaves to implementations; Istio puts them here), then prefixes. */
function pathRank({ path }: HttpRouteMatch): number {
  if (path?.type === 'Exact') return 2;
  return path?.type === 'RegularExpression' ? 1 : 0;
}

function prefixLength({ path }: HttpRouteMatch): number {
  return (path?.type ?? 'PathPrefix') === 'PathPrefix' ? (path?.value ?? '/').length : 0;
}

function toRoutes(
  rule: HttpRouteRule,
  match: HttpRouteMatch,
  namespace: string,
  grants: readonly ReferenceGrant[],
): readonly Omit<HttpRoute, 'name'>[] {
  const filters = rule.filters ?? [];
  const others = toConditions(match);
  const common = {
    destinations: toDestinations(rule, namespace, grants),
    ...toTimes(rule),
    ...toMirrors(filters, namespace),
    ...toCors(filters),
    ...toHeaders(filters),
  };
  // A prefix is whole segments: the path itself, or the path and a slash. What replaces it differs by a slash, so then it
  // takes two routes.
  const cases = pathsOf(match).map(({ uri, isWhole }) => ({
    block: { ...(uri === null ? {} : { uri }), ...others },
    ...toRewrite(filters, isWhole),
    ...toRedirect(filters, isWhole),
  }));
  const [first, second] = cases;
  if (
    first !== undefined &&
    second !== undefined &&
    JSON.stringify([first.rewrite, first.redirect]) === JSON.stringify([second.rewrite, second.redirect])
  ) {
    const { block, ...actions } = first;
    return [{ ...common, match: [block, second.block], ...actions }];
  }
  return cases.map(({ block, ...actions }) => ({ ...common, match: [block], ...actions }));
}

interface PathCase {
  readonly uri: HttpMatch['uri'] | null;
  /** The whole path is what matched. */
  readonly isWhole: boolean;
}

function pathsOf({ path }: HttpRouteMatch): readonly PathCase[] {
  const value = path?.value ?? '/';
  if (path?.type === 'Exact') return [{ uri: { exact: value }, isWhole: true }];
  if (path?.type === 'RegularExpression') return [{ uri: { regex: value }, isWhole: true }];
  const bare = value.replace(/\/+$/, '');
  if (bare === '') return [{ uri: { prefix: '/' }, isWhole: false }];
  return [
    { uri: { exact: bare }, isWhole: true },
    { uri: { prefix: `${bare}/` }, isWhole: false },
  ];
}

function toConditions({ method, headers, queryParams }: HttpRouteMatch): HttpMatch {
  const value = (condition: { readonly type?: string | undefined; readonly value: string }) =>
    condition.type === 'RegularExpression' ? { regex: condition.value } : { exact: condition.value };
  // The first of several conditions on one name counts.
  const first = <T extends { readonly name: string }>(list: readonly T[], key: (name: string) => string) =>
    [...list].reverse().map((item) => [key(item.name), item] as const);
  const byHeader = first(headers ?? [], (name) => name.toLowerCase());
  const byQuery = first(queryParams ?? [], (name) => name);
  return {
    ...(method === undefined ? {} : { method: { exact: method } }),
    ...(byHeader.length === 0
      ? {}
      : { headers: Object.fromEntries(byHeader.map(([name, item]) => [name, value(item)])) }),
    ...(byQuery.length === 0
      ? {}
      : { queryParams: Object.fromEntries(byQuery.map(([name, item]) => [name, value(item)])) }),
  };
}

/** Services of another namespace need a ReferenceGrant of theirs; without one the destination has no endpoints. */
function toDestinations(
  { backendRefs = [] }: HttpRouteRule,
  namespace: string,
  grants: readonly ReferenceGrant[],
): RouteDestination[] {
  return backendRefs
    .filter((ref) => isServiceBackend(ref) || isHostBackend(ref))
    .map((ref) => {
      const headers = toHeaders(ref.filters ?? []).headers;
      return {
        service: backendService(ref, namespace, grants),
        subset: null,
        port: ref.port ?? null,
        weight: ref.weight ?? 1,
        ...(headers === undefined ? {} : { headers }),
      };
    });
}

interface Backend {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
}

const isServiceBackend = ({ group = '', kind = 'Service' }: Backend) => group === '' && kind === 'Service';
/** Istio's way to name the host of a ServiceEntry. */
const isHostBackend = ({ group, kind }: Backend) => group === 'networking.istio.io' && kind === 'Hostname';

/** Key of the service that a backendRef names; one that nobody has where it may not be named. */
export function backendService(ref: Backend, namespace: string, grants: readonly ReferenceGrant[]): string {
  if (isHostBackend(ref)) return ref.name.toLowerCase();
  if (!isGranted(ref, namespace, grants)) return `not-granted.${ref.name}.${ref.namespace}`;
  return toServiceKey(ref.name, ref.namespace ?? namespace);
}

/** Istio has a time for tries only where it has retries of the route's own: otherwise it is the time of the whole. */
function toTimes({ retry, timeouts }: HttpRouteRule): Pick<HttpRoute, 'timeoutMs' | 'retries'> {
  const timeoutMs = toMs(timeouts?.request);
  const perTryTimeoutMs = toMs(timeouts?.backendRequest);
  if (retry === undefined) return { timeoutMs: perTryTimeoutMs ?? timeoutMs };
  const made = compileRetries({
    attempts: retry.attempts ?? 2,
    retryOn: ['connect-failure,refused-stream,unavailable,cancelled', ...(retry.codes ?? [])].join(','),
    ...(retry.backoff === undefined ? {} : { backoff: retry.backoff }),
  });
  return { timeoutMs, retries: { ...made, perTryTimeoutMs } };
}

/** `null` for absent and 0s, which both mean none. */
function toMs(duration: string | undefined): number | null {
  const ms = duration === undefined ? 0 : Math.round(parseDuration(duration) ?? 0);
  return ms > 0 ? ms : null;
}
