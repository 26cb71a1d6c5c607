/**
 * Path rewrites and redirects of a route, exactly as Envoy does them. Paths are without query; the query always stays.
 * What a rewrite replaces depends on how the path was matched (Istio HTTPRewrite, HTTPRedirect).
 */

export type PathRewrite =
  /** `uri` after a prefix match (or no condition on the path, which is the prefix `/`): exchanges these leading characters, no more. */
  | { readonly kind: 'prefix'; readonly length: number; readonly by: string }
  /** `uri` after an exact or regex match: the whole path. */
  | { readonly kind: 'whole'; readonly by: string }
  /** `uriRegexRewrite`: every match of an RE2 pattern; `\1` stands for a group. */
  | { readonly kind: 'regex'; readonly pattern: RegExp; readonly by: string };

/** @param match the path condition of the block that matched, if it has one */
export function toPathRewrite(
  uri: string,
  match: { readonly exact: string } | { readonly prefix: string } | { readonly regex: string } | undefined,
): PathRewrite {
  if (match === undefined) return { kind: 'prefix', length: 1, by: uri };
  return 'prefix' in match ? { kind: 'prefix', length: match.prefix.length, by: uri } : { kind: 'whole', by: uri };
}

export function rewritePath(path: string, rewrite: PathRewrite): string {
  switch (rewrite.kind) {
    case 'prefix':
      return `${rewrite.by}${path.slice(rewrite.length)}`;
    case 'whole':
      return rewrite.by;
    case 'regex':
      return path.replace(rewrite.pattern, (...found: unknown[]) =>
        rewrite.by.replaceAll(/\\(\d)/g, (_whole, group: string) => String(found[Number(group)] ?? '')),
      );
  }
}

/** What a redirect changes; `null` stays as the request has it. */
export interface Redirect {
  /** Istio's default 301. */
  readonly status: number;
  readonly path: PathRewrite | null;
  readonly authority: string | null;
  readonly scheme: 'http' | 'https' | null;
  /** `default`: none is written, `request`: the one the request came to. */
  readonly port: number | 'default' | 'request' | null;
}

export interface RedirectedRequest {
  readonly scheme: 'http' | 'https';
  /** As sent, with a port if it had one. */
  readonly authority: string;
  readonly path: string;
  readonly query: string;
  /** There is a `?` with nothing behind it. Absent: no. */
  readonly emptyQuery?: boolean;
  /** Port the request came to. */
  readonly port: number;
}

/** Value of `location`. A port that the scheme stands for is none at all (istio route.go, ApplyRedirect). */
export function redirectLocation(redirect: Redirect, request: RedirectedRequest): string {
  const scheme = redirect.scheme ?? request.scheme;
  const wanted = redirect.port === 'request' ? request.port : redirect.port;
  const port = typeof wanted !== 'number' || wanted === defaultPort(scheme) ? '' : `:${wanted}`;
  const host = redirect.authority ?? hostFor(request, scheme, port !== '' || wanted === 'default');
  const path = redirect.path === null ? request.path : rewritePath(request.path, redirect.path);
  const hasQuery = (request.query !== '' || request.emptyQuery === true) && !path.includes('?');
  const query = hasQuery ? `?${request.query}` : '';
  return `${scheme}://${host}${port}${path.startsWith('/') ? '' : '/'}${path}${query}`;
}

/** The request's own; its port goes where another is written, and where it fitted the scheme before only (Envoy). */
function hostFor({ authority, scheme: before }: RedirectedRequest, scheme: string, isReplaced: boolean): string {
  const fitted = scheme !== before && authority.endsWith(`:${defaultPort(before)}`);
  return isReplaced || fitted ? authority.replace(/:\d+$/, '') : authority;
}

function defaultPort(scheme: 'http' | 'https'): number {
  return scheme === 'http' ? 80 : 443;
}
