/**
 * How many repetitions may be under way at once. Either a fixed number (Istio's `connectionPool.http.maxRetries`, unlimited
 * when unset) or a share of the requests under way (Envoy's retry budget, which replaces the number).
 */
export type RetryLimit =
  | { readonly kind: 'unlimited' }
  | { readonly kind: 'count'; readonly maxRetries: number }
  | { readonly kind: 'budget'; readonly percent: number; readonly minRetryConcurrency: number };

/** Envoy's defaults of a retry budget. */
export const defaultRetryBudget = { kind: 'budget', percent: 20, minRetryConcurrency: 3 } as const;

/** @param activeRequests requests to the cluster under way, pending ones included */
export function mayRetry(limit: RetryLimit, activeRetries: number, activeRequests: number): boolean {
  switch (limit.kind) {
    case 'unlimited':
      return true;
    case 'count':
      return activeRetries < limit.maxRetries;
    case 'budget':
      return activeRetries < Math.max(limit.minRetryConcurrency, Math.floor((activeRequests * limit.percent) / 100));
  }
}
