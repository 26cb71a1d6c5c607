/**
 * Outlier detection: takes endpoints out of the rotation that fail, for a time that grows with each ejection. One detector
 * per cluster (service and subset) and sidecar. Source: Istio OutlierDetection, Envoy outlier.rst.
 *
 * ejected  gets no traffic until the sweep that finds its time over
 * sweep    every `intervalMs`; consecutive errors eject inline, at once
 */
export interface OutlierPolicy {
  /** 5xx and failures in a row; 0 off. Istio 5. */
  readonly consecutive5xx: number;
  /** 502, 503, 504 and failures in a row; 0 off (Istio's default). */
  readonly consecutiveGatewayErrors: number;
  /** Failures of our own (connect, reset, timeout) are counted apart, with this limit, and not as 5xx. `null`: not split. */
  readonly consecutiveLocalOriginFailures: number | null;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  /** Cap of the growing time: Envoy's max(300 s, base). */
  readonly maxEjectionMs: number;
  /** Share of the endpoints that may be out at once. */
  readonly maxEjectionPercent: number;
  /** Statuses that count as errors; absent: 500 and up. Istio `outlierDetectionHttpErrorCodes`. */
  readonly errorCodes?: readonly number[] | undefined;
}

export const defaultOutlierPolicy: OutlierPolicy = {
  consecutive5xx: 5,
  consecutiveGatewayErrors: 0,
  consecutiveLocalOriginFailures: null,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 10,
};

export type EndpointResult =
  | { readonly kind: 'status'; readonly status: number }
  /** Connect failure, reset, timeout: nothing came from the endpoint, though it may have been connected to. */
  | { readonly kind: 'local-origin'; readonly connected: boolean };

export interface EndpointHealth {
  readonly ejected: boolean;
  /** Times it has been ejected, less one for each healthy interval. */
  readonly multiplier: number;
  readonly ejectedUntilMs: number | null;
}

interface Watched {
  serverErrors: number;
  gatewayErrors: number;
  localFailures: number;
  multiplier: number;
  ejectedAtMs: number | null;
}

export class OutlierDetector {
  readonly #policy: OutlierPolicy;
  readonly #endpoints = new Map<string, Watched>();
  #ejected = 0;

  constructor(policy: OutlierPolicy) {
    this.#policy = policy;
  }

  get ejectedCount(): number {
    return this.#ejected;
  }

  /** The endpoints there are now; those that are gone are forgotten, new ones start healthy. */
  retain(keys: Iterable<string>): void {
    const wanted = new Set(keys);
    for (const [key, watched] of this.#endpoints) {
      if (wanted.has(key)) continue;
      if (watched.ejectedAtMs !== null) this.#ejected -= 1;
      this.#endpoints.delete(key);
    }
    for (const key of wanted) if (!this.#endpoints.has(key)) this.#endpoints.set(key, healthy());
  }

  isEjected(key: string): boolean {
    return this.#ejected > 0 && this.#endpoints.get(key)?.ejectedAtMs != null;
  }

  /** Counts how a request to the endpoint ended. True when that has ejected it. */
  record(key: string, result: EndpointResult, nowMs: number): boolean {
    const watched = this.#endpoints.get(key);
    if (watched === undefined || watched.ejectedAtMs !== null) return false;
    const { consecutive5xx, consecutiveGatewayErrors, consecutiveLocalOriginFailures } = this.#policy;
    const isLocal = result.kind === 'local-origin';
    if (isLocal && consecutiveLocalOriginFailures !== null) {
      // As in Envoy, a connection that was made ends a run of failures, so that of resets and timeouts only the last one counts.
      if (result.connected) watched.localFailures = 0;
      watched.localFailures += 1;
      if (!reached(watched.localFailures, consecutiveLocalOriginFailures)) return false;
      watched.localFailures = 0;
      return this.#eject(watched, nowMs);
    }
    // Not split: what went wrong on our side counts as a 503 of the endpoint would.
    const status = isLocal ? 503 : result.status;
    watched.localFailures = 0;
    watched.serverErrors = this.#isError(status) ? watched.serverErrors + 1 : 0;
    watched.gatewayErrors = status >= 502 && status <= 504 ? watched.gatewayErrors + 1 : 0;
    // As in Envoy, a run that was noticed begins anew, also when the endpoint could not be taken out.
    const tooManyGatewayErrors = reached(watched.gatewayErrors, consecutiveGatewayErrors);
    const tooManyErrors = reached(watched.serverErrors, consecutive5xx);
    if (tooManyGatewayErrors) watched.gatewayErrors = 0;
    if (tooManyErrors) watched.serverErrors = 0;
    return (tooManyGatewayErrors || tooManyErrors) && this.#eject(watched, nowMs);
  }

  #isError(status: number): boolean {
    return this.#policy.errorCodes?.includes(status) ?? status >= 500;
  }

  /** Lets back in whose time is over; forgives a step to those that stayed healthy. Call every `intervalMs`. */
  sweep(nowMs: number): void {
    for (const watched of this.#endpoints.values()) {
      if (watched.ejectedAtMs === null) watched.multiplier = Math.max(0, watched.multiplier - 1);
      else if (nowMs >= watched.ejectedAtMs + this.#ejectionMs(watched)) this.#readmit(watched);
    }
  }

  /** A passing active health check lets an endpoint back in before its time (Envoy's default). */
  healthCheckPassed(key: string): void {
    const watched = this.#endpoints.get(key);
    if (watched !== undefined && watched.ejectedAtMs !== null) this.#readmit(watched);
  }

  healthOf(key: string): EndpointHealth {
    const watched = this.#endpoints.get(key) ?? healthy();
    const { ejectedAtMs, multiplier } = watched;
    const ejectedUntilMs = ejectedAtMs === null ? null : ejectedAtMs + this.#ejectionMs(watched);
    return { ejected: ejectedAtMs !== null, multiplier, ejectedUntilMs };
  }

  #ejectionMs(watched: Watched): number {
    return Math.min(this.#policy.baseEjectionMs * watched.multiplier, this.#policy.maxEjectionMs);
  }

  /** Envoy (with `always_eject_one_host` off, as in Istio): never more than the share, so 10 % of nine endpoints is none. */
  #eject(watched: Watched, nowMs: number): boolean {
    const percent = (100 * (this.#ejected + 1)) / Math.max(1, this.#endpoints.size);
    if (percent > this.#policy.maxEjectionPercent) return false;
    watched.ejectedAtMs = nowMs;
    const { baseEjectionMs, maxEjectionMs } = this.#policy;
    // Beyond the cap a step would only have to be forgiven again.
    if (watched.multiplier * baseEjectionMs < maxEjectionMs + baseEjectionMs) watched.multiplier += 1;
    watched.serverErrors = watched.gatewayErrors = watched.localFailures = 0;
    this.#ejected += 1;
    return true;
  }

  #readmit(watched: Watched): void {
    watched.ejectedAtMs = null;
    watched.serverErrors = watched.gatewayErrors = watched.localFailures = 0;
    this.#ejected -= 1;
  }
}

function healthy(): Watched {
  return { serverErrors: 0, gatewayErrors: 0, localFailures: 0, multiplier: 0, ejectedAtMs: null };
}

function reached(count: number, limit: number): boolean {
  return limit > 0 && count >= limit;
}
