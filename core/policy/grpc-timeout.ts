/**
 * The `grpc-timeout` header (gRPC over HTTP/2, "Timeout"): how long the caller waits. A request of gRPC takes it for its time
 * limit, and the route's timeout for the most it may ask for: Envoy's `max_grpc_timeout`, which Istio sets on every route.
 */
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** A value has at most eight digits. */
const mostMilliseconds = 99_999_999;

/** Milliseconds, rounded up; `null` when the value is none, or 0, which sets no limit in Envoy. */
export function parseGrpcTimeout(value: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? [];
  const milliseconds = Math.ceil(Number(digits) * (unitMs[unit] ?? 0));
  return milliseconds > 0 ? milliseconds : null;
}

export function formatGrpcTimeout(milliseconds: number): string {
  return milliseconds <= mostMilliseconds ? `${milliseconds}m` : `${Math.floor(milliseconds / 1_000)}S`;
}

export interface GrpcDeadline {
  /** For the whole request; `null`: none. */
  readonly timeoutMs: number | null;
  /** What the server is told: the time of one try. `null`: nothing but what the client has said. */
  readonly toldMs: number | null;
}

/** @param askedMs by the client; @param routeMs by the route; @param perTryMs for one try. `null`: none. */
export function decideGrpcDeadline(
  askedMs: number | null,
  routeMs: number | null,
  perTryMs: number | null,
): GrpcDeadline {
  const timeoutMs = askedMs === null || routeMs === null ? (askedMs ?? routeMs) : Math.min(askedMs, routeMs);
  const expectedMs = perTryMs === null || timeoutMs === null ? (perTryMs ?? timeoutMs) : Math.min(perTryMs, timeoutMs);
  return { timeoutMs, toldMs: expectedMs === askedMs ? null : expectedMs };
}
