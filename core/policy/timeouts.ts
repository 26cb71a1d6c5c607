/** Time limits of a request. Source: Envoy router_filter.rst, Istio HTTPRoute.timeout and HTTPRetry.perTryTimeout. */
export interface RequestTimeouts {
  /** From when the request has been received in full, over all tries; `null`: none (Istio's default). */
  readonly totalMs: number | null;
  /** Per try; `null`: none of its own. */
  readonly perTryMs: number | null;
}

/** A time per try that is not below the total means nothing, as in Envoy. */
export function effectiveTimeouts(totalMs: number | null, perTryMs: number | null): RequestTimeouts {
  return { totalMs, perTryMs: totalMs !== null && perTryMs !== null && perTryMs >= totalMs ? null : perTryMs };
}

/** What is left for a try that begins `spentMs` after the request was received; 0: the time is over (504 `UT`). */
export function tryTimeoutMs({ totalMs, perTryMs }: RequestTimeouts, spentMs: number): number | null {
  const left = totalMs === null ? null : Math.max(0, totalMs - spentMs);
  if (left === null || perTryMs === null) return left ?? perTryMs;
  return Math.min(left, perTryMs);
}
