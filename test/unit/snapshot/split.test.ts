import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { printResources } from '../../../core/model/print-resources.ts';
import { type Resource, toMeshResources } from '../../../core/model/resource.ts';
import { compileRoutes } from '../../../core/policy/match-route.ts';
import { normaliseWeights } from '../../../core/snapshot/routes/weights.ts';
import { readSplit, type Split, toSplitResources, withoutSplit } from '../../../core/snapshot/split.ts';
import { request } from '../policy/request.ts';
import { configOf, meshOf, resourcesOf, routes, serviceIn, shop, versions } from './mesh-of.ts';

const payments = { service: 'payments', namespace: 'shop' };
const split = (given: Partial<Split> = {}): Split => ({
  ...payments,
  versions: ['v1', 'v2'],
  weights: [
    { subset: 'v1', weight: 90 },
    { subset: 'v2', weight: 10 },
  ],
  pins: [],
  ...given,
});
const read = (resources: readonly Resource[]) => readSplit(toMeshResources(resources), payments);
const written = (given: Partial<Split> = {}) => Object.values(toSplitResources(split(given)));

describe('weights', () => {
  it.each([
    [
      [90, 10],
      [90, 10],
    ],
    [
      [1, 1, 1],
      [34, 33, 33],
    ],
    [
      [1, 2],
      [33, 67],
    ],
    [
      [0, 0],
      [50, 50],
    ],
    [
      [0, 5],
      [0, 100],
    ],
    [[7], [100]],
    [[], []],
  ])('%j become %j', (given, expected) => {
    expect(normaliseWeights(given.map((weight) => ({ weight }))).map(({ weight }) => weight)).toEqual(expected);
  });

  it('always sum up to 100, each less than one off its exact share, and stay when they are right', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 12 }), (given) => {
        const weights = normaliseWeights(given.map((weight) => ({ weight }))).map(({ weight }) => weight);
        const sum = given.reduce((total, weight) => total + weight, 0);
        expect(weights.reduce((total, weight) => total + weight, 0)).toBe(100);
        if (sum > 0) {
          for (const [index, weight] of weights.entries()) {
            expect(Math.abs(weight - ((given[index] ?? 0) / sum) * 100)).toBeLessThan(1);
          }
        }
        expect(normaliseWeights(weights.map((weight) => ({ weight }))).map(({ weight }) => weight)).toEqual(weights);
      }),
    );
  });
});

