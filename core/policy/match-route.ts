/**
 * `policy/`: decisions without I/O. What a request may be asked is `RequestView`; clock and random are arguments;
 * outcomes are values, never exceptions. Route, destination, subset, endpoint and fault mean what they mean in Istio.
 * Nothing here opens a socket, reads a clock or knows of workloads.
 */
import type { HttpRoute } from '../model/sidecar-config.ts';
import { compileMatch } from './match-conditions.ts';
import type { RequestView } from './request-view.ts';

/**
 * Compiles the ordered routes of a service to one function: the first route that matches wins; `null` when none does
 * (the proxy answers 404 `NR`, as Envoy). In a route, blocks are ORed; in a block, conditions are ANDed; no block
 * matches everything. Source: Istio VirtualService `http`.
 */
export function compileRoutes(routes: readonly HttpRoute[]): (request: RequestView) => HttpRoute | null {
  const compiled = routes.map((route) => ({
    route,
    blocks: route.match.map((match) => compileMatch(match).map((condition) => condition.test)),
  }));
  return (request) => {
    for (const { route, blocks } of compiled) {
      if (blocks.length === 0) return route;
      for (const tests of blocks) {
        if (tests.every((test) => test(request))) return route;
      }
    }
    return null;
  };
}
