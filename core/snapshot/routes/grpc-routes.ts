import type { GRPCRoute, GrpcRouteMatch } from '../../model/grpc-route.ts';
import type { HTTPRoute, HttpRouteMatch } from '../../model/http-route.ts';

/** A GRPCRoute as the HTTPRoute it amounts to: the method `shop.Cart/Add` is the path `/shop.Cart/Add` of a POST. */
export function grpcToHttp(route: GRPCRoute): HTTPRoute {
  const { rules, ...spec } = route.spec;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: route.metadata,
    spec: {
      ...spec,
      ...(rules === undefined
        ? {}
        : {
            rules: rules.map(({ matches, ...rule }) => ({
              ...rule,
              ...(matches === undefined ? {} : { matches: matches.map(toMatch) }),
            })),
          }),
    },
  };
}

function toMatch({ method, headers }: GrpcRouteMatch): HttpRouteMatch {
  return { ...(method === undefined ? {} : { path: toPath(method) }), ...(headers === undefined ? {} : { headers }) };
}

function toPath({
  type = 'Exact',
  service,
  method,
}: NonNullable<GrpcRouteMatch['method']>): NonNullable<HttpRouteMatch['path']> {
  if (type === 'RegularExpression') return { type, value: `/${service ?? '[^/]+'}/${method ?? '[^/]+'}` };
  if (service !== undefined && method !== undefined) return { type: 'Exact', value: `/${service}/${method}` };
  if (service !== undefined) return { type: 'PathPrefix', value: `/${service}/` };
  return { type: 'RegularExpression', value: `/[^/]+/${method}` };
}
