/** Filters of Gateway API routes as a sidecar is told. */
import type { HeaderModifier } from '../../model/gateway-api-fields.ts';
import type { HttpRouteFilter } from '../../model/http-route.ts';
import type { HttpRoute } from '../../model/sidecar-config.ts';
import type { HeaderChanges, RedirectConfig } from '../../model/traffic-config.ts';
import { toServiceKey } from '../../model/workload.ts';

export function toHeaders(filters: readonly HttpRouteFilter[]): { readonly headers?: HeaderChanges } {
  const request = filters.find((filter) => filter.type === 'RequestHeaderModifier')?.requestHeaderModifier;
  const response = filters.find((filter) => filter.type === 'ResponseHeaderModifier')?.responseHeaderModifier;
  if (request === undefined && response === undefined) return {};
  return {
    headers: {
      ...(request === undefined ? {} : { request: toOperations(request) }),
      ...(response === undefined ? {} : { response: toOperations(response) }),
    },
  };
}

function toOperations({ set = [], add = [], remove = [] }: HeaderModifier): NonNullable<HeaderChanges['request']> {
  const pairs = (list: readonly { readonly name: string; readonly value: string }[]): [string, string][] =>
    list.map(({ name, value }) => [name.toLowerCase(), value]);
  return { set: pairs(set), add: pairs(add), remove: remove.map((name) => name.toLowerCase()) };
}

type PathModifier =
  | { readonly type: 'ReplaceFullPath'; readonly replaceFullPath: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly replacePrefixMatch: string };

/** What stands for the path or its prefix, so that no slash is doubled or lost. */
function replacement(path: PathModifier, isWhole: boolean): string {
  if (path.type === 'ReplaceFullPath') return path.replaceFullPath;
  const bare = path.replacePrefixMatch.replace(/\/+$/, '');
  return isWhole ? bare || '/' : `${bare}/`;
}

export function toRewrite(filters: readonly HttpRouteFilter[], isWhole: boolean): Pick<HttpRoute, 'rewrite'> {
  const rewrite = filters.find((filter) => filter.type === 'URLRewrite')?.urlRewrite;
  if (rewrite === undefined) return {};
  const { hostname, path } = rewrite;
  const full = path?.type === 'ReplaceFullPath' && !isWhole;
  return {
    rewrite: {
      ...(hostname === undefined ? {} : { authority: hostname }),
      ...(path === undefined || full ? {} : { uri: replacement(path, isWhole) }),
      // After a prefix match `uri` would keep what follows the prefix.
      ...(full ? { regex: { pattern: '^.*$', by: path.replaceFullPath } } : {}),
    },
  };
}

export function toRedirect(filters: readonly HttpRouteFilter[], isWhole: boolean): Pick<HttpRoute, 'redirect'> {
  const redirect = filters.find((filter) => filter.type === 'RequestRedirect')?.requestRedirect;
  if (redirect === undefined) return {};
  const { scheme, hostname, port, statusCode, path } = redirect;
  const made: RedirectConfig = {
    status: statusCode ?? 302,
    ...(scheme === undefined ? {} : { scheme }),
    ...(hostname === undefined ? {} : { authority: hostname }),
    // Without a port, the well-known one of the scheme that is asked for.
    ...(port === undefined ? (scheme === undefined ? {} : { port: 'default' as const }) : { port }),
    ...(path === undefined
      ? {}
      : path.type === 'ReplaceFullPath' || isWhole
        ? { uri: replacement(path, isWhole) }
        : { prefix: replacement(path, isWhole) }),
  };
  return { redirect: made };
}

export function toMirrors(filters: readonly HttpRouteFilter[], namespace: string): Pick<HttpRoute, 'mirrors'> {
  const mirrors = filters.flatMap((filter) => {
    if (filter.type !== 'RequestMirror') return [];
    const { backendRef: ref, percent, fraction } = filter.requestMirror;
    const share =
      fraction === undefined ? (percent ?? 100) : (100 * fraction.numerator) / (fraction.denominator ?? 100);
    return [
      {
        service: toServiceKey(ref.name, ref.namespace ?? namespace),
        subset: null,
        port: ref.port ?? null,
        percent: share,
      },
    ];
  });
  return mirrors.length === 0 ? {} : { mirrors };
}

export function toCors(filters: readonly HttpRouteFilter[]): Pick<HttpRoute, 'cors'> {
  const cors = filters.find((filter) => filter.type === 'CORS')?.cors;
  if (cors === undefined) return {};
  return {
    cors: {
      origins: (cors.allowOrigins ?? []).map(toOrigin),
      allowMethods: (cors.allowMethods ?? []).join(','),
      allowHeaders: (cors.allowHeaders ?? []).join(','),
      exposeHeaders: (cors.exposeHeaders ?? []).join(','),
      maxAgeSeconds: cors.maxAge ?? 5,
      allowCredentials: cors.allowCredentials ?? false,
      forwardUnmatchedPreflights: false,
    },
  };
}

/** `*` is one or more labels in front of a host, or any host. */
function toOrigin(origin: string): { prefix: string } | { exact: string } | { regex: string } {
  if (origin === '*') return { prefix: '' };
  if (!origin.includes('*')) return { exact: origin };
  return { regex: origin.replaceAll('.', '\\.').replace('*', '.+') };
}
