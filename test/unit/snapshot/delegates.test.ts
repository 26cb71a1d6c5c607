import { describe, expect, it } from 'vitest';
import { configOf, meshOf, routes, serviceIn, shop } from './mesh-of.ts';

const root = (rules: string) => routes(`[${rules}]`);
const delegate = (rules: string, name = 'd', more = '', namespace = 'shop') => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${more} http: [${rules}] }
`;
const to = 'route: [{ destination: { host: payments } }]';
const compiled = (...yaml: string[]) =>
  serviceIn(configOf(meshOf(shop(), yaml.join('---')), 'web'), 'payments.shop').routes;
const matches = (...yaml: string[]) => compiled(...yaml).map(({ name, match }) => [name, match]);

describe('delegation', () => {
  it("puts the delegate's rules in the place of the root's, names joined, matches and fields inherited", () => {
    const found = compiled(
      root(
        `{ name: api, match: [{ uri: { prefix: /api } }], timeout: 3s, delegate: { name: d } }, { name: rest, ${to} }`,
      ),
      delegate(
        `{ name: v2, match: [{ uri: { prefix: /api/v2 }, method: { exact: GET } }], ${to} }, { ${to}, timeout: 1s }`,
      ),
    );
    expect(found.map(({ name, match, timeoutMs }) => ({ name, match, timeoutMs }))).toEqual([
      { name: 'api-v2', match: [{ uri: { prefix: '/api/v2' }, method: { exact: 'GET' } }], timeoutMs: 3_000 },
      { name: 'api', match: [{ uri: { prefix: '/api' } }], timeoutMs: 1_000 },
      { name: 'rest', match: [], timeoutMs: null },
    ]);
  });

  it.each([
    ['/api', 'prefix: /api/v1', true],
    ['/api', 'exact: /api/x', true],
    ['/api', 'prefix: /other', false],
    ['/api', 'prefix: /ap', false],
    ['/api', 'regex: /api.*', false],
  ])('under the prefix %s a rule for %s stands: %s', (prefix, uri, stands) => {
    const found = matches(
      root(`{ match: [{ uri: { prefix: ${prefix} } }], delegate: { name: d } }`),
      delegate(`{ match: [{ uri: { ${uri} } }], ${to} }`),
    );
    expect(found.length).toBe(stands ? 1 : 0);
  });

  it('drops a whole rule when one of its blocks is outside, and crosses blocks with all of the root that fit', () => {
    const two = root(
      '{ match: [{ headers: { a: { exact: "1" } } }, { headers: { a: { exact: "2" } } }], delegate: { name: d } }',
    );
    expect(matches(two, delegate(`{ match: [{ uri: { prefix: /x } }], ${to} }`))).toEqual([
      [
        'route-1',
        [
          { uri: { prefix: '/x' }, headers: { a: { exact: '1' } } },
          { uri: { prefix: '/x' }, headers: { a: { exact: '2' } } },
        ],
      ],
    ]);
    expect(
      matches(two, delegate(`{ match: [{ uri: { prefix: /x } }, { headers: { a: { exact: "3" } } }], ${to} }`)),
    ).toEqual([]);
  });

  it('is nothing when the delegate is missing, has hosts, or is not exported', () => {
    const rules = root('{ delegate: { name: d } }');
    const own = `{ ${to} }`;
    expect(compiled(rules)).toEqual([]);
    expect(compiled(rules, delegate(own, 'd', 'hosts: [other],'))).toEqual([]);
    expect(
      compiled(root('{ delegate: { name: d, namespace: far } }'), delegate(own, 'd', 'exportTo: ["."],', 'far')),
    ).toEqual([]);
    expect(
      compiled(root('{ delegate: { name: d, namespace: far } }'), delegate(own, 'd', 'exportTo: [shop],', 'far')),
    ).toHaveLength(1);
  });

  it('follows a change of the delegate', () => {
    const rules = root('{ delegate: { name: d } }');
    expect(compiled(rules, delegate(`{ name: a, ${to} }`)).map(({ name }) => name)).toEqual(['a']);
    expect(compiled(rules, delegate(`{ name: b, ${to} }`)).map(({ name }) => name)).toEqual(['b']);
  });
});
