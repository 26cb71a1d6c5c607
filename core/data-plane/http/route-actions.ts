import { compileRe2 } from '../../model/re2.ts';
import type { HttpRoute, RouteDestination } from '../../model/sidecar-config.ts';
import type { CorsConfig, HeaderOperations, MirrorConfig, RedirectConfig } from '../../model/traffic-config.ts';
import type { CorsPolicy } from '../../policy/cors.ts';
import type { RouteMatch } from '../../policy/match-route.ts';
import type { RequestView } from '../../policy/request-view.ts';
import {
  type PathRewrite,
  type Redirect,
  redirectLocation,
  rewritePath,
  toPathRewrite,
} from '../../policy/rewrite-path.ts';
import { compileStringMatch } from '../../policy/string-match.ts';

/** What is done with requests of a route to one of its destinations, besides sending them there. */
export interface RouteActions {
  readonly rewrite: PathRewrite | null;
  readonly authority: string | null;
  /** In the order in which they are made. */
  readonly request: readonly HeaderOperations[];
  readonly response: readonly HeaderOperations[];
  readonly cors: CorsPolicy | null;
  readonly mirrors: readonly MirrorConfig[];
}

/**
 * `null`: nothing; then it costs nothing.
 * @param destination absent: the route answers by itself
 * @param askedPort where mirrors go that name no port
 */
export function compileActions(
  { route, block }: RouteMatch,
  destination: Pick<RouteDestination, 'headers'> = {},
  askedPort = 0,
): RouteActions | null {
  const { rewrite, headers, cors, mirrors = [] } = route;
  // Envoy: of several destinations, each makes its changes before the route.
  const changes = route.destinations.length > 1 ? [destination.headers, headers] : [headers, destination.headers];
  const request = changes.map((one) => one?.request).filter((set) => set !== undefined);
  const response = changes.map((one) => one?.response).filter((set) => set !== undefined);
  const isNothing = rewrite === undefined && cors === undefined && mirrors.length === 0;
  if (isNothing && request.length === 0 && response.length === 0) return null;
  return {
    rewrite: compileRewrite(route, block),
    authority: rewrite?.authority ?? hostOf(request),
    request,
    response,
    cors: cors === undefined ? null : compileCors(cors),
    mirrors: mirrors.map((mirror) => ({ ...mirror, port: mirror.port ?? askedPort })),
  };
}

/** A rule that sets `host` means the authority (Istio). */
function hostOf(operations: readonly HeaderOperations[]): string | null {
  for (const { set } of operations) {
    const found = set.find(([name]) => name === 'host' || name === ':authority');
    if (found !== undefined) return found[1];
  }
  return null;
}

function compileRewrite({ rewrite }: HttpRoute, block: RouteMatch['block']): PathRewrite | null {
  if (rewrite?.regex !== undefined) {
    return { kind: 'regex', pattern: toSearchPattern(rewrite.regex.pattern), by: rewrite.regex.by };
  }
  return rewrite?.uri === undefined ? null : toPathRewrite(rewrite.uri, block?.uri);
}

/** RE2 syntax, anywhere in the path and as often as it is there. */
function toSearchPattern(pattern: string): RegExp {
  const whole = compileRe2(pattern);
  const body = whole.source.replace(/^\^\(\?:/, '').replace(/\)\$$/, '');
  return new RegExp(body, `${whole.flags}g`);
}

export function compileCors(config: CorsConfig): CorsPolicy {
  return { ...config, origins: config.origins.map((match) => compileStringMatch(match)) };
}

/** Path and query to write: the path rewritten, the query as it is. */
export function rewriteTarget({ path, query, emptyQuery }: AskedTarget, rewrite: PathRewrite): string {
  return `${rewritePath(path, rewrite)}${query === '' && emptyQuery !== true ? '' : `?${query}`}`;
}

type AskedTarget = Pick<RequestView, 'path' | 'query' | 'emptyQuery'>;

/** Value of `location` for a request. */
export function locationOf(
  config: RedirectConfig,
  block: RouteMatch['block'],
  request: RequestView & { readonly authority?: string },
): string {
  const { status, uri, prefix, authority = null, scheme, port = null } = config;
  const path: PathRewrite | null =
    uri !== undefined ? { kind: 'whole', by: uri } : prefix === undefined ? null : toPathRewrite(prefix, block?.uri);
  const redirect: Redirect = {
    status,
    path,
    authority,
    scheme: scheme === 'http' || scheme === 'https' ? scheme : null,
    port,
  };
  return redirectLocation(redirect, {
    ...asked(request),
    path: request.path,
    query: request.query,
    emptyQuery: request.emptyQuery ?? false,
  });
}

function asked(request: RequestView & { readonly authority?: string }) {
  const { scheme, port, host, authority = host } = request;
  return { scheme, port, authority };
}
