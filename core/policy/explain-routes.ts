import type { HttpRoute } from '../model/sidecar-config.ts';
import { compileMatch } from './match-conditions.ts';
import type { RequestView } from './request-view.ts';

/** Why one route matched or not. */
interface RouteExplanation {
  readonly route: string;
  /** `not reached`: an earlier route had already matched. */
  readonly outcome: 'matched' | 'did not match' | 'not reached';
  /** Matched: the conditions that held (none: the route matches everything). Else the first one that failed, per block. */
  readonly reasons: readonly string[];
}

export interface RoutesExplanation {
  /** The winner; `null` when no route matches. */
  readonly route: HttpRoute | null;
  readonly routes: readonly RouteExplanation[];
}

/** Says which route a request takes and why each earlier one does not. Decides as `compileRoutes` does. */
export function explainRoutes(routes: readonly HttpRoute[], request: RequestView): RoutesExplanation {
  const explanations: RouteExplanation[] = [];
  let winner: HttpRoute | null = null;
  for (const route of routes) {
    if (winner !== null) {
      explanations.push({ route: route.name, outcome: 'not reached', reasons: [`"${winner.name}" matched first`] });
      continue;
    }
    const explanation = explainRoute(route, request);
    explanations.push(explanation);
    if (explanation.outcome === 'matched') winner = route;
  }
  return { route: winner, routes: explanations };
}

function explainRoute(route: HttpRoute, request: RequestView): RouteExplanation {
  const failures: string[] = [];
  for (const block of route.match) {
    const conditions = compileMatch(block);
    const failed = conditions.find((condition) => !condition.test(request));
    if (failed === undefined) {
      return { route: route.name, outcome: 'matched', reasons: conditions.map((condition) => condition.text) };
    }
    failures.push(`${failed.text}: the request has ${failed.actual(request)}`);
  }
  if (route.match.length === 0) return { route: route.name, outcome: 'matched', reasons: [] };
  return { route: route.name, outcome: 'did not match', reasons: failures };
}
