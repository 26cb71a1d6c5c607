import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setWeight, startWeights } from '../../../renderer/features/traffic/weights.ts';

const sum = (weights: readonly { weight: number }[]) => weights.reduce((total, { weight }) => total + weight, 0);

describe('weights of a split', () => {
  it('moves the difference to the other version', () => {
    const weights = setWeight(
      [
        { subset: 'v1', weight: 100 },
        { subset: 'v2', weight: 0 },
      ],
      'v2',
      10,
    );
    expect(weights).toEqual([
      { subset: 'v1', weight: 90 },
      { subset: 'v2', weight: 10 },
    ]);
  });

  it('takes from the others in proportion to what they have', () => {
    const weights = setWeight(
      [
        { subset: 'a', weight: 60 },
        { subset: 'b', weight: 30 },
        { subset: 'c', weight: 10 },
      ],
      'c',
      40,
    );
    expect(weights).toEqual([
      { subset: 'a', weight: 40 },
      { subset: 'b', weight: 20 },
      { subset: 'c', weight: 40 },
    ]);
  });

  it('shares evenly among versions that have nothing', () => {
    const weights = setWeight(
      [
        { subset: 'a', weight: 100 },
        { subset: 'b', weight: 0 },
        { subset: 'c', weight: 0 },
      ],
      'a',
      50,
    );
    expect(weights.map(({ weight }) => weight)).toEqual([50, 25, 25]);
  });

  it('keeps a lone version at 100', () => {
    expect(setWeight([{ subset: 'v1', weight: 100 }], 'v1', 20)).toEqual([{ subset: 'v1', weight: 100 }]);
  });

  it('always sums to 100 in whole percents of 0 to 100, and keeps the order', () => {
    const start = fc.array(fc.nat({ max: 100 }), { minLength: 2, maxLength: 6 });
    const moves = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.integer({ min: -20, max: 120 }), fc.constant(Number.NaN))), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(start, moves, (initial, steps) => {
        let weights: readonly { subset: string; weight: number }[] = initial.map((weight, place) => ({
          subset: `v${place}`,
          weight,
        }));
        for (const [place, value] of steps) weights = setWeight(weights, `v${place % initial.length}`, value);
        expect(sum(weights)).toBe(100);
        expect(weights.every(({ weight }) => Number.isInteger(weight) && weight >= 0 && weight <= 100)).toBe(true);
        expect(weights.map(({ subset }) => subset)).toEqual(initial.map((_, index) => `v${index}`));
      }),
    );
  });

  it('starts with all at the first version when no split is set, versions in natural order', () => {
    expect(startWeights([], ['v10', 'v2'])).toEqual([
      { subset: 'v2', weight: 100 },
      { subset: 'v10', weight: 0 },
    ]);
  });

  it('adds running versions without a weight at 0 and keeps those that no longer run', () => {
    const weights = startWeights(
      [
        { subset: 'v1', weight: 70 },
        { subset: 'gone', weight: 30 },
      ],
      ['v1', 'v3'],
    );
    expect(weights).toEqual([
      { subset: 'v1', weight: 70 },
      { subset: 'gone', weight: 30 },
      { subset: 'v3', weight: 0 },
    ]);
  });
});
