import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLeastRequest, createRandomChoice, createRoundRobin, warmUpShare } from '../../../core/policy/balance.ts';
import { admitRequest, defaultConnectionLimits } from '../../../core/policy/connection-limits.ts';
import { createHashRing, createMaglev, type HashTable } from '../../../core/policy/consistent-hash.ts';
import { isPanic, priorityLoad } from '../../../core/policy/priority-load.ts';
import { rateLimitHeaders, TokenBucket } from '../../../core/policy/token-bucket.ts';
import { hashText } from '../../../core/shared/hash.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';

const endpoints = (count: number, weight?: number) =>
  Array.from({ length: count }, (_, index) => ({
    key: `10.0.0.${index}:80`,
    ...(weight === undefined ? {} : { weight }),
  }));
const keys = Array.from({ length: 20_000 }, (_, index) => hashText(`user-${index}`));

function shares(table: HashTable, count: number): number[] {
  const hits = new Array<number>(count).fill(0);
  for (const key of keys) {
    const index = table(key);
    if (index !== null) hits[index] = (hits[index] ?? 0) + 1;
  }
  return hits.map((hit) => hit / keys.length);
}

function moved(a: HashTable, b: HashTable): number {
  return keys.filter((key) => a(key) !== b(key)).length / keys.length;
}

describe.each([
  ['ring', (list: ReturnType<typeof endpoints>) => createHashRing(list)],
  ['Maglev', (list: ReturnType<typeof endpoints>) => createMaglev(list)],
])('consistent hash by %s', (_name, create) => {
  it('gives a key the same endpoint every time, and an unchanged list the same table', () => {
    const [a, b] = [create(endpoints(5)), create(endpoints(5))];
    expect(keys.every((key) => a(key) === b(key))).toBe(true);
  });

  it('gives every endpoint about its share', () => {
    for (const share of shares(create(endpoints(5)), 5)) expect(share).toBeCloseTo(0.2, 1);
  });

  it('follows weights', () => {
    const list = endpoints(3).map((endpoint, index) => ({ ...endpoint, weight: index === 0 ? 2 : 1 }));
    const [first = 0, ...others] = shares(create(list), 3);
    expect(first).toBeCloseTo(0.5, 1);
    for (const share of others) expect(share).toBeCloseTo(0.25, 1);
  });

  it('moves little more than a fair share of the keys when an endpoint comes', () => {
    const change = moved(create(endpoints(10)), create(endpoints(11)));
    expect(change).toBeGreaterThan(0.04);
    expect(change).toBeLessThan(0.25);
  });

  it('has nobody for a key when there is nobody', () => {
    expect(create([])(1)).toBeNull();
    expect(create(endpoints(2, 0))(1)).toBeNull();
  });
});

describe('balancing', () => {
  const random = createSeededRandom(7);
  const tally = (pick: () => string | null, draws: number) => {
    const counts: Record<string, number> = {};
    for (let draw = 0; draw < draws; draw += 1) {
      const picked = pick() ?? 'none';
      counts[picked] = (counts[picked] ?? 0) + 1;
    }
    return counts;
  };
  const idle = () => 0;

  it('takes turns by round robin', () => {
    const balancer = createRoundRobin<string>({ random, activeRequests: idle });
    const list = ['a', 'b', 'c'];
    expect(tally(() => balancer.pick(list), 30)).toEqual({ a: 10, b: 10, c: 10 });
  });

  it('takes weighted turns without clumping', () => {
    const weights: Record<string, number> = { a: 3, b: 1 };
    const balancer = createRoundRobin<string>({ random, activeRequests: idle, weightOf: (name) => weights[name] ?? 0 });
    const list = ['a', 'b'];
    const order = Array.from({ length: 8 }, () => balancer.pick(list)).join('');
    expect(order).toBe('aabaaaba');
  });

  it('draws at random about evenly, or by weight', () => {
    const even = createRandomChoice<string>({ random, activeRequests: idle });
    expect((tally(() => even.pick(['a', 'b']), 4_000).a ?? 0) / 4_000).toBeCloseTo(0.5, 1);
    const weighted = createRandomChoice<string>({
      random,
      activeRequests: idle,
      weightOf: (name) => (name === 'a' ? 9 : 1),
    });
    expect((tally(() => weighted.pick(['a', 'b']), 4_000).a ?? 0) / 4_000).toBeCloseTo(0.9, 1);
  });

  it('prefers the less busy one, and counts weights against load', () => {
    const busy: Record<string, number> = { a: 5, b: 0 };
    const equal = createLeastRequest<string>({ random, activeRequests: (name) => busy[name] ?? 0 });
    const counts = tally(() => equal.pick(['a', 'b']), 400);
    expect(counts.b ?? 0).toBeGreaterThan(250);
    const weighted = createLeastRequest<string>({
      random,
      activeRequests: idle,
      weightOf: (name) => (name === 'a' ? 3 : 1),
    });
    expect(tally(() => weighted.pick(['a', 'b']), 400)).toEqual({ a: 300, b: 100 });
  });

  it('has nobody when there is nobody', () => {
    const parts = { random, activeRequests: idle };
    const all = [createRoundRobin<string>(parts), createRandomChoice<string>(parts), createLeastRequest<string>(parts)];
    expect(all.map((balancer) => balancer.pick([]))).toEqual([null, null, null]);
  });

  it('warms a new endpoint up from its minimum to its weight', () => {
    expect(warmUpShare(0, 10_000)).toBe(0.1);
    expect(warmUpShare(5_000, 10_000)).toBe(0.5);
    expect(warmUpShare(10_000, 10_000)).toBe(1);
    expect(warmUpShare(5_000, 10_000, 10, 2)).toBeCloseTo(Math.SQRT1_2, 5);
  });
});

