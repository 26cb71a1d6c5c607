import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HttpMatch, HttpRoute } from '../../../core/model/sidecar-config.ts';
import { explainRoutes } from '../../../core/policy/explain-routes.ts';
import { describeMatch } from '../../../core/policy/match-conditions.ts';
import { compileRoutes } from '../../../core/policy/match-route.ts';
import { request } from './request.ts';

const route = (name: string, ...match: HttpMatch[]): HttpRoute => ({
  name,
  match,
  destinations: [{ service: 'payments.shop', subset: null, port: null, weight: 0 }],
  timeoutMs: null,
});

describe('matching one block', () => {
  const cases: [string, HttpMatch, Parameters<typeof request>[0], boolean][] = [
    ['an exact path', { uri: { exact: '/a' } }, { path: '/a' }, true],
    ['an exact path in another case', { uri: { exact: '/a' } }, { path: '/A' }, false],
    ['an exact path when case is ignored', { uri: { exact: '/a' }, ignoreUriCase: true }, { path: '/A' }, true],
    ['a prefix as plain text', { uri: { prefix: '/v1' } }, { path: '/v10/x' }, true],
    ['a prefix when case is ignored', { uri: { prefix: '/API' }, ignoreUriCase: true }, { path: '/api/x' }, true],
    ['a regular expression in full', { uri: { regex: '/a.*' } }, { path: '/abc' }, true],
    ['a regular expression in part only', { uri: { regex: '/a' } }, { path: '/abc' }, false],
    ['case in a regular expression', { uri: { regex: '/A' }, ignoreUriCase: true }, { path: '/a' }, false],
    ['a flag of RE2', { uri: { regex: '(?i)/A' } }, { path: '/a' }, true],
    ['the path without the query', { uri: { exact: '/a' } }, { path: '/a', query: 'x=1' }, true],
    ['a method', { method: { exact: 'POST' } }, { method: 'POST' }, true],
    ['a method in another case', { method: { exact: 'POST' } }, { method: 'post' }, false],
    ['a header', { headers: { 'x-user': { exact: 'ann' } } }, { headers: { 'x-user': 'ann' } }, true],
    ['an absent header', { headers: { 'x-user': { prefix: '' } } }, {}, false],
    ['presence', { headers: { 'x-user': {} } }, { headers: { 'x-user': '' } }, true],
    ['presence by regex *', { headers: { 'x-user': { regex: '*' } } }, { headers: { 'x-user': 'a' } }, true],
    ['presence of an absent header', { headers: { 'x-user': {} } }, {}, false],
    ['a pseudo-header as a header key, which is ignored', { headers: { method: { exact: 'PUT' } } }, {}, true],
    ['a header that must not be there', { withoutHeaders: { 'x-user': {} } }, { headers: { 'x-user': 'a' } }, false],
    ['a header that is not there as wanted', { withoutHeaders: { 'x-user': {} } }, {}, true],
    ['an unwanted value', { withoutHeaders: { a: { exact: '1' } } }, { headers: { a: '1' } }, false],
    ['another value than the unwanted one', { withoutHeaders: { a: { exact: '1' } } }, { headers: { a: '2' } }, true],
    ['an absent header as empty', { withoutHeaders: { a: { exact: '' } } }, {}, false],
    ['a query parameter', { queryParams: { v: { exact: '2' } } }, { query: 'a=1&v=2' }, true],
    ['the first of two query parameters', { queryParams: { v: { exact: '2' } } }, { query: 'v=1&v=2' }, false],
    ['a query parameter without a value', { queryParams: { key: { exact: '' } } }, { query: 'key' }, true],
    ['a query parameter that only begins so', { queryParams: { k: { exact: '1' } } }, { query: 'key=1' }, false],
    ['a query parameter in an empty query', { queryParams: { k: { exact: '' } } }, {}, false],
    ['the port that was asked for', { port: 8080 }, { port: 8080 }, true],
    ['another port', { port: 8080 }, { port: 80 }, false],
    [
      'the authority as it was sent',
      { authority: { exact: 'a:8080' } },
      { host: 'a', headers: { host: 'a:8080' } },
      true,
    ],
    ['the scheme', { scheme: { exact: 'https' } }, {}, false],
    ['all conditions at once', { uri: { prefix: '/' }, method: { exact: 'PUT' } }, { path: '/' }, false],
  ];
  it.each(cases)('%s', (_name, match, given, expected) => {
    const routes = [route('only', match)];
    expect(compileRoutes(routes)(request(given)) !== null).toBe(expected);
    expect(explainRoutes(routes, request(given)).route !== null).toBe(expected);
  });
});

describe('routes', () => {
  it('take the first that matches, in their order', () => {
    const find = compileRoutes([
      route('pin', { headers: { beta: { exact: '1' } } }),
      route('either', { uri: { exact: '/x' } }, { uri: { exact: '/y' } }),
      route('all'),
      route('never reached'),
    ]);
    expect(find(request({ headers: { beta: '1' }, path: '/x' }))?.name).toBe('pin');
    expect(find(request({ path: '/y' }))?.name).toBe('either');
    expect(find(request())?.name).toBe('all');
  });

  it('answer null when none matches', () => {
    expect(compileRoutes([route('a', { port: 81 })])(request())).toBeNull();
    expect(compileRoutes([])(request())).toBeNull();
  });

  it('are explained: what held, what failed with what the request has, what was not reached', () => {
    const routes = [
      route('pin', { headers: { beta: { exact: '1' } } }),
      route('api', { uri: { prefix: '/api' } }),
      route('rest'),
    ];
    expect(explainRoutes(routes, request({ path: '/api/x' }))).toEqual({
      route: routes[1],
      routes: [
        { route: 'pin', outcome: 'did not match', reasons: ['header beta = "1": the request has absent'] },
        { route: 'api', outcome: 'matched', reasons: ['path begins with "/api"'] },
        { route: 'rest', outcome: 'not reached', reasons: ['"api" matched first'] },
      ],
    });
  });

  it('put their match into words', () => {
    expect(describeMatch([])).toBe('every request');
    expect(
      describeMatch([{ headers: { a: { exact: '1' } }, method: { exact: 'GET' } }, { uri: { regex: '/.*' } }]),
    ).toBe('method = "GET" and header a = "1" or path matches //.*/');
  });

  it('agree with their explanation and with first-match-wins for any routes', () => {
    const text = fc.constantFrom('', '/', '/a', '/a/b', 'x');
    const match = fc.record<HttpMatch>(
      {
        uri: fc.oneof(fc.record({ exact: text }), fc.record({ prefix: text })),
        headers: fc.dictionary(fc.constantFrom('h1', 'h2'), fc.record({ exact: text })),
        method: fc.record({ exact: fc.constantFrom('GET', 'PUT') }),
      },
      { requiredKeys: [] },
    );
    const routesOf = fc
      .array(fc.array(match, { maxLength: 2 }), { maxLength: 5 })
      .map((matches) => matches.map((blocks, index) => route(`r${index}`, ...blocks)));
    fc.assert(
      fc.property(routesOf, text, fc.dictionary(fc.constantFrom('h1', 'h2'), text), (routes, path, headers) => {
        const view = request({ path, headers });
        const winner = compileRoutes(routes)(view);
        const alone = routes.find((candidate) => compileRoutes([candidate])(view) !== null) ?? null;
        expect(winner).toBe(alone);
        expect(explainRoutes(routes, view).route).toBe(winner);
      }),
    );
  });
});
