import { describe, expect, it } from 'vitest';
import { Cluster, type ClusterMember } from '../../../core/data-plane/upstream/cluster.ts';
import { ClusterSet } from '../../../core/data-plane/upstream/cluster-set.ts';
import type { ClusterPolicy, EndpointShare } from '../../../core/model/traffic-config.ts';
import { hashText } from '../../../core/shared/hash.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';

const members = (...keys: string[]): ClusterMember[] => keys.map((key) => ({ key }));
const anything = { keyHash: null, tried: [] };
const outlier = {
  consecutive5xx: 2,
  consecutiveGatewayErrors: 0,
  consecutiveLocalOriginFailures: null,
  intervalMs: 1_000,
  baseEjectionMs: 5_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};

function create(policy: ClusterPolicy, list = members('a', 'b', 'c')): Cluster<ClusterMember> {
  const cluster = new Cluster<ClusterMember>(policy, createSeededRandom(3), 0);
  cluster.update(list, 0);
  return cluster;
}

function picks(cluster: Cluster<ClusterMember>, count: number, nowMs = 0): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let draw = 0; draw < count; draw += 1) {
    const key = cluster.pick(anything, nowMs)?.key ?? 'none';
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function fail(cluster: Cluster<ClusterMember>, member: ClusterMember, times: number, nowMs: number): void {
  for (let time = 0; time < times; time += 1) {
    cluster.began(member);
    cluster.ended(member, { kind: 'status', status: 503 }, nowMs);
  }
}

describe('a cluster', () => {
  it('takes turns, draws, or prefers the less busy, as its policy says', () => {
    expect(picks(create({ loadBalancer: { kind: 'round-robin' } }), 9)).toEqual({ a: 3, b: 3, c: 3 });
    expect(Object.keys(picks(create({ loadBalancer: { kind: 'random' } }), 200)).sort()).toEqual(['a', 'b', 'c']);
    const list = members('a', 'b');
    const cluster = create({}, list);
    const [busy] = list;
    if (busy === undefined) throw new Error('no member');
    for (let request = 0; request < 5; request += 1) cluster.began(busy);
    const counts = picks(cluster, 400);
    expect(counts.b ?? 0).toBeGreaterThan(2 * (counts.a ?? 0));
  });

  it('sends a key to the same endpoint, and requests without a key anywhere', () => {
    const hash = { kind: 'hash', key: { kind: 'header', name: 'x-user' }, table: 'ring', size: 1_024 } as const;
    const cluster = create({ loadBalancer: hash });
    const first = cluster.pick({ keyHash: hashText('joe'), tried: [] }, 0);
    for (let draw = 0; draw < 20; draw += 1)
      expect(cluster.pick({ keyHash: hashText('joe'), tried: [] }, 0)).toBe(first);
    expect(Object.keys(picks(cluster, 200))).toHaveLength(3);
  });

  it('avoids what was tried, as long as there is something else', () => {
    const list = members('a', 'b');
    const cluster = create({}, list);
    const [a, b] = list;
    if (a === undefined || b === undefined) throw new Error('no members');
    for (let draw = 0; draw < 50; draw += 1) expect(cluster.pick({ keyHash: null, tried: [a] }, 0)).toBe(b);
    expect(cluster.pick({ keyHash: null, tried: [a, b] }, 0)).not.toBeNull();
  });

  it('has no endpoint when there is none', () => {
    expect(create({}, []).pick(anything, 0)).toBeNull();
  });
});

describe('outliers', () => {
  it('get no traffic until a sweep finds their time over', () => {
    const list = members('a', 'b');
    const [a] = list;
    const cluster = create({ outlier }, list);
    if (a === undefined) throw new Error('no member');
    fail(cluster, a, 2, 100);
    expect([cluster.isEjected(a), cluster.ejected]).toEqual([true, 1]);
    expect(picks(cluster, 50, 200)).toEqual({ b: 50 });
    expect(picks(cluster, 50, 5_099)).toEqual({ b: 50 });
    expect(Object.keys(picks(cluster, 50, 6_200)).sort()).toEqual(['a', 'b']);
  });

  it('are all that is left: no healthy upstream, or panic when the policy asks for it', () => {
    const list = members('a');
    const [a] = list;
    if (a === undefined) throw new Error('no member');
    const strict = create({ outlier }, list);
    fail(strict, a, 2, 0);
    expect(strict.pick(anything, 1)).toBeNull();
    const panicking = create({ outlier: { ...outlier, minHealthPercent: 50 } }, list);
    fail(panicking, a, 2, 0);
    expect(panicking.pick(anything, 1)).toBe(a);
  });
});

describe('limits', () => {
  it('count requests and repetitions', () => {
    const list = members('a');
    const [a] = list;
    if (a === undefined) throw new Error('no member');
    const cluster = create({ maxRequests: 1, maxRetries: 1 }, list);
    expect(cluster.admit(true)).toBe('send');
    cluster.began(a);
    expect(cluster.admit(true)).toBe('overflow');
    expect([cluster.beginRetry(), cluster.beginRetry()]).toEqual([true, false]);
    cluster.retryEnded();
    expect(cluster.beginRetry()).toBe(true);
    cluster.ended(a, null, 0);
    expect([cluster.admit(true), cluster.requests]).toEqual(['send', 0]);
  });

  it('of connections do not limit requests that share one', () => {
    const a = { key: 'a', speaks: 'http/2' as const };
    const cluster = create({ maxConnections: 1, maxPendingRequests: 1, maxRequests: 3 }, [a]);
    const decisions = Array.from({ length: 4 }, () => {
      const decision = cluster.admit(false);
      if (decision === 'send') cluster.began(a);
      return decision;
    });
    expect(decisions).toEqual(['send', 'send', 'send', 'overflow']);
  });
});

describe('a new endpoint', () => {
  it('is warmed up: at first it gets a small share, later the same as the others', () => {
    const policy = {
      loadBalancer: { kind: 'round-robin' },
      warmUp: { durationMs: 10_000, minimumPercent: 10, aggression: 1 },
    } as const;
    const cluster = create(policy, members('a', 'b'));
    cluster.update(members('a', 'b', 'new'), 1_000);
    expect(picks(cluster, 210, 1_000).new).toBe(10);
    expect(picks(cluster, 300, 20_000).new).toBe(100);
  });
});

describe('a set of clusters', () => {
  it('keeps what a cluster knows over configurations, and starts anew with another policy', () => {
    const set = new ClusterSet<ClusterMember>(createSeededRandom(1));
    const get = (policy: ClusterPolicy, list: ClusterMember[]) => set.get('pay.shop', null, 80, policy, list, 0);
    const first = get({ outlier }, members('a', 'b'));
    const [a] = members('a');
    if (a === undefined) throw new Error('no member');
    fail(first, a, 2, 0);
    const second = get(structuredClone({ outlier }), members('a', 'b', 'c'));
    expect(second).toBe(first);
    expect(second.ejected).toBe(1);
    expect(get({}, members('a')).ejected).toBe(0);
    expect(set.get('pay.shop', 'v1', 80, {}, members('a'), 0)).not.toBe(get({}, members('a')));
  });
});

describe('places', () => {
  const at = (key: string, priority: number, more: Partial<EndpointShare> = {}) => ({
    key,
    share: { endpoint: key, priority, weight: 1, ...more },
  });
  const eject = (cluster: Cluster<ClusterMember>, member: ClusterMember | undefined, nowMs = 0) => {
    if (member === undefined) throw new Error('no member');
    fail(cluster, member, 2, nowMs);
  };

  it('send everything to the first priority while it is healthy enough', () => {
    const list = [at('near1', 0), at('near2', 0), at('near3', 0), at('near4', 0), at('far', 1)];
    const cluster = create({ outlier }, list);
    expect(picks(cluster, 400).far).toBeUndefined();
    eject(cluster, list[0]);
    // 3 of 4 with an overprovisioning of 1.4 is more than enough.
    expect(picks(cluster, 400).far).toBeUndefined();
    eject(cluster, list[1]);
    // 2 of 4: 70 %.
    const counts = picks(cluster, 2_000);
    expect(counts.far ?? 0).toBeGreaterThan(480);
    expect(counts.far ?? 0).toBeLessThan(720);
    expect([counts.near1, counts.near2]).toEqual([undefined, undefined]);
  });

  it('pass over priorities that nobody is left in, and close the gaps', () => {
    const cluster = create({ outlier }, [at('b', 3), at('c', 7)]);
    expect(picks(cluster, 50)).toEqual({ b: 50 });
    eject(cluster, { key: 'b' });
    expect(picks(cluster, 50)).toEqual({ c: 50 });
    eject(cluster, { key: 'c' });
    expect(cluster.pick(anything, 0)).toBeNull();
  });

  it('in panic send to all, the failing ones too', () => {
    const panicky = { ...outlier, minHealthPercent: 60 };
    const cluster = create({ outlier: panicky }, [at('a', 0), at('b', 1)]);
    eject(cluster, { key: 'a' });
    // The other priority can take everything: no panic.
    expect(picks(cluster, 50)).toEqual({ b: 50 });
    eject(cluster, { key: 'b' });
    expect(Object.keys(picks(cluster, 100)).sort()).toEqual(['a', 'b']);
  });

  it('share by the weights of localities, and within one by those of endpoints', () => {
    const list = [
      at('a1', 0, { locality: 'a', localityWeight: 80, weight: 3 }),
      at('a2', 0, { locality: 'a', localityWeight: 80 }),
      at('b', 0, { locality: 'b', localityWeight: 20 }),
      at('never', 0, { weight: 0 }),
    ];
    const counts = picks(create({ loadBalancer: { kind: 'round-robin' } }, list), 2_000);
    expect(counts.never).toBeUndefined();
    expect(Math.abs((counts.b ?? 0) - 400)).toBeLessThan(80);
    expect(Math.abs((counts.a1 ?? 0) / (counts.a2 ?? 1) - 3)).toBeLessThan(0.1);
  });

  it('take from a locality that lost endpoints what it cannot serve', () => {
    const list = [
      ...['a1', 'a2', 'a3'].map((key) => at(key, 0, { locality: 'a', localityWeight: 50 })),
      at('b', 0, { locality: 'b', localityWeight: 50 }),
    ];
    const cluster = create({ outlier }, list);
    eject(cluster, list[0]);
    eject(cluster, list[1]);
    // 1 of 3: 46 % of 50 beside 50.
    const counts = picks(cluster, 2_000);
    expect(Math.abs((counts.a3 ?? 0) / 2_000 - 23 / 73)).toBeLessThan(0.05);
  });

  it('leave the priorities of earlier tries out with every second retry', () => {
    const list = [at('near', 0), at('far', 1)];
    const cluster = create({}, list);
    const [near] = list;
    if (near === undefined) throw new Error('no member');
    const placesAfter = (count: number) => {
      const leaves = new Array<ClusterMember>(count).fill(near);
      return picksOf(() => cluster.pick({ keyHash: null, tried: [], leaves }, 0)?.key);
    };
    expect([placesAfter(0), placesAfter(1), placesAfter(2), placesAfter(3)]).toEqual([
      ['near'],
      ['near'],
      ['far'],
      ['far'],
    ]);
  });

  it('place keys among the endpoints of one priority', () => {
    const hash = { kind: 'hash', key: { kind: 'header', name: 'x-user' }, table: 'maglev', size: 101 } as const;
    const cluster = create({ loadBalancer: hash, outlier }, [at('near', 0), at('near2', 0), at('far', 1)]);
    const keys = Array.from({ length: 50 }, (_, user) => hashText(`user ${user}`));
    const placed = keys.map((keyHash) => cluster.pick({ keyHash, tried: [] }, 0)?.key);
    expect(new Set(placed)).toEqual(new Set(['near', 'near2']));
    expect(keys.map((keyHash) => cluster.pick({ keyHash, tried: [] }, 0)?.key)).toEqual(placed);
  });
});

describe('health checks', () => {
  it('leave endpoints out until they pass again, ejected ones too', () => {
    const list = members('a', 'b');
    const [a] = list;
    if (a === undefined) throw new Error('no member');
    const cluster = create({ outlier }, list);
    cluster.checked(a, false);
    expect(picks(cluster, 30)).toEqual({ b: 30 });
    cluster.checked(a, true);
    expect(Object.keys(picks(cluster, 60)).sort()).toEqual(['a', 'b']);
    fail(cluster, a, 2, 0);
    expect(cluster.isEjected(a)).toBe(true);
    cluster.checked(a, true);
    expect(Object.keys(picks(cluster, 60)).sort()).toEqual(['a', 'b']);
  });
});

function picksOf(pick: () => string | undefined): string[] {
  return [...new Set(Array.from({ length: 40 }, () => pick() ?? 'none'))];
}
