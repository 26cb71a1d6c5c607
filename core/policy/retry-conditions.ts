/**
 * When an attempt may be repeated: Envoy's `retry_on` and `retry_grpc_on` in the one list that Istio's `retryOn` is.
 * Source: Envoy router_filter.rst; numbers become retriable status codes (Istio).
 */

/**
 * How an attempt ended. `reset`: the connection was lost or reset before the answer was complete. What covers what was
 * asked of Envoy 1.40: a reset of any kind is to it what a 5xx and a gateway error are.
 */
export type AttemptOutcome =
  | { readonly kind: 'connect-failure' }
  /** The attempt was refused before the upstream worked on it: HTTP/2 REFUSED_STREAM. */
  | { readonly kind: 'refused-stream' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'per-try-timeout' }
  /** Answer head. `grpcStatus` only when it stands in the head: trailers are never looked at. */
  | { readonly kind: 'answer'; readonly status: number; readonly grpcStatus: number | null };

export interface RetryConditions {
  /** The names that were understood, in the order given. */
  readonly names: readonly string[];
  readonly statusCodes: ReadonlySet<number>;
  readonly grpcStatuses: ReadonlySet<number>;
  readonly serverErrors: boolean;
  readonly gatewayErrors: boolean;
  readonly resets: boolean;
  /** Only what the upstream cannot have begun to work on. */
  readonly resetsBeforeRequest: boolean;
  readonly connectFailures: boolean;
  readonly refusedStreams: boolean;
  readonly retriable4xx: boolean;
}

const grpcStatusOf: Readonly<Record<string, number>> = {
  cancelled: 1,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  internal: 13,
  unavailable: 14,
};

/** Names that mean something to Envoy and nothing to us yet: accepted, never met. */
const neverMet = ['retriable-headers', 'envoy-ratelimited', 'http3-post-connect-failure'];
const plain = [
  ...['5xx', 'gateway-error', 'reset', 'reset-before-request', 'connect-failure', 'refused-stream'],
  'retriable-4xx',
];

/** Every name that `retryOn` may hold, besides status codes. */
export const retryConditionNames: readonly string[] = [
  ...plain,
  'retriable-status-codes',
  ...Object.keys(grpcStatusOf),
  ...neverMet,
];

/** Istio's policy for routes that say nothing (VirtualService; code default of a 2024 istiod leaves 503 out). */
export const defaultRetryOn = 'connect-failure,refused-stream,unavailable,cancelled';
export const defaultRetryAttempts = 2;

/** Reads a comma-separated `retryOn`. Unknown names are left out; `isRetryCondition` tells them. */
export function parseRetryOn(retryOn: string): RetryConditions {
  const names = retryOn
    .split(',')
    .map((name) => name.trim())
    .filter((name) => isRetryCondition(name));
  const has = (name: string) => names.includes(name);
  return {
    names,
    statusCodes: new Set(names.map(Number).filter((code) => Number.isInteger(code))),
    grpcStatuses: new Set(names.flatMap((name) => grpcStatusOf[name] ?? [])),
    serverErrors: has('5xx'),
    gatewayErrors: has('gateway-error'),
    resets: has('reset'),
    resetsBeforeRequest: has('reset-before-request'),
    connectFailures: has('connect-failure'),
    refusedStreams: has('refused-stream'),
    retriable4xx: has('retriable-4xx'),
  };
}

/** True for a name of `retryConditionNames` and for a status code. */
export function isRetryCondition(name: string): boolean {
  return retryConditionNames.includes(name) || /^[1-9]\d\d$/.test(name);
}

/** Whether the policy covers this outcome; how often and whether the request can be sent again is for others to say. */
export function isRetriable(conditions: RetryConditions, outcome: AttemptOutcome): boolean {
  // A lost connection becomes a 503 for the client, but "503" among the conditions does not cover it.
  const anyReset = conditions.serverErrors || conditions.gatewayErrors || conditions.resets;
  switch (outcome.kind) {
    case 'connect-failure':
      return anyReset || conditions.connectFailures || conditions.resetsBeforeRequest;
    case 'refused-stream':
      return anyReset || conditions.refusedStreams;
    case 'reset':
    // Envoy resets the stream itself; the 504 is for the client only.
    case 'per-try-timeout':
      return anyReset;
    case 'answer':
      return coversAnswer(conditions, outcome.status, outcome.grpcStatus);
  }
}

function coversAnswer(conditions: RetryConditions, status: number, grpcStatus: number | null): boolean {
  if (conditions.serverErrors && status >= 500 && status <= 599) return true;
  if (conditions.gatewayErrors && status >= 502 && status <= 504) return true;
  if (conditions.retriable4xx && status === 409) return true;
  if (conditions.statusCodes.has(status)) return true;
  return grpcStatus !== null && conditions.grpcStatuses.has(grpcStatus);
}
