import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketMiddleUs, bucketOf, Histogram, histogramBuckets } from '../../../core/shared/histogram.ts';

describe('latency histogram', () => {
  it('puts every value into a bucket whose middle is at most 6.25 % away', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 36 }), (value) => {
        const middle = bucketMiddleUs(bucketOf(value));
        expect(Math.abs(middle - value)).toBeLessThanOrEqual(Math.max(1, value * 0.0625));
      }),
    );
  });

  it('never decreases the bucket when the value grows', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.nat(1000), (value, more) => bucketOf(value + more) >= bucketOf(value)),
    );
  });

  it('keeps values beyond its range in the last bucket and negative ones in the first', () => {
    expect(bucketOf(2 ** 45)).toBe(histogramBuckets - 1);
    expect(bucketOf(-5)).toBe(0);
  });

  it('answers percentiles of known values and null when it is empty', () => {
    const histogram = new Histogram();
    expect(histogram.percentileMs(50)).toBeNull();
    for (let ms = 1; ms <= 100; ms += 1) histogram.record(ms * 1000);
    expect(histogram.percentileMs(50)).toBeCloseTo(50, -1);
    expect(histogram.percentileMs(99)).toBeGreaterThan(93);
    expect(histogram.percentileMs(100)).toBeLessThan(107);
  });

  it('gives the same answers after travelling as sparse pairs', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 10_000_000 }), { minLength: 1, maxLength: 200 }), (values) => {
        const original = new Histogram();
        for (const value of values) original.record(value);
        const merged = new Histogram();
        merged.merge(original.toSparse());
        expect(merged.total).toBe(original.total);
        for (const percent of [1, 50, 95, 99, 100]) {
          expect(merged.percentileMs(percent)).toBe(original.percentileMs(percent));
        }
      }),
    );
  });

  it('is empty again after clear', () => {
    const histogram = new Histogram();
    histogram.record(5);
    histogram.clear();
    expect(histogram.toSparse()).toEqual([]);
    expect(histogram.total).toBe(0);
  });
});
