import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type LocalityPolicy,
  localityMatches,
  localityShares,
  type PlacedEndpoint,
} from '../../../core/policy/locality.ts';

const endpoint = (locality: string, given: Partial<PlacedEndpoint> = {}): PlacedEndpoint => ({
  locality,
  weight: 1,
  labels: {},
  ...given,
});
const policy = (given: Partial<LocalityPolicy>): LocalityPolicy => ({
  failoverEnabled: true,
  distribute: [],
  failover: [],
  failoverPriority: [],
  ...given,
});
const source = (locality: string, labels = {}) => ({ locality, labels });
const priorities = (
  given: Partial<LocalityPolicy>,
  from: ReturnType<typeof source>,
  endpoints: readonly PlacedEndpoint[],
) => localityShares(policy(given), from, endpoints).map(({ priority }) => priority);

describe('locality', () => {
  it.each([
    ['us/a/1', 'us/*', true],
    ['us/a/1', 'us', true],
    ['us/a/1', 'us/a/*', true],
    ['us/a/1', 'us/b/*', false],
    ['eu/a', 'us/*', false],
    ['us/a', '*', true],
    ['us/a/1', 'us/a/1', true],
    ['us/a', 'us/a/1', false],
    ['us-east/a', 'us-*', true],
  ])('%s fits %s: %s', (locality, pattern, expected) => {
    expect(localityMatches(locality, pattern)).toBe(expected);
  });

  it('prefers the sub-zone, then the zone, then the region, then the rest', () => {
    const endpoints = ['eu/a/1', 'us/b/1', 'us/a/2', 'us/a/1'].map((place) => endpoint(place));
    expect(priorities({}, source('us/a/1'), endpoints)).toEqual([3, 2, 1, 0]);
  });

  it('closes gaps between priorities', () => {
    expect(priorities({}, source('us/a/1'), [endpoint('eu/a/1'), endpoint('us/a/1')])).toEqual([1, 0]);
  });

  it('sends what a region cannot take to the region that failover names, before all others', () => {
    const endpoints = ['us/a', 'eu/a', 'asia/a'].map((place) => endpoint(place));
    expect(priorities({ failover: [{ from: 'us', to: 'asia' }] }, source('us/a'), endpoints)).toEqual([0, 2, 1]);
  });

  it('does nothing for failover without outlier detection', () => {
    const endpoints = ['us/a', 'eu/a'].map((place) => endpoint(place));
    expect(priorities({ failoverEnabled: false }, source('us/a'), endpoints)).toEqual([0, 0]);
  });

  it.each([
    [
      ['region', 'zone', 'version'],
      [0, 1, 2, 3],
    ],
    [['version'], [0, 1, 0, 0]],
    [['version=v2'], [1, 0, 1, 1]],
  ])('by labels %j counts a label only while those before it are equal', (failoverPriority, expected) => {
    const labels = [
      { region: 'us', zone: 'a', version: 'v1' },
      { region: 'us', zone: 'a', version: 'v2' },
      { region: 'us', zone: 'b', version: 'v1' },
      { region: 'eu', zone: 'a', version: 'v1' },
    ];
    const endpoints = labels.map((own) => endpoint('', { labels: own }));
    expect(priorities({ failoverPriority }, source('', labels[0]), endpoints)).toEqual(expected);
  });

  it('distributes by weight among the places that the first fitting entry names; the others get nothing', () => {
    const distribute = [
      { from: 'eu/*', to: { 'eu/*': 100 } },
      { from: 'us/*', to: { 'us/*': 80, 'eu/*': 20 } },
    ];
    const endpoints = [endpoint('us/a', { weight: 3 }), endpoint('us/b'), endpoint('eu/a'), endpoint('asia/a')];
    const shares = localityShares(policy({ distribute }), source('us/a'), endpoints);
    expect(shares.map(({ weight }) => weight)).toEqual([3, 1, 1, 0]);
    expect(shares.map(({ localityWeight }) => localityWeight)).toEqual([60, 20, 20, undefined]);
  });

  it('keeps weights in sum at the percentages that distribute names', () => {
    const places = fc.array(
      fc.record({ locality: fc.constantFrom('us/a', 'us/b', 'eu/a'), weight: fc.integer({ min: 1, max: 9 }) }),
      { minLength: 1, maxLength: 9 },
    );
    fc.assert(
      fc.property(places, fc.integer({ min: 1, max: 99 }), (given, percent) => {
        const distribute = [{ from: '*', to: { 'us/*': percent, 'eu/*': 100 - percent } }];
        const shares = localityShares(
          policy({ distribute }),
          source('us/a'),
          given.map(({ locality, weight }) => endpoint(locality, { weight })),
        );
        const weights = new Map(shares.map(({ locality = '', localityWeight = 0 }) => [locality, localityWeight]));
        const sum = (region: string) =>
          [...weights].reduce((all, [locality, weight]) => all + (locality.startsWith(region) ? weight : 0), 0);
        // Parts of a target are rounded up, as in Istio.
        const near = (value: number, wanted: number) => value >= wanted && value < wanted + 2;
        if (given.some(({ locality }) => locality.startsWith('us'))) expect(near(sum('us'), percent)).toBe(true);
        if (given.some(({ locality }) => locality.startsWith('eu'))) expect(near(sum('eu'), 100 - percent)).toBe(true);
      }),
    );
  });
});
