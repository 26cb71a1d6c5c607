import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../core/model/duration.ts';

describe('durations', () => {
  it.each([
    ['400ms', 400],
    ['1.5s', 1_500],
    ['1h', 3_600_000],
    ['1h30m', 5_400_000],
    ['.5s', 500],
    ['1m', 60_000],
    ['1500us', 1.5],
    ['0', 0],
    ['0s', 0],
    ['', null],
    ['5', null],
    ['5 s', null],
    ['-1s', null],
    ['1d', null],
    ['s', null],
    ['1sx', null],
  ])('"%s" is %s ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each([
    [400, '400ms'],
    [1_500, '1.5s'],
    [3_600_000, '3600s'],
    [0, '0s'],
    [1, '1ms'],
  ])('%d ms is written as %s', (durationMs, expected) => {
    expect(formatDuration(durationMs)).toBe(expected);
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.nat(100_000_000), (durationMs) => {
        expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
      }),
    );
  });
});
