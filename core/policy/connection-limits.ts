/**
 * Istio's connection pool (Envoy's circuit breaker): limits of one cluster (service and subset), each sidecar counting
 * for itself. What exceeds a limit is answered at once with 503 `UO` and `x-envoy-overloaded`. All limits are unset
 * (2^32 - 1) by default.
 */
export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Requests that wait for a connection (HTTP/1.1) or a stream. Istio `http1MaxPendingRequests`. */
  readonly maxPendingRequests: number;
  /** Requests under way. Istio `http2MaxRequests`, which counts HTTP/1.1 too. */
  readonly maxRequests: number;
}

export const unlimited = 2 ** 32 - 1;
export const defaultConnectionLimits: ConnectionLimits = {
  maxConnections: unlimited,
  maxPendingRequests: unlimited,
  maxRequests: unlimited,
};

export interface ClusterLoad {
  readonly connections: number;
  readonly pending: number;
  readonly requests: number;
}

/**
 * `send`: there is an idle connection, or one may be opened. `wait`: every connection is taken and no more may be opened,
 * but the queue has room. `overflow`: answer 503 `UO`.
 *
 * As in Envoy, a request that needs a new connection counts as pending until it has one, so `maxPendingRequests: 0` with no
 * idle connection overflows, and the first connection is allowed whatever `maxConnections` says.
 */
export function admitRequest(
  limits: ConnectionLimits,
  load: ClusterLoad,
  hasIdle: boolean,
): 'send' | 'wait' | 'overflow' {
  if (load.requests >= limits.maxRequests) return 'overflow';
  if (hasIdle) return 'send';
  if (load.pending >= limits.maxPendingRequests) return 'overflow';
  return load.connections < limits.maxConnections || load.connections === 0 ? 'send' : 'wait';
}
