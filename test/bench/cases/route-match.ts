import type { HttpMatch, HttpRoute } from '../../../core/model/sidecar-config.ts';
import { compileRouteMatches } from '../../../core/policy/match-route.ts';
import type { RequestView } from '../../../core/policy/request-view.ts';
import { type BenchCase, type BenchResult, median, round } from '../result.ts';

const counts = [10, 100, 1_000];
const rounds = 9;
const requestsPerRound = 20_000;

const kinds: Readonly<Record<string, (index: number) => HttpMatch>> = {
  exact: (index) => ({ uri: { exact: `/api/v1/resource-${index}` } }),
  prefix: (index) => ({ uri: { prefix: `/api/v1/resource-${index}/` } }),
  header: (index) => ({ headers: { 'x-tenant': { exact: `tenant-${index}` } } }),
  // The expressions have nothing in front that an index could go by.
  regex: (index) => ({ uri: { regex: `/.*/resource-${index}(/.*)?` } }),
};

function toRoutes(kind: keyof typeof kinds, count: number): HttpRoute[] {
  const destinations = [{ service: 'a.shop', subset: null, port: null, weight: 1 }];
  return Array.from({ length: count }, (_, index) => {
    const match = kinds[kind]?.(index) ?? {};
    return { name: `r${index}`, match: [match], destinations, timeoutMs: null };
  });
}

/** For the rule in the middle: what a list that is tried from its beginning costs on average. */
function toRequest(kind: string, count: number): RequestView {
  const middle = Math.floor(count / 2);
  const headers = new Map([['x-tenant', `tenant-${middle}`]]);
  const path = kind === 'prefix' ? `/api/v1/resource-${middle}/x` : `/api/v1/resource-${middle}`;
  const header = (name: string) => headers.get(name);
  return { method: 'GET', path, query: '', host: 'a', port: 80, scheme: 'http', header };
}

function measure(kind: string, count: number, say: (line: string) => void): BenchResult {
  const match = compileRouteMatches(toRoutes(kind, count));
  const request = toRequest(kind, count);
  const expected = `r${Math.floor(count / 2)}`;
  if (match(request)?.route.name !== expected) throw new Error(`${kind} of ${count} does not find ${expected}`);
  const ns: number[] = [];
  for (let turn = 0; turn < rounds; turn += 1) {
    const startedAt = performance.now();
    for (let index = 0; index < requestsPerRound; index += 1) match(request);
    ns.push(((performance.now() - startedAt) * 1e6) / requestsPerRound);
  }
  const nsPerRequest = round(median(ns));
  say(`${kind}, ${count} rules: ${nsPerRequest} ns per request`);
  return { case: 'route-match', program: `${kind}-${count}-rules`, rounds, p50Us: round(nsPerRequest / 1_000, 3) };
}

/** What finding the route of a request costs, by kind and number of rules. */
export const routeMatchCase: BenchCase = {
  name: 'route-match',
  needs: 'nothing',
  run: async (say) => Object.keys(kinds).flatMap((kind) => counts.map((count) => measure(kind, count, say))),
};