describe('spreading over priorities', () => {
  /** Envoy's priority.rst: healthy percent of P0, with P1 all healthy. */
  it.each([
    [100, [100, 0]],
    [72, [100, 0]],
    [71, [99, 1]],
    [50, [70, 30]],
    [25, [35, 65]],
    [0, [0, 100]],
  ])('with %i %% healthy in the first: %j', (healthy, load) => {
    expect(
      priorityLoad([
        { healthy, total: 100 },
        { healthy: 100, total: 100 },
      ]),
    ).toEqual(load);
  });

  it('normalises when all are short, and gives up when nothing is healthy', () => {
    expect(
      priorityLoad([
        { healthy: 25, total: 100 },
        { healthy: 25, total: 100 },
      ]),
    ).toEqual([50, 50]);
    expect(
      priorityLoad([
        { healthy: 0, total: 3 },
        { healthy: 0, total: 0 },
      ]),
    ).toEqual([0, 0]);
  });

  it('always sums up to 100 when something is healthy', () => {
    const health = fc
      .integer({ min: 1, max: 50 })
      .chain((total) => fc.record({ total: fc.constant(total), healthy: fc.integer({ min: 0, max: total }) }));
    fc.assert(
      fc.property(fc.array(health, { minLength: 1, maxLength: 5 }), (priorities) => {
        const sum = priorityLoad(priorities).reduce((all, share) => all + share, 0);
        const canServe = priorities.some(({ healthy, total }) => Math.floor((140 * healthy) / total) > 0);
        expect(sum).toBe(canServe ? 100 : 0);
      }),
    );
  });

  it('panics below the threshold only', () => {
    expect(isPanic({ healthy: 4, total: 10 }, 50)).toBe(true);
    expect(isPanic({ healthy: 5, total: 10 }, 50)).toBe(false);
    expect(isPanic({ healthy: 0, total: 10 }, 0)).toBe(false);
  });
});

describe('connection limits', () => {
  const limits = { ...defaultConnectionLimits, maxConnections: 1, maxPendingRequests: 1 };
  it.each([
    [defaultConnectionLimits, { connections: 500, pending: 500, requests: 5_000 }, false, 'send'],
    [limits, { connections: 0, pending: 0, requests: 0 }, false, 'send'],
    [limits, { connections: 1, pending: 0, requests: 1 }, false, 'wait'],
    [limits, { connections: 1, pending: 1, requests: 2 }, false, 'overflow'],
    [limits, { connections: 1, pending: 1, requests: 2 }, true, 'send'],
    [{ ...limits, maxRequests: 2 }, { connections: 1, pending: 0, requests: 2 }, true, 'overflow'],
    [{ ...limits, maxPendingRequests: 0 }, { connections: 0, pending: 0, requests: 0 }, false, 'overflow'],
  ] as const)('%j under %j (idle connection: %s): %s', (given, load, hasIdle, expected) => {
    expect(admitRequest(given, load, hasIdle)).toBe(expected);
  });
});

describe('a token bucket', () => {
  const policy = { maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 1_000 };

  it('lets through what it has, refuses the rest, fills at its interval and never above its size', () => {
    const bucket = new TokenBucket(policy, 0);
    expect([bucket.take(0), bucket.take(10), bucket.take(20)].map(({ allowed }) => allowed)).toEqual([
      true,
      true,
      false,
    ]);
    expect(bucket.take(999).allowed).toBe(false);
    expect(bucket.take(1_000).allowed).toBe(true);
    expect(bucket.take(60_000)).toEqual({ allowed: true, remaining: 1, resetSeconds: 1 });
  });

  it('tells a refused client when to come again', () => {
    const bucket = new TokenBucket({ maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 5_000 }, 0);
    bucket.take(0);
    const decisions = [
      { ...bucket.take(1_500), name: 'a "b"', policy: { ...policy, fillIntervalMs: 5_000 } },
      { ...new TokenBucket(policy, 0).take(0), name: 'c', policy },
    ];
    expect(rateLimitHeaders(decisions)).toEqual([
      ['ratelimit-policy', '"a b";q=1;w=5, "c";q=1;w=1'],
      ['ratelimit', '"a b";r=0;t=4, "c";r=1;t=1'],
      ['retry-after', '4'],
    ]);
    expect(rateLimitHeaders(decisions.slice(1)).map(([name]) => name)).toEqual(['ratelimit-policy', 'ratelimit']);
  });
});
