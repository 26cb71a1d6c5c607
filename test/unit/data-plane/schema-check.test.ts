import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toJSONSchema, z } from 'zod';
import { readToSidecar } from '../../../core/data-plane/control/read-messages.ts';
import { compileSchema } from '../../../core/data-plane/control/schema-check.ts';
import { ToSidecar } from '../../../core/model/control-stream.ts';
import { emptyConfig, serviceOf } from '../../support/test-sidecar.ts';

const config = emptyConfig('web', 3, {
  listeners: {
    kind: 'explicit',
    inbound: [{ listen: { host: '127.0.0.1', port: 1 }, target: { host: '127.0.0.1', port: 2 }, port: 80 }],
    outbound: [{ listen: { host: '127.0.0.1', port: 3 }, service: 'orders.shop', port: 80 }],
    httpProxy: null,
  },
  inbound: {
    mtls: 'PERMISSIVE',
    ports: [{ port: 80, protocol: 'http', mtls: 'STRICT', proxyProtocol: { accept: true, send: 'v2' } }],
  },
  services: [
    {
      ...serviceOf('orders', 80, [{ version: 'v1', ports: [{ port: 80, targetPort: 8080 }] }]),
      routes: [
        {
          name: 'beta',
          match: [{ uri: { prefix: '/x' }, headers: { 'x-beta': {}, cookie: { regex: 'a.*' } } }],
          destinations: [{ service: 'orders.shop', subset: null, port: null, weight: 1 }],
          timeoutMs: 10,
        },
      ],
    },
  ],
  faults: [
    {
      id: 'f',
      service: 'orders.shop',
      route: null,
      action: { kind: 'delay', delayMs: 5 },
      percent: 50,
      seed: 1,
      expiresAtMs: null,
    },
  ],
});
const messages: unknown[] = [
  { type: 'push', config },
  { type: 'heartbeat', nowMs: 1.5 },
  { type: 'drain', deadlineMs: 0, tcp: 'keep' },
  { type: 'certificate.issued', id: 'x', chainPem: ['a'], trustBundlePem: ['b'] },
];

/** Every place in a value, as a path. */
function placesOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...entries.flatMap(([name, one]) => placesOf(one, [...path, name]))];
}

/** A copy with the place replaced (`undefined`: taken away), or with an unknown field added there. */
function mutate(value: unknown, path: readonly (string | number)[], by: unknown, isExtra: boolean): unknown {
  const copy = structuredClone({ root: value }) as Record<string, unknown>;
  let at: Record<string | number, unknown> = copy;
  let name: string | number = 'root';
  for (const step of path) {
    at = at[name] as Record<string | number, unknown>;
    name = step;
  }
  const target = at[name];
  if (isExtra && typeof target === 'object' && target !== null && !Array.isArray(target))
    Object.assign(target, { extra: by });
  else if (by === undefined && !Array.isArray(at)) delete at[name];
  else at[name] = by ?? null;
  return copy['root'];
}

describe('messages of the control plane', () => {
  it.each(messages.map((message) => [(message as { type: string }).type, message]))('takes %s', (_type, message) => {
    expect(ToSidecar.safeParse(message).success).toBe(true);
    expect(readToSidecar(message)).toEqual({ value: message });
  });

  it('takes and refuses exactly what the model takes and refuses, whatever is changed, added or taken away', () => {
    const changes = fc.constantFrom(
      undefined,
      null,
      0,
      -1,
      1.5,
      70_000,
      '',
      'http',
      'x',
      true,
      [],
      {},
      [{}],
      Number.NaN,
    );
    let refused = 0;
    fc.assert(
      fc.property(fc.constantFrom(...messages), fc.nat(), changes, fc.boolean(), (message, place, by, isExtra) => {
        const places = placesOf(message);
        const changed = mutate(message, places[place % places.length] ?? [], by, isExtra);
        const wanted = ToSidecar.safeParse(changed).success;
        if (!wanted) refused += 1;
        expect('value' in readToSidecar(changed)).toBe(wanted);
      }),
      { numRuns: 5_000 },
    );
    expect(refused).toBeGreaterThan(1_000);
  });

  it('says where and what', () => {
    expect(readToSidecar({ type: 'push', config: { ...config, revision: -1, more: 1 } })).toEqual({
      issues: 'config.revision: must be at least 0; config.more: is not known',
    });
    expect(readToSidecar({ type: 'nonsense' })).toMatchObject({
      issues: expect.stringMatching(/^: must be one of: type "hello"/),
    });
  });
});

describe('compileSchema', () => {
  const check = (schema: z.ZodType, value: unknown) =>
    compileSchema(toJSONSchema(schema, { io: 'input', reused: 'ref' }))(value).length === 0;

  it.each<[string, z.ZodType, unknown[], unknown[]]>([
    ['text', z.string().min(1).max(2).regex(/^a/), ['a', 'ab'], ['', 'b', 'abc', 1, null]],
    ['numbers', z.number().int().min(1).lt(5), [1, 4], [0, 5, 1.5, '1']],
    ['lists', z.array(z.number()).min(1).max(2), [[1], [1, 2]], [[], [1, 2, 3], ['a'], {}]],
    ['tuples', z.tuple([z.string(), z.number()]), [['a', 1]], [[], ['a'], ['a', 'b'], [1, 1], ['a', 1, 1]]],
    ['records', z.record(z.string().min(2), z.number()), [{}, { ab: 1 }], [{ a: 1 }, { ab: 'x' }, []]],
    ['unions', z.union([z.literal('a'), z.number().nullable()]), ['a', 1, null], ['b', true]],
    ['optional fields', z.strictObject({ a: z.boolean().optional() }), [{}, { a: true }], [{ a: 1 }, { b: 1 }]],
  ])('knows %s', (_name, schema, right, wrong) => {
    for (const value of right) expect(check(schema, value)).toBe(true);
    for (const value of wrong) expect(check(schema, value)).toBe(false);
  });

  it('follows a schema that mentions itself', () => {
    interface Tree {
      children: Tree[];
    }
    const tree: z.ZodType<Tree> = z.lazy(() => z.strictObject({ children: z.array(tree) }));
    expect(check(tree, { children: [{ children: [] }] })).toBe(true);
    expect(check(tree, { children: [{ children: [1] }] })).toBe(false);
  });

  it('fills in what is absent and has a default, anew each time', () => {
    const schema = toJSONSchema(z.strictObject({ list: z.array(z.number()).default([7]) }), { io: 'input' });
    const [first, second]: { list?: number[] }[] = [{}, {}];
    expect([compileSchema(schema)(first), compileSchema(schema)(second)]).toEqual([[], []]);
    expect(first).toEqual({ list: [7] });
    expect(first?.list).not.toBe(second?.list);
  });

  it('refuses a schema that asks for something it does not know', () => {
    expect(() => compileSchema({ type: 'string', contentEncoding: 'base64' })).toThrow('contentEncoding');
  });
});
