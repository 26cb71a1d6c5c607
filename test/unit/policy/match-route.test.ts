import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HttpMatch, HttpRoute } from '../../../core/model/sidecar-config.ts';
import { explainRoutes } from '../../../core/policy/explain-routes.ts';
import { describeMatch } from '../../../core/policy/match-conditions.ts';
import { compileRoutes } from '../../../core/policy/match-route.ts';
import { matchCases } from './match-cases.ts';
import { request } from './request.ts';

const route = (name: string, ...match: HttpMatch[]): HttpRoute => ({
  name,
  match,
  destinations: [{ service: 'payments.shop', subset: null, port: null, weight: 0 }],
  timeoutMs: null,
});

describe('matching one block', () => {
  it.each(matchCases)('%s', (_name, match, given, expected) => {
    const routes = [route('only', match)];
    expect(compileRoutes(routes)(request(given)) !== null).toBe(expected);
    expect(explainRoutes(routes, request(given)).route !== null).toBe(expected);
  });
});

describe('headers', () => {
  const twice = {
    ...request({ headers: { 'x-a': '1, 2' } }),
    someHeader: (name: string, test: (value: string) => boolean) => name === 'x-a' && ['1', '2'].some(test),
  };
  it.each([
    ['the first line', { headers: { 'x-a': { exact: '1' } } }, true],
    ['the second line', { headers: { 'x-a': { exact: '2' } } }, true],
    ['both together', { headers: { 'x-a': { exact: '1, 2' } } }, false],
    ['the first line, unwanted', { withoutHeaders: { 'x-a': { exact: '1' } } }, false],
    ['another, unwanted', { withoutHeaders: { 'x-a': { exact: '3' } } }, true],
  ])('of several lines are asked one by one (asked of Envoy 1.40): %s', (_name, match, expected) => {
    expect(compileRoutes([route('only', match as HttpMatch)])(twice) !== null).toBe(expected);
  });

  it.each([
    [':method', { exact: 'POST' }, true],
    [':path', { exact: '/a?q=1' }, true],
    [':authority', { prefix: 'pay' }, true],
    [':scheme', { exact: 'https' }, false],
  ])('%s is one to Envoy', (name, wanted, expected) => {
    const asked = request({ method: 'POST', path: '/a', query: 'q=1' });
    expect(compileRoutes([route('only', { headers: { [name]: wanted } } as HttpMatch)])(asked) !== null).toBe(expected);
    expect(compileRoutes([route('only', { withoutHeaders: { [name]: wanted } } as HttpMatch)])(asked) !== null).toBe(
      !expected,
    );
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
