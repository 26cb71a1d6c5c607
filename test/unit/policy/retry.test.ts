import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mayRetry } from '../../../core/policy/retry-budget.ts';
import {
  type AttemptOutcome,
  defaultRetryOn,
  isRetriable,
  isRetryCondition,
  parseRetryOn,
} from '../../../core/policy/retry-conditions.ts';
import { retryDelayMs } from '../../../core/policy/retry-delay.ts';

const answer = (status: number, grpcStatus: number | null = null): AttemptOutcome => ({
  kind: 'answer',
  status,
  grpcStatus,
});
const outcomes: Readonly<Record<string, AttemptOutcome>> = {
  '200': answer(200),
  '409': answer(409),
  '429': answer(429),
  '500': answer(500),
  '502': answer(502),
  '503': answer(503),
  '504': answer(504),
  'grpc 1': answer(200, 1),
  'grpc 4': answer(200, 4),
  'grpc 8': answer(200, 8),
  'grpc 13': answer(200, 13),
  'grpc 14': answer(200, 14),
  reset: { kind: 'reset' },
  connect: { kind: 'connect-failure' },
  refused: { kind: 'refused-stream' },
  'per try': { kind: 'per-try-timeout' },
};

/** `retryOn`, and the outcomes that it covers; all others it does not. */
const table: readonly (readonly [string, readonly string[]])[] = [
  ['', []],
  ['5xx', ['500', '502', '503', '504', 'reset', 'connect', 'refused', 'per try']],
  ['gateway-error', ['502', '503', '504', 'reset', 'connect', 'refused', 'per try']],
  ['reset', ['reset', 'connect', 'refused', 'per try']],
  ['reset-before-request', ['connect']],
  ['connect-failure', ['connect']],
  ['refused-stream', ['refused']],
  ['retriable-4xx', ['409']],
  ['503', ['503']],
  ['429, 504', ['429', '504']],
  ['cancelled', ['grpc 1']],
  ['deadline-exceeded', ['grpc 4']],
  ['resource-exhausted', ['grpc 8']],
  ['internal', ['grpc 13']],
  ['unavailable', ['grpc 14']],
  [defaultRetryOn, ['connect', 'refused', 'grpc 1', 'grpc 14']],
  ['nonsense,reset', ['reset', 'connect', 'refused', 'per try']],
];

describe('retry conditions', () => {
  it.each(table)('"%s" covers exactly %j', (retryOn, covered) => {
    const conditions = parseRetryOn(retryOn);
    const hit = Object.keys(outcomes).filter((name) => {
      const outcome = outcomes[name];
      return outcome !== undefined && isRetriable(conditions, outcome);
    });
    expect(hit.sort()).toEqual([...covered].sort());
  });

  it('knows names and status codes, and nothing else', () => {
    expect(['5xx', 'unavailable', '503', 'retriable-status-codes'].every(isRetryCondition)).toBe(true);
    expect(['', '50', '5000', 'five', 'Reset'].some(isRetryCondition)).toBe(false);
  });
});

describe('the wait before a repetition', () => {
  it.each([
    [1, 25],
    [2, 50],
    [3, 100],
    [4, 200],
    [5, 250],
    [40, 250],
  ])('number %i is below %i ms', (repetition, limit) => {
    expect(retryDelayMs(repetition, () => 0.999999)).toBe(limit - 1);
    expect(retryDelayMs(repetition, () => 0)).toBe(0);
  });

  it('never exceeds ten times the base', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 5_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (n, base, draw) => {
          const waited = retryDelayMs(n, () => draw, base);
          expect(waited).toBeGreaterThanOrEqual(0);
          expect(waited).toBeLessThan(10 * base);
        },
      ),
    );
  });
});

describe('how many repetitions may be under way', () => {
  it.each([
    [{ kind: 'unlimited' } as const, 1_000, 1, true],
    [{ kind: 'count', maxRetries: 3 } as const, 2, 100, true],
    [{ kind: 'count', maxRetries: 3 } as const, 3, 100, false],
    [{ kind: 'count', maxRetries: 0 } as const, 0, 100, false],
    [{ kind: 'budget', percent: 20, minRetryConcurrency: 3 } as const, 2, 1, true],
    [{ kind: 'budget', percent: 20, minRetryConcurrency: 3 } as const, 3, 1, false],
    [{ kind: 'budget', percent: 20, minRetryConcurrency: 3 } as const, 19, 100, true],
    [{ kind: 'budget', percent: 20, minRetryConcurrency: 3 } as const, 20, 100, false],
  ])('%j with %i of them and %i requests: %s', (limit, retries, requests, allowed) => {
    expect(mayRetry(limit, retries, requests)).toBe(allowed);
  });
});
