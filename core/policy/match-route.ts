/**
 * `policy/`: decisions without I/O. What a request may be asked is `RequestView`; clock and random are arguments;
 * outcomes are values, never exceptions. Route, destination, subset, endpoint and fault mean what they mean in Istio.
 * Nothing here opens a socket, reads a clock or knows of workloads.
 */
import type { HttpMatch, HttpRoute } from '../model/sidecar-config.ts';
import { compileMatch } from './match-conditions.ts';
import type { RequestView } from './request-view.ts';
import { createRouteIndex } from './route-index.ts';

export interface RouteMatch {
  readonly route: HttpRoute;
  /** The block of conditions that held; `null` for a route without conditions. What a rewrite replaces depends on it. */
  readonly block: HttpMatch | null;
}

/**
 * Compiles the ordered routes of a service to one function: the first route that matches wins; `null` when none does
 * (the proxy answers 404 `NR`, as Envoy). In a route, blocks are ORed; in a block, conditions are ANDed; no block
 * matches everything. Source: Istio VirtualService `http`.
 *
 * Only the blocks that the request's path or headers can meet are tried: a thousand rules with exact or prefix paths cost
 * about as much as ten.
 */
export function compileRouteMatches(routes: readonly HttpRoute[]): (request: RequestView) => RouteMatch | null {
  const entries = routes.flatMap((route) =>
    (route.match.length === 0 ? [null] : route.match).map((block) => ({
      block,
      found: { route, block },
      tests: block === null ? [] : compileMatch(block).map((condition) => condition.test),
    })),
  );
  const candidatesOf = createRouteIndex(entries.map(({ block }) => block));
  return (request) => {
    let best = entries.length;
    for (const list of candidatesOf(request)) {
      for (const position of list) {
        // Lists are ascending: what comes later cannot win any more.
        if (position >= best) break;
        if (entries[position]?.tests.every((test) => test(request)) === true) {
          best = position;
          break;
        }
      }
    }
    return entries[best]?.found ?? null;
  };
}

/** False: every route is for other ports, and requests to this one go as if there were none (Istio makes routes by port). */
export function hasRoutesOn(routes: readonly HttpRoute[], port: number): boolean {
  const isFor = (block: HttpMatch) => block.port === undefined || block.port === port;
  return routes.some(({ match }) => match.length === 0 || match.some(isFor));
}

/** Like `compileRouteMatches`, without the block. */
export function compileRoutes(routes: readonly HttpRoute[]): (request: RequestView) => HttpRoute | null {
  const match = compileRouteMatches(routes);
  return (request) => match(request)?.route ?? null;
}
