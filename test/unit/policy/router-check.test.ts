import { describe, expect, it } from 'vitest';
import { rewriteTarget } from '../../../core/data-plane/http/route-actions.ts';
import type { HttpMatch, HttpRoute } from '../../../core/model/sidecar-config.ts';
import { compileRouteMatches } from '../../../core/policy/match-route.ts';
import { redirectLocation, toPathRewrite } from '../../../core/policy/rewrite-path.ts';
import { request } from './request.ts';

/**
 * Cases of Envoy's router_check_tool (which cluster, which path, host and location a request gets), written anew for what
 * routes here can say.
 */
const routes: readonly Partial<HttpRoute>[] = [
  route('exact-with-query', [{ uri: { exact: '/new_endpoint' } }], { rewrite: { uri: '/api/new_endpoint' } }),
  route('prefix-rewritten', [{ uri: { prefix: '/users' } }], { rewrite: { uri: '/accounts' } }),
  route('host-rewritten', [{ uri: { prefix: '/host/rewrite/me' } }], { rewrite: { authority: 'new_host' } }),
  route('case-any', [{ uri: { prefix: '/FOO' }, ignoreUriCase: true }]),
  route('case-counts', [{ uri: { exact: '/bar' } }]),
  route('regex', [{ uri: { regex: '/b[ou]t' } }]),
  route('by-header', [{ headers: { 'x-canary': { exact: 'true' } } }]),
  route('by-prefix-of-header', [{ headers: { 'x-version': { prefix: '2.' } } }]),
  route('by-absence', [{ uri: { prefix: '/private' }, withoutHeaders: { authorization: {} } }], {
    redirect: { status: 302, uri: '/login' },
  }),
  route('by-query', [{ queryParams: { debug: { exact: '' } } }, { queryParams: { id: { regex: '\\d+[02468]' } } }]),
  route('by-method', [{ method: { exact: 'DELETE' } }]),
  route('to-https', [{ uri: { prefix: '/ssl' } }], { redirect: { status: 301, scheme: 'https' } }),
  route('catch-all', []),
];

function route(name: string, match: HttpMatch[], more: Partial<HttpRoute> = {}): Partial<HttpRoute> {
  return { name, match, destinations: [], timeoutMs: null, ...more };
}

const matchOf = compileRouteMatches(routes as HttpRoute[]);

describe('which route', () => {
  it.each([
    [{ path: '/new_endpoint' }, 'exact-with-query'],
    [{ path: '/new_endpoint', query: 'test=me' }, 'exact-with-query'],
    [{ path: '/new_endpoint/foo' }, 'catch-all'],
    [{ path: '/users/123' }, 'prefix-rewritten'],
    [{ path: '/usersguide' }, 'prefix-rewritten'],
    [{ path: '/foo' }, 'case-any'],
    [{ path: '/FooBar' }, 'case-any'],
    [{ path: '/bar' }, 'case-counts'],
    [{ path: '/Bar' }, 'catch-all'],
    [{ path: '/bat' }, 'catch-all'],
    [{ path: '/bot' }, 'regex'],
    [{ path: '/but' }, 'regex'],
    [{ path: '/butt' }, 'catch-all'],
    [{ headers: { 'x-canary': 'true' } }, 'by-header'],
    [{ headers: { 'x-canary': 'TRUE' } }, 'catch-all'],
    [{ headers: { 'x-version': '2.7' } }, 'by-prefix-of-header'],
    [{ headers: { 'x-version': '12.7' } }, 'catch-all'],
    [{ path: '/private' }, 'by-absence'],
    [{ path: '/private', headers: { authorization: 'x' } }, 'catch-all'],
    [{ query: 'debug' }, 'by-query'],
    [{ query: 'debug=' }, 'by-query'],
    [{ query: 'debug=1' }, 'catch-all'],
    [{ query: 'a=b&id=24' }, 'by-query'],
    [{ query: 'id=25' }, 'catch-all'],
    [{ method: 'DELETE' }, 'by-method'],
    [{ path: '/bar', headers: { 'x-canary': 'true' } }, 'case-counts'],
    [{ path: '/ssl/x' }, 'to-https'],
  ])('%j takes %s', (asked, name) => {
    expect(matchOf(request(asked))?.route.name).toBe(name);
  });
});

describe('what becomes of path and host', () => {
  it.each([
    [{ path: '/new_endpoint', query: 'test=me' }, '/api/new_endpoint?test=me'],
    [{ path: '/users/123' }, '/accounts/123'],
    [{ path: '/usersguide', query: 'q' }, '/accountsguide?q'],
  ])('%j is sent on as %s', (asked, target) => {
    const found = matchOf(request(asked));
    const rewrite = toPathRewrite(found?.route.rewrite?.uri ?? '', found?.block?.uri);
    expect(rewriteTarget(request(asked), rewrite)).toBe(target);
  });

  it('a host is rewritten', () => {
    expect(matchOf(request({ path: '/host/rewrite/me' }))?.route.rewrite?.authority).toBe('new_host');
  });

  it.each([
    [{ path: '/private/x', query: 'a=b' }, 'http://payments/login?a=b'],
    [{ path: '/ssl/x', query: 'a=b' }, 'https://payments/ssl/x?a=b'],
  ])('%j is redirected to %s', (asked, location) => {
    const { redirect } = matchOf(request(asked))?.route ?? {};
    const path = redirect?.uri === undefined ? null : ({ kind: 'whole', by: redirect.uri } as const);
    const scheme = redirect?.scheme === 'https' ? 'https' : null;
    const given = request(asked);
    expect(
      redirectLocation(
        { status: redirect?.status ?? 0, path, authority: null, scheme, port: null },
        { scheme: 'http', authority: given.host, path: given.path, query: given.query, port: 80 },
      ),
    ).toBe(location);
  });
});