describe('a split as resources', () => {
  it('is a rule per pin, then the weighted rule, and a subset per version, in tidy YAML', () => {
    expect(
      printResources(written({ pins: [{ name: 'X-Beta', value: 'yes', subset: 'v2' }] })),
    ).toBe(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payments
  namespace: shop
spec:
  hosts:
    - payments
  http:
    - name: pin-x-beta-1
      match:
        - headers:
            x-beta:
              exact: "yes"
      route:
        - destination:
            host: payments
            subset: v2
    - name: split
      route:
        - destination:
            host: payments
            subset: v1
          weight: 90
        - destination:
            host: payments
            subset: v2
          weight: 10
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: payments
  namespace: shop
spec:
  host: payments
  subsets:
    - name: v1
      labels:
        version: v1
    - name: v2
      labels:
        version: v2
`);
  });

  it('routes as it says', () => {
    const snapshot = meshOf(shop(), printResources(written({ pins: [{ name: 'beta', value: '1', subset: 'v2' }] })));
    const service = serviceIn(configOf(snapshot, 'web'), 'payments.shop');
    const find = compileRoutes(service.routes);
    expect(find(request({ headers: { beta: '1' } }))?.destinations).toMatchObject([{ subset: 'v2' }]);
    expect(find(request({ headers: { beta: '2' } }))?.destinations).toMatchObject([{ weight: 90 }, { weight: 10 }]);
    expect(snapshot.findings).toEqual([]);
  });

  it('gives versions that are no DNS labels a subset name that is one', () => {
    const odd = ['1.2', '1-2', 'Latest'];
    const resources = written({ versions: odd, weights: odd.map((subset) => ({ subset, weight: 1 })) });
    expect(resources[1]?.spec).toMatchObject({
      subsets: [
        { name: '1-2', labels: { version: '1.2' } },
        { name: '1-2-2', labels: { version: '1-2' } },
        { name: 'latest', labels: { version: 'Latest' } },
      ],
    });
    expect(read(resources).weights.map(({ subset }) => subset)).toEqual(odd);
  });

  it('comes back as it was, through YAML too', () => {
    const version = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9.-]{0,6}[A-Za-z0-9]$/);
    const any = fc.uniqueArray(version, { minLength: 1, maxLength: 4 }).chain((names) =>
      fc.record({
        versions: fc.constant(names),
        weights: fc
          .array(fc.nat(100), { minLength: names.length, maxLength: names.length })
          .map((weights) => normaliseWeights(names.map((subset, index) => ({ subset, weight: weights[index] ?? 0 })))),
        pins: fc.array(
          fc.record({
            name: fc.stringMatching(/^[a-z][a-z-]{0,8}$/),
            value: fc.string(),
            subset: fc.constantFrom(...names),
          }),
          { maxLength: 3 },
        ),
      }),
    );
    fc.assert(
      fc.property(any, (given) => {
        const resources = written(given);
        const parsed = parseResources(printResources(resources), null);
        // Two equal pins make the second one idle, and that is said; nothing is refused.
        expect(parsed.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
        expect(parsed.resources).toEqual(resources);
        const found = read(parsed.resources);
        expect({ weights: found.weights, pins: found.pins }).toEqual({ weights: given.weights, pins: given.pins });
      }),
      { examples: [[{ versions: ['oN'], weights: [{ subset: 'oN', weight: 100 }], pins: [] }]] },
    );
  });
});

describe('editing a split', () => {
  const mine = resourcesOf(
    `${routes('[{ name: api, match: [{ uri: { prefix: /api } }], route: [{ destination: { host: payments } }] }, { name: all, timeout: 2s, route: [{ destination: { host: payments } }] }]', 'my-rules')}---${versions.replace('subsets:', 'trafficPolicy: { loadBalancer: { simple: RANDOM } }\n  subsets:')}`,
  );

  it('keeps the names, other rules, timeouts and policies that are there', () => {
    const { virtualService, destinationRule } = toSplitResources(
      split({ pins: [{ name: 'a', value: '1', subset: 'v2' }] }),
      read(mine),
    );
    expect(virtualService.metadata.name).toBe('my-rules');
    expect(virtualService.spec.http?.map(({ name, timeout }) => [name, timeout])).toEqual([
      ['pin-a-1', undefined],
      ['api', undefined],
      ['split', '2s'],
    ]);
    expect(destinationRule.spec).toMatchObject({ trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } });
    expect(destinationRule.spec.subsets).toHaveLength(2);
    const again = toSplitResources(split(), read([virtualService, destinationRule]));
    expect(again.virtualService.spec.http?.map(({ name }) => name)).toEqual(['api', 'split']);
  });

  it('and taking it away leaves what was not the split', () => {
    const { virtualService, destinationRule } = toSplitResources(split(), read(mine));
    const left = withoutSplit({ virtualService, destinationRule });
    expect(left.virtualService?.spec.http).toEqual([
      { name: 'api', match: [{ uri: { prefix: '/api' } }], route: [{ destination: { host: 'payments' } }] },
      { name: 'default', timeout: '2s', route: [{ destination: { host: 'payments' } }] },
    ]);
    expect(left.destinationRule).not.toBeNull();
  });

  it('leaves a VirtualService for several hosts alone', () => {
    const wide = read(
      resourcesOf(
        routes('[{ timeout: 2s, route: [{ destination: { host: payments } }] }]', 'wide', 'shop', '["*.local"]'),
      ),
    );
    expect(toSplitResources(split(), wide).virtualService).toMatchObject({
      metadata: { name: 'payments' },
      spec: { hosts: ['payments'] },
    });
    expect(withoutSplit(wide)).toBe(wide);
  });

  it('and taking it away leaves nothing when there was nothing else', () => {
    expect(withoutSplit(toSplitResources(split()))).toEqual({ virtualService: null, destinationRule: null });
    expect(withoutSplit({ virtualService: null, destinationRule: null })).toEqual({
      virtualService: null,
      destinationRule: null,
    });
  });
});

describe('reading a split', () => {
  it('finds none where there is none', () => {
    expect(read([])).toEqual({ virtualService: null, destinationRule: null, weights: [], pins: [], routes: [] });
  });

  it('says what each rule matches and where it sends how much', () => {
    const rule =
      '{ match: [{ headers: { a: { exact: "1" } } }], timeout: 1s, route: [{ destination: { host: payments, subset: v2 } }] }';
    const weighted =
      '{ route: [{ destination: { host: payments, subset: v1 }, weight: 1 }, { destination: { host: payments, subset: v2 }, weight: 3 }] }';
    const found = read(resourcesOf(`${versions}---${routes(`[${rule}, ${weighted}]`)}`));
    expect(found.pins).toEqual([]);
    expect(found.weights).toEqual([
      { subset: 'v1', weight: 25 },
      { subset: 'v2', weight: 75 },
    ]);
    expect(found.routes).toEqual([
      { name: 'route-1', match: 'header a = "1"', destinations: [{ subset: 'v2', percent: 100 }] },
      {
        name: 'route-2',
        match: 'every request',
        destinations: [
          { subset: 'v1', percent: 25 },
          { subset: 'v2', percent: 75 },
        ],
      },
    ]);
  });
});
