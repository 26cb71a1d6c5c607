import { describe, expect, it } from 'vitest';
import { maxClients, RateLimiter, RateLimiters } from '../../../core/data-plane/http/rate-limiter.ts';
import type { RateLimitConfig } from '../../../core/model/traffic-config.ts';

const limit = (changes: Partial<RateLimitConfig> = {}): RateLimitConfig => ({
  ...{ id: 'a', requests: 1, intervalMs: 1_000, burst: 1, per: 'client' },
  ...changes,
});
const request = { header: () => undefined };

describe('a limit for each client', () => {
  it('remembers no more clients than it may, and forgets who has not come for longest', () => {
    const limiter = new RateLimiter(limit());
    for (let index = 0; index < maxClients; index += 1) limiter.take(request, `client ${index}`, 0);
    expect(limiter.take(request, 'client 0', 1).allowed).toBe(false);
    limiter.take(request, 'one more', 1);
    expect(limiter.clients).toBe(maxClients);
    expect(limiter.take(request, 'client 0', 2).allowed).toBe(false);
    expect(limiter.take(request, 'client 1', 2).allowed).toBe(true);
  });
});

describe('the limits of a configuration', () => {
  it('keep their buckets while they say the same', () => {
    const before = new RateLimiters([limit(), limit({ id: 'b' })]);
    const after = new RateLimiters([limit(), limit({ id: 'b', burst: 2 })], before);
    expect(after.of([limit()])).toEqual(before.of([limit()]));
    expect(after.of([limit()])[0]).toBe(before.of([limit()])[0]);
    expect(after.of([limit({ id: 'b' })])[0]).not.toBe(before.of([limit({ id: 'b' })])[0]);
    expect(after.of(undefined)).toEqual([]);
  });
});
