import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HttpMatch, HttpRoute } from '../../../core/model/sidecar-config.ts';
import { explainRoutes } from '../../../core/policy/explain-routes.ts';
import { compileMatch } from '../../../core/policy/match-conditions.ts';
import { compileRouteMatches } from '../../../core/policy/match-route.ts';
import { createRouteIndex } from '../../../core/policy/route-index.ts';
import { request } from './request.ts';

const toRoute = (match: HttpMatch[], name: string): HttpRoute => ({ name, match, destinations: [], timeoutMs: null });
const path = fc.constantFrom('/', '/a', '/b', '/ab', '/a/b', '/A', '/api/v1', '');
const value = fc.constantFrom('1', '2', '');
const uri = fc.oneof(
  path.map((exact) => ({ exact })),
  path.map((prefix) => ({ prefix })),
  fc.constantFrom('/a.*', '/[ab]', '.*').map((regex) => ({ regex })),
);
const header = fc.oneof(
  value.map((exact) => ({ exact })),
  value.map((prefix) => ({ prefix })),
  fc.constant({}),
);
const block: fc.Arbitrary<HttpMatch> = fc.record(
  {
    uri,
    ignoreUriCase: fc.boolean(),
    headers: fc.dictionary(fc.constantFrom('x-a', 'x-b'), header, { maxKeys: 2 }),
    method: fc.constantFrom('GET', 'POST').map((exact) => ({ exact })),
  },
  { requiredKeys: [] },
);
const routes = fc
  .array(fc.array(block, { maxLength: 3 }), { maxLength: 8 })
  .map((all) => all.map((match, index) => toRoute(match, `r${index}`)));
const requests = fc.record({ path, headers: fc.dictionary(fc.constantFrom('x-a', 'x-b'), value, { maxKeys: 2 }) });

describe('the index of routes', () => {
  it('finds the same route and block as trying all in order, and as the explanation says', () => {
    fc.assert(
      fc.property(routes, requests, (all, given) => {
        const view = request(given);
        const found = compileRouteMatches(all)(view);
        const holds = (match: HttpMatch) => compileMatch(match).every(({ test }) => test(view));
        const first = all.find(({ match }) => match.length === 0 || match.some(holds)) ?? null;
        expect(found?.route ?? null).toBe(first);
        expect(found?.block ?? null).toBe(first?.match.find(holds) ?? null);
        expect(explainRoutes(all, view).route).toBe(first);
      }),
    );
  });

  it.each([
    ['exact paths', (index: number): HttpMatch => ({ uri: { exact: `/p/${index}` } })],
    ['prefixes', (index: number): HttpMatch => ({ uri: { prefix: `/p/${String(index).padStart(4, '0')}/` } })],
    ['exact headers', (index: number): HttpMatch => ({ headers: { 'x-user': { exact: `u${index}` } } })],
  ])('tries a handful of a thousand rules with %s', (_what, toBlock) => {
    const candidates = createRouteIndex(Array.from({ length: 1_000 }, (_, index) => toBlock(index)));
    const asked = request({ path: '/p/0500/x', headers: { 'x-user': 'u500' } });
    expect(candidates(asked).flat().length).toBeLessThanOrEqual(1);
    expect(candidates(request({ path: '/p/500' })).flat().length).toBeLessThanOrEqual(1);
  });
});
