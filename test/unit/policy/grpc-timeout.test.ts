import { expect, test } from 'vitest';
import { decideGrpcDeadline, formatGrpcTimeout, parseGrpcTimeout } from '../../../core/policy/grpc-timeout.ts';

test.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['5S', 5_000],
  ['100m', 100],
  ['1500u', 2],
  ['1n', 1],
  ['99999999S', 99_999_999_000],
  ['0m', null],
  ['', null],
  ['5', null],
  ['S', null],
  ['5s', null],
  ['-5S', null],
  ['5.5S', null],
  ['123456789m', null],
])('a timeout of %j is %j milliseconds', (value, milliseconds) => {
  expect(parseGrpcTimeout(value)).toBe(milliseconds);
});

test('a time is written in milliseconds, in seconds where they have more than eight digits', () => {
  expect(formatGrpcTimeout(2_000)).toBe('2000m');
  expect(formatGrpcTimeout(100_000_500)).toBe('100000S');
});

// As a real Envoy with Istio's routes (max_grpc_timeout: the route's timeout) was seen to decide.
test.each([
  { asked: null, route: null, perTry: null, timeoutMs: null, toldMs: null },
  { asked: 100, route: null, perTry: null, timeoutMs: 100, toldMs: null },
  { asked: 100, route: 2_000, perTry: null, timeoutMs: 100, toldMs: null },
  { asked: 5_000, route: 2_000, perTry: null, timeoutMs: 2_000, toldMs: 2_000 },
  { asked: null, route: 2_000, perTry: null, timeoutMs: 2_000, toldMs: 2_000 },
  { asked: null, route: 2_000, perTry: 500, timeoutMs: 2_000, toldMs: 500 },
  { asked: 100, route: 2_000, perTry: 500, timeoutMs: 100, toldMs: null },
  { asked: null, route: null, perTry: 500, timeoutMs: null, toldMs: 500 },
])('asked $asked, route $route, per try $perTry: $timeoutMs, told $toldMs', ({ asked, route, perTry, ...expected }) => {
  expect(decideGrpcDeadline(asked, route, perTry)).toEqual(expected);
});
