/** Local rate limit: a bucket that is filled up at fixed intervals, as Envoy's local_ratelimit does. Clock in milliseconds. */
export interface TokenBucketPolicy {
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
}

export interface RateDecision {
  readonly allowed: boolean;
  /** For the draft RateLimit headers: what is left, and seconds until the next fill, rounded up. */
  readonly remaining: number;
  readonly resetSeconds: number;
}

export class TokenBucket {
  readonly #policy: TokenBucketPolicy;
  #tokens: number;
  #filledAtMs: number;

  constructor(policy: TokenBucketPolicy, nowMs: number) {
    this.#policy = policy;
    this.#tokens = policy.maxTokens;
    this.#filledAtMs = nowMs;
  }

  take(nowMs: number): RateDecision {
    const { maxTokens, tokensPerFill, fillIntervalMs } = this.#policy;
    const fills = Math.floor((nowMs - this.#filledAtMs) / fillIntervalMs);
    if (fills > 0) {
      this.#tokens = Math.min(maxTokens, this.#tokens + fills * tokensPerFill);
      this.#filledAtMs += fills * fillIntervalMs;
    }
    const allowed = this.#tokens >= 1;
    if (allowed) this.#tokens -= 1;
    const resetSeconds = Math.ceil((this.#filledAtMs + fillIntervalMs - nowMs) / 1_000);
    return { allowed, remaining: Math.floor(this.#tokens), resetSeconds };
  }
}

/** Headers that tell a client about its limit; `retry-after` only when it was refused. */
export function rateLimitHeaders(
  policy: TokenBucketPolicy,
  decision: RateDecision,
): readonly (readonly [string, string])[] {
  const { allowed, remaining, resetSeconds } = decision;
  const headers: (readonly [string, string])[] = [
    ['x-ratelimit-limit', String(policy.maxTokens)],
    ['x-ratelimit-remaining', String(remaining)],
    ['x-ratelimit-reset', String(resetSeconds)],
  ];
  return allowed ? headers : [...headers, ['retry-after', String(Math.max(1, resetSeconds))]];
}
