/** Filters of HTTPRoute and GRPCRoute that production does not take: the whole route is out then (istio, conversion.go). */
import type { FieldPath } from './field-path.ts';
import type { GRPCRoute } from './grpc-route.ts';
import type { HTTPRoute } from './http-route.ts';
import type { Problems } from './problems.ts';
import { describeResource } from './resource.ts';

const ofRules: ReadonlySet<string> = new Set([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'RequestMirror',
  'URLRewrite',
  'CORS',
]);
const ofBackends: ReadonlySet<string> = new Set(['RequestHeaderModifier', 'ResponseHeaderModifier']);

interface Filtered {
  readonly filters?: readonly { readonly type: string }[] | undefined;
}

/** The first of such filters; `null`: there is none, and the route is taken. */
export function refusedFilter({
  spec,
}: HTTPRoute | GRPCRoute): { readonly at: FieldPath; readonly type: string } | null {
  for (const [place, rule] of (spec.rules ?? []).entries()) {
    const at = ['spec', 'rules', place];
    const own = firstBeyond(rule, ofRules, at);
    if (own !== null) return own;
    for (const [index, backend] of ((rule.backendRefs ?? []) as readonly Filtered[]).entries()) {
      const found = firstBeyond(backend, ofBackends, [...at, 'backendRefs', index]);
      if (found !== null) return found;
    }
  }
  return null;
}

function firstBeyond({ filters = [] }: Filtered, taken: ReadonlySet<string>, at: FieldPath) {
  const index = filters.findIndex(({ type }) => !taken.has(type));
  const type = filters[index]?.type;
  return type === undefined ? null : { at: [...at, 'filters', index], type };
}

export function checkRouteFilters(route: HTTPRoute | GRPCRoute, problems: Problems): void {
  const refused = refusedFilter(route);
  if (refused === null) return;
  problems.list.push({
    code: 'NOT_APPLIED',
    severity: 'warning',
    path: refused.at,
    message: `${describeResource(route)} is kept and exported, not applied: a filter ${refused.type} is not taken here`,
    hint: 'Istio accepts no route with it either; remove the filter.',
  });
}
