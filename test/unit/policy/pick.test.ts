import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteDestination } from '../../../core/model/sidecar-config.ts';
import { pickDestination } from '../../../core/policy/pick-destination.ts';
import { pickEndpoint } from '../../../core/policy/pick-endpoint.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';

const destinations = (...weights: number[]): RouteDestination[] =>
  weights.map((weight, index) => ({ service: 'a.b', subset: `v${index + 1}`, port: null, weight }));

describe('picking a destination', () => {
  it('gives everything to a single one, whatever its weight', () => {
    expect(pickDestination(destinations(0), () => 0.5)?.subset).toBe('v1');
    expect(pickDestination(destinations(7), () => 0.999)?.subset).toBe('v1');
  });

  it('picks nothing when there is none, or when all of several weigh 0', () => {
    expect(pickDestination([], () => 0)).toBeNull();
    expect(pickDestination(destinations(0, 0), () => 0)).toBeNull();
  });

  it.each([
    [[90, 10], 0, 'v1'],
    [[90, 10], 0.8999, 'v1'],
    [[90, 10], 0.9, 'v2'],
    [[1, 1, 2], 0.5, 'v3'],
    [[0, 1], 0, 'v2'],
    [[1, 0], 0.9999999, 'v1'],
  ])('weights %j with draw %d go to %s', (weights, draw, expected) => {
    expect(pickDestination(destinations(...weights), () => draw)?.subset).toBe(expected);
  });

  it('shares by weight / sum of weights and never picks a weight of 0', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 2, maxLength: 5 }), fc.integer(), (weights, seed) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        fc.pre(total > 0);
        const random = createSeededRandom(seed);
        const picks = weights.map(() => 0);
        const draws = 4_000;
        for (let draw = 0; draw < draws; draw += 1) {
          const index = Number(pickDestination(destinations(...weights), random)?.subset?.slice(1)) - 1;
          picks[index] = (picks[index] ?? 0) + 1;
        }
        for (const [index, weight] of weights.entries()) {
          const share = weight / total;
          const deviation = Math.sqrt((share * (1 - share)) / draws);
          expect(Math.abs((picks[index] ?? 0) / draws - share)).toBeLessThanOrEqual(6 * deviation);
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('picking an endpoint', () => {
  const draws =
    (...values: number[]) =>
    () =>
      values.shift() ?? 0;

  it('takes the one with fewer active requests of two draws, the first on a tie', () => {
    const active: Record<string, number> = { a: 5, b: 2, c: 2 };
    const pick = (first: number, second: number) =>
      pickEndpoint(['a', 'b', 'c'], (name) => active[name] ?? 0, draws(first, second));
    expect(pick(0, 0.5)).toBe('b');
    expect(pick(0.5, 0)).toBe('b');
    expect(pick(0.9, 0.5)).toBe('c');
    expect(pick(0, 0)).toBe('a');
  });

  it('needs no draw for one candidate and answers null for none', () => {
    const never = () => {
      throw new Error('drawn');
    };
    expect(pickEndpoint(['a'], () => 0, never)).toBe('a');
    expect(pickEndpoint([], () => 0, never)).toBeNull();
  });
});
