import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSeededRandom } from '../../../core/shared/random.ts';

describe('seeded random', () => {
  it('repeats the same draws for the same seed', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const first = createSeededRandom(seed);
        const second = createSeededRandom(seed);
        for (let draw = 0; draw < 20; draw += 1) expect(first()).toBe(second());
      }),
    );
  });

  it('spreads draws evenly over [0, 1) for any seed', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = createSeededRandom(seed);
        const counts = new Array<number>(10).fill(0);
        for (let draw = 0; draw < 10_000; draw += 1) {
          const slot = Math.floor(random() * 10);
          counts[slot] = (counts[slot] ?? 0) + 1;
        }
        expect(counts).toHaveLength(10);
        for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200);
      }),
      { numRuns: 20 },
    );
  });
});
