import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DelayDistribution, InjectionConfig } from '../../../core/model/injection-config.ts';
import { createInjectionDecider, drawDelayMs, isInForce } from '../../../core/policy/decide-injection.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';

const injection = (given: Partial<InjectionConfig> = {}): InjectionConfig => ({
  id: 'f',
  service: 'a.b',
  port: null,
  route: null,
  match: [],
  action: { kind: 'tcp-refuse' },
  percent: 100,
  trigger: { kind: 'always' },
  schedule: null,
  seed: 1,
  sinceMs: 1_000,
  expiresAtMs: null,
  ...given,
});
const hits = (given: Partial<InjectionConfig>, count: number, attempt = 0) => {
  const decide = createInjectionDecider(injection(given));
  return Array.from({ length: count }, () => decide({ nowMs: 1_000, attempt }));
};

describe('an injection', () => {
  it('hits all at 100 %, none at 0 %, and its share in between, the same ones again', () => {
    expect(hits({}, 50).every(Boolean)).toBe(true);
    expect(hits({ percent: 0 }, 50).some(Boolean)).toBe(false);
    const half = hits({ percent: 30 }, 10_000);
    expect(half.filter(Boolean).length / 10_000).toBeCloseTo(0.3, 1);
    expect(hits({ percent: 30 }, 10_000)).toEqual(half);
  });

  it.each<[string, Partial<InjectionConfig>, number, string]>([
    ['the first two', { trigger: { kind: 'first', count: 2 } }, 0, '11000'],
    ['every second one', { trigger: { kind: 'every', count: 2 } }, 0, '01010'],
    ['no first tries', { trigger: { kind: 'retries' } }, 0, '00000'],
    ['repetitions', { trigger: { kind: 'retries' } }, 1, '11111'],
  ])('can be for %s', (_what, given, attempt, expected) => {
    expect(hits(given, 5, attempt).map(Number).join('')).toBe(expected);
  });

  it.each<[string, Partial<InjectionConfig>, readonly number[], readonly number[]]>([
    ['until it expires', { expiresAtMs: 2_000 }, [1_000, 1_999], [2_000, 9_000]],
    [
      'within its window',
      { trigger: { kind: 'window', fromMs: 500, untilMs: 1_000 } },
      [1_500, 1_999],
      [1_000, 1_499, 2_000],
    ],
    [
      'in turns',
      { schedule: { startAfterMs: 100, onMs: 10, offMs: 90 } },
      [1_100, 1_109, 1_200],
      [1_000, 1_099, 1_110, 1_199],
    ],
  ])('is in force %s', (_what, given, on, off) => {
    expect(on.every((nowMs) => isInForce(injection(given), nowMs))).toBe(true);
    expect(off.some((nowMs) => isInForce(injection(given), nowMs))).toBe(false);
  });
});

describe('delays', () => {
  const draws = (delay: DelayDistribution) => {
    const random = createSeededRandom(7);
    return Array.from({ length: 20_000 }, () => drawDelayMs(delay, random)).sort((a, b) => a - b);
  };
  const at = (sorted: readonly number[], percentile: number) =>
    sorted[Math.floor((sorted.length * percentile) / 100)] ?? 0;

  it('are drawn as their distribution says', () => {
    expect(at(draws({ kind: 'fixed', ms: 5 }), 99)).toBe(5);
    const uniform = draws({ kind: 'uniform', minMs: 10, maxMs: 20 });
    expect([uniform[0], uniform.at(-1)].map((ms) => Math.round(ms ?? 0))).toEqual([10, 20]);
    const normal = draws({ kind: 'normal', meanMs: 100, deviationMs: 10 });
    expect(at(normal, 50)).toBeGreaterThan(99);
    expect(at(normal, 84) - at(normal, 50)).toBeCloseTo(10, 0);
    const points = [
      { percentile: 50, ms: 10 },
      { percentile: 90, ms: 100 },
      { percentile: 99, ms: 1_000 },
    ];
    const measured = draws({ kind: 'percentiles', points });
    expect([50, 89].map((percentile) => Math.round(at(measured, percentile) / 10) * 10)).toEqual([10, 100]);
    expect(measured.at(-1)).toBe(1_000);
  });

  it('are never negative', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 50 }),
        fc.integer({ min: 0, max: 500 }),
        fc.integer(),
        (meanMs, deviationMs, seed) => {
          const random = createSeededRandom(seed);
          expect(drawDelayMs({ kind: 'normal', meanMs, deviationMs }, random)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });
});
