import { describe, expect, it } from 'vitest';
import type { HashKey } from '../../../core/model/traffic-config.ts';
import { hashRequest } from '../../../core/policy/hash-key.ts';
import { formatHeaderValue } from '../../../core/policy/header-values.ts';
import { afterCheck, type HealthState, unchecked } from '../../../core/policy/health-check.ts';
import { failurePercentageOutliers, successRateOutliers } from '../../../core/policy/success-rate.ts';
import { effectiveTimeouts, tryTimeoutMs } from '../../../core/policy/timeouts.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { request } from './request.ts';

describe('timeouts', () => {
  it.each([
    [null, null, 0, null],
    [1_000, null, 400, 600],
    [1_000, null, 1_200, 0],
    [null, 300, 5_000, 300],
    [1_000, 300, 0, 300],
    [1_000, 300, 900, 100],
    [1_000, 1_000, 400, 600],
    [1_000, 2_000, 400, 600],
  ])('of %s ms in all and %s ms per try leave a try after %s ms: %s', (total, perTry, spent, expected) => {
    expect(tryTimeoutMs(effectiveTimeouts(total, perTry), spent)).toBe(expected);
  });
});

describe('active health', () => {
  const run = (results: string) => {
    let state: HealthState = unchecked;
    return [...results]
      .map((result) => {
        state = afterCheck(state, result === '+' ? 'passed' : result === '!' ? 'immediate' : 'failed', {
          unhealthyThreshold: 3,
          healthyThreshold: 2,
        });
        return state.healthy ? '+' : '-';
      })
      .join('');
  };
  it.each([
    ['+---', '+++-'],
    ['+--+--', '++++++'],
    ['-', '-'],
    ['+!', '+-'],
    ['+---+++', '+++--++'],
    ['-+', '--'],
  ])('after checks %s is %s', (results, expected) => {
    expect(run(results)).toBe(expected);
  });
});

describe('statistical outliers', () => {
  const rates = (percents: readonly number[], total = 100) =>
    percents.map((percent, index) => ({ key: `${index}`, total, successes: (total * percent) / 100 }));
  const policy = { minimumHosts: 5, requestVolume: 100, deviations: 1.9 };

  it('lie below mean minus 1.9 deviations (Envoy: 50, 100, 100, 100, 100 has its threshold at 52)', () => {
    expect(successRateOutliers(rates([50, 100, 100, 100, 100]), policy)).toEqual(['0']);
    expect(successRateOutliers(rates([53, 60, 100, 100, 100]), policy)).toEqual([]);
    expect(successRateOutliers(rates([50, 100, 100, 100]), policy)).toEqual([]);
    expect(successRateOutliers(rates([50, 100, 100, 100, 100], 99), policy)).toEqual([]);
  });

  it('or fail too often', () => {
    const failing = { minimumHosts: 2, requestVolume: 50, threshold: 85 };
    expect(failurePercentageOutliers(rates([15, 16, 100]), failing)).toEqual(['0']);
    expect(failurePercentageOutliers(rates([0]), failing)).toEqual([]);
    expect(failurePercentageOutliers(rates([0, 0], 49), failing)).toEqual([]);
  });
});

describe('the key of a request', () => {
  const hash = (key: HashKey, given: Parameters<typeof request>[0] = {}, clientAddress: string | null = null) =>
    hashRequest(key, { request: request(given), clientAddress }, createSeededRandom(1));
  const cookie = (ttlSeconds: number | null, path = ''): HashKey => ({ kind: 'cookie', name: 'c', path, ttlSeconds });

  it('is a header, a query parameter, an address or a cookie; equal keys have equal hashes', () => {
    const user = { kind: 'header', name: 'X-User' } as const;
    expect(hash(user, { headers: { 'x-user': 'a' } })).toEqual(hash({ kind: 'query', name: 'u' }, { query: 'u=a' }));
    expect(hash(user, { headers: { 'x-user': 'a' } }).hash).toBe(hash({ kind: 'source-ip' }, {}, 'a').hash);
    expect(hash(cookie(null), { headers: { cookie: 'b=1; c="a"' } }).hash).toBe(
      hash({ kind: 'source-ip' }, {}, 'a').hash,
    );
  });

  it('may be missing', () => {
    for (const key of [
      { kind: 'header', name: 'x' },
      { kind: 'query', name: 'x' },
      { kind: 'source-ip' },
      cookie(null),
    ] as const) {
      expect(hash(key)).toEqual({ hash: null, setCookie: null });
    }
  });

  it('is made as a cookie when a lifetime is given, and then found again', () => {
    const made = hash(cookie(60, '/shop'));
    expect(made.setCookie).toMatch(/^c="[0-9a-f]{32}"; Max-Age=60; Path=\/shop; HttpOnly$/);
    const sent = made.setCookie?.split(';')[0] ?? '';
    expect(hash(cookie(60), { headers: { cookie: sent } })).toEqual({ hash: made.hash, setCookie: null });
    expect(hash(cookie(0)).setCookie).toMatch(/^c="[0-9a-f]{32}"; HttpOnly$/);
  });
});

describe('values of headers', () => {
  const variables = {
    request: (name: string) => ({ ':path': '/d', 'x-there': 'abcdef' })[name],
    protocol: 'HTTP/1.1',
    downstreamAddress: '127.0.0.1:5000',
    upstreamAddress: null,
    hostname: 'web',
    response: () => undefined,
    responseCode: 200,
  };
  it.each([
    ['plain', 'plain'],
    ['50%%', '50%'],
    ['%REQ(:path)% %PROTOCOL%', '/d HTTP/1.1'],
    ['%REQ(X-Missing)%', ''],
    ['pre-%REQ(x-missing)%-post', 'pre--post'],
    ['%REQ(x-missing?x-there):3%', 'abc'],
    ['%RESPONSE_CODE% %UPSTREAM_HOST% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', '200  127.0.0.1'],
  ])('%s become %s', (value, expected) => {
    expect(formatHeaderValue(value, variables)).toBe(expected);
  });
});
