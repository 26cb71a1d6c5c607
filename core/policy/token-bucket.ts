/** Local rate limit: a bucket that is filled up at fixed intervals, as Envoy's local_ratelimit does. Clock in milliseconds. */
export interface TokenBucketPolicy {
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
}

export interface RateDecision {
  readonly allowed: boolean;
  /** What is left, and seconds until there is more, rounded up. */
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
    const resetSeconds = Math.ceil(Math.round(this.#filledAtMs + fillIntervalMs - nowMs) / 1_000);
    return { allowed, remaining: Math.floor(this.#tokens), resetSeconds };
  }
}

export interface LimitDecision extends RateDecision {
  /** Of the limit. */
  readonly name: string;
  readonly policy: TokenBucketPolicy;
}

/**
 * Headers that tell a client about its limits, one list item each (draft-ietf-httpapi-ratelimit-headers-10): `ratelimit-policy`
 * with quota and window, `ratelimit` with what is left and when there is more. `retry-after` only when it was refused.
 */
export function rateLimitHeaders(decisions: readonly LimitDecision[]): [string, string][] {
  const items = (text: (decision: LimitDecision) => string) =>
    decisions.map((decision) => `${quoted(decision.name)};${text(decision)}`).join(', ');
  const headers: [string, string][] = [
    ['ratelimit-policy', items(({ policy }) => `q=${policy.tokensPerFill};w=${windowSeconds(policy)}`)],
    ['ratelimit', items(({ remaining, resetSeconds }) => `r=${remaining};t=${resetSeconds}`)],
  ];
  const refused = decisions.filter(({ allowed }) => !allowed).map(({ resetSeconds }) => resetSeconds);
  return refused.length === 0 ? headers : [...headers, ['retry-after', String(Math.max(1, ...refused))]];
}

/** Whole seconds, at least one. */
const windowSeconds = ({ fillIntervalMs }: TokenBucketPolicy): number =>
  Math.max(1, Math.round(fillIntervalMs / 1_000));

/** A string of structured fields (RFC 9651); characters that it cannot have are left out. */
const quoted = (name: string): string => `"${name.replace(/[^ !#-[\]-~]/g, '')}"`;
