/**
 * Cross-origin requests as Envoy's cors filter answers them. Source: Istio CorsPolicy; Envoy cors_filter.cc. A preflight
 * whose origin is allowed is answered by the mesh; one that is not is forwarded (Istio's default).
 */
import type { StringTest } from './string-match.ts';

export interface CorsPolicy {
  /** Any of them allows an origin. */
  readonly origins: readonly StringTest[];
  /** Comma-separated, as they are written; '' leaves the header out. */
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  /** Seconds; `null` leaves the header out. */
  readonly maxAgeSeconds: number | null;
  readonly allowCredentials: boolean;
  /** False: a preflight from elsewhere is answered without permission instead of being forwarded. */
  readonly forwardUnmatchedPreflights: boolean;
}

export interface CorsRequest {
  readonly method: string;
  readonly origin: string | undefined;
  /** `access-control-request-method`. */
  readonly requestedMethod: string | undefined;
}

type HeaderLines = readonly (readonly [name: string, value: string])[];

export type CorsDecision =
  /** Nothing to do with this request. */
  | { readonly kind: 'pass' }
  /** Answered by the mesh: 200 without a body. */
  | { readonly kind: 'preflight'; readonly headers: HeaderLines }
  /** Forwarded; the answer gets these headers in place of its own of the same name. */
  | { readonly kind: 'allow'; readonly headers: HeaderLines };

export function decideCors(policy: CorsPolicy, request: CorsRequest): CorsDecision {
  const { origin, requestedMethod, method } = request;
  if (origin === undefined || origin === '') return { kind: 'pass' };
  const isPreflight = method === 'OPTIONS' && requestedMethod !== undefined && requestedMethod !== '';
  if (!policy.origins.some((test) => test(origin))) {
    return isPreflight && !policy.forwardUnmatchedPreflights ? { kind: 'preflight', headers: [] } : { kind: 'pass' };
  }
  const allowed: (readonly [string, string])[] = [['access-control-allow-origin', origin]];
  if (policy.allowCredentials) allowed.push(['access-control-allow-credentials', 'true']);
  if (policy.exposeHeaders !== '') allowed.push(['access-control-expose-headers', policy.exposeHeaders]);
  if (!isPreflight) return { kind: 'allow', headers: allowed };
  if (policy.allowMethods !== '') allowed.push(['access-control-allow-methods', policy.allowMethods]);
  if (policy.allowHeaders !== '') allowed.push(['access-control-allow-headers', policy.allowHeaders]);
  if (policy.maxAgeSeconds !== null) allowed.push(['access-control-max-age', String(policy.maxAgeSeconds)]);
  return { kind: 'preflight', headers: allowed };
}
