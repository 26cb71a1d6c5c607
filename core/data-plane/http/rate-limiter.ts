import type { RateLimitConfig } from '../../model/traffic-config.ts';
import type { RequestView } from '../../policy/request-view.ts';
import { type LimitDecision, TokenBucket, type TokenBucketPolicy } from '../../policy/token-bucket.ts';

/** Clients of one limit that are remembered; of more, the one that has not come for longest is forgotten: it begins anew. */
export const maxClients = 10_000;
/** Longer values of a header share a bucket with those that begin alike. */
const maxKeyLength = 256;

/** One limit of this sidecar: a bucket, or one for each client. */
export class RateLimiter {
  readonly config: RateLimitConfig;
  readonly #policy: TokenBucketPolicy;
  /** In the order in which they were last used. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(config: RateLimitConfig) {
    const { requests, intervalMs, burst } = config;
    this.config = config;
    this.#policy = { maxTokens: burst, tokensPerFill: requests, fillIntervalMs: intervalMs };
  }

  get clients(): number {
    return this.#buckets.size;
  }

  /** @param client identity or address of who calls */
  take(request: Pick<RequestView, 'header'>, client: string, nowMs: number): LimitDecision {
    const key = this.#keyOf(request, client);
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#policy, nowMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > maxClients) this.#forgetOldest();
    return { ...bucket.take(nowMs), name: this.config.id, policy: this.#policy };
  }

  #keyOf(request: Pick<RequestView, 'header'>, client: string): string {
    const { per, header } = this.config;
    if (header !== undefined) return (request.header(header) ?? '').slice(0, maxKeyLength);
    return per === 'client' ? client : '';
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key);
      return;
    }
  }
}

/** The limits of a configuration. Those that did not change keep their buckets. */
export class RateLimiters {
  readonly #byId = new Map<string, RateLimiter>();
  readonly #before: RateLimiters | null;

  constructor(configs: readonly RateLimitConfig[], before: RateLimiters | null = null) {
    this.#before = before;
    for (const config of configs) this.#byId.set(config.id, this.#carryOver(config));
    this.#before = null;
  }

  /** The same limiters for the same limits. */
  of(configs: readonly RateLimitConfig[] = []): readonly RateLimiter[] {
    return configs.flatMap(({ id }) => this.#byId.get(id) ?? []);
  }

  #carryOver(config: RateLimitConfig): RateLimiter {
    const known = this.#before?.of([config])[0];
    return known !== undefined && JSON.stringify(known.config) === JSON.stringify(config)
      ? known
      : new RateLimiter(config);
  }
}
