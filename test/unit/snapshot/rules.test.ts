import { describe, expect, it } from 'vitest';
import { configOf, meshOf, routes, serviceIn, shop, versions, workload } from './mesh-of.ts';

const payments = (yaml: string, source = 'web', workloads = shop()) =>
  serviceIn(configOf(meshOf(workloads, yaml), source), 'payments.shop');
const codes = (yaml: string) => meshOf(shop(), yaml).findings.map(({ code }) => code);
const split =
  '[{ route: [{ destination: { host: payments, subset: v1 }, weight: 90 }, { destination: { host: payments, subset: v2 }, weight: 10 }] }]';

describe('routes', () => {
  it('resolve hosts and subsets in the namespace of the rule', () => {
    const service = payments(`${versions}---${routes(split)}`);
    expect(service.routes).toMatchObject([
      {
        name: 'route-1',
        match: [],
        timeoutMs: null,
        destinations: [
          { service: 'payments.shop', subset: 'v1', port: null, weight: 90 },
          { service: 'payments.shop', subset: 'v2', port: null, weight: 10 },
        ],
      },
    ]);
    expect(service.subsets).toEqual([
      { name: 'v1', endpoints: ['payments'] },
      { name: 'v2', endpoints: ['payments-v2'] },
    ]);
    expect(codes(`${versions}---${routes(split)}`)).toEqual([]);
  });

  it('are there for the sidecars that may reach the service only', () => {
    const far = workload({ name: 'far', addresses: [{ network: 'far', ip: '10.9.0.1', aliases: [] }] });
    const config = configOf(meshOf([...shop(), far], `${versions}---${routes(split)}`), 'far');
    expect(config.services.map(({ key }) => key)).toEqual(['far.shop']);
  });

  it.each([
    ['payments.shop.svc.cluster.local', 'other', true],
    ['payments', 'other', false],
    ['*.shop.svc.cluster.local', 'other', true],
    ['*.local', 'other', true],
    ['payments.shop', 'other', true],
  ])('host %s in namespace %s applies: %s', (host, namespace, expected) => {
    const { routes: found } = payments(
      routes(
        '[{ route: [{ destination: { host: payments.shop.svc.cluster.local } }] }]',
        'x',
        namespace,
        `["${host}"]`,
      ),
    );
    expect(found.length > 0).toBe(expected);
  });

  it('give a name to rules without one, and make names unique', () => {
    const to = 'route: [{ destination: { host: payments } }]';
    const { routes: found } = payments(routes(`[{ ${to} }, { name: a, ${to} }, { name: a, ${to} }]`));
    expect(found.map(({ name }) => name)).toEqual(['route-1', 'a', 'a-2']);
  });

  it('have a timeout when one is set, none by default', () => {
    const rule = (timeout: string) =>
      payments(routes(`[{ ${timeout} route: [{ destination: { host: payments } }] }]`)).routes[0]?.timeoutMs;
    expect([rule(''), rule('timeout: 1.5s,')]).toEqual([null, 1_500]);
  });

  it('go to sidecars that sourceLabels, sourceNamespace and gateways select', () => {
    const rule = (match: string, name: string) =>
      `{ name: ${name}, match: [{ ${match} }], route: [{ destination: { host: payments } }] }`;
    const yaml = routes(
      `[${rule('sourceLabels: { app: web }', 'labels')}, ${rule('sourceNamespace: other', 'namespace')}, ${rule('gateways: [edge]', 'edge')}, ${rule('gateways: [edge, mesh]', 'mesh')}]`,
    );
    expect(payments(yaml).routes.map(({ name, match }) => [name, match])).toEqual([
      ['labels', [{}]],
      ['mesh', [{}]],
    ]);
    expect(payments(yaml, 'payments').routes.map(({ name }) => name)).toEqual(['mesh']);
  });

  it('of a resource for gateways only do not apply', () => {
    const gateway = routes(split).replace('hosts: [payments]', 'hosts: [payments], gateways: [edge]');
    expect(payments(gateway).routes).toEqual([]);
  });

  it('of the oldest resource count when two have one host; an exact host beats a wildcard', () => {
    const rule = (name: string) => `[{ name: ${name}, route: [{ destination: { host: payments } }] }]`;
    const two = `${routes(rule('b'), 'b')}---${routes(rule('a'), 'a')}`;
    expect(payments(two).routes.map(({ name }) => name)).toEqual(['a']);
    expect(codes(two)).toContain('CONFLICTING_HOST');
    const wide = `${routes(rule('wide'), 'a', 'shop', '["*.local"]')}---${routes(rule('exact'), 'b')}`;
    expect(payments(wide).routes.map(({ name }) => name)).toEqual(['exact']);
    expect(codes(wide)).not.toContain('CONFLICTING_HOST');
  });

  it('keep destinations that do not exist, with no endpoint to go to (503 UH), and say so', () => {
    const yaml = `${versions}---${routes('[{ route: [{ destination: { host: payments, subset: v9 } }] }, { route: [{ destination: { host: nowhere, subset: v1 } }] }]')}`;
    expect(payments(yaml).subsets).toContainEqual({ name: 'v9', endpoints: [] });
    expect(serviceIn(configOf(meshOf(shop(), yaml), 'web'), 'nowhere.shop')).toMatchObject({
      endpoints: [],
      subsets: [{ name: 'v1', endpoints: [] }],
    });
    expect(codes(yaml)).toEqual(['UNKNOWN_HOST', 'UNKNOWN_SUBSET']);
  });

  it('warn of hosts that Istio would not understand', () => {
    expect(codes(routes('[{ route: [{ destination: { host: payments.shop } }] }]'))).toEqual(['SHORT_HOST']);
  });
});

describe('faults of a route', () => {
  const faultOf = (fault: string) =>
    configOf(
      meshOf(shop(), routes(`[{ name: main, fault: { ${fault} }, route: [{ destination: { host: payments } }] }]`)),
      'web',
    ).faults;

  it('become faults of the caller, delay and abort apart', () => {
    const found = faultOf(
      'delay: { fixedDelay: 2s, percentage: { value: 10 } }, abort: { httpStatus: 503, percentage: { value: 0.5 } }',
    );
    expect(found).toMatchObject([
      { id: 'vs:shop/payments:main:abort', route: 'main', percent: 0.5, action: { kind: 'abort', httpStatus: 503 } },
      {
        id: 'vs:shop/payments:main:delay',
        service: 'payments.shop',
        percent: 10,
        action: { kind: 'delay', delayMs: 2_000 },
      },
    ]);
  });

  it('without a percentage inject nothing', () => {
    expect(faultOf('abort: { httpStatus: 503 }')).toEqual([]);
  });
});

describe('subsets', () => {
  const rule = (name: string, namespace: string, subset: string, more = '') => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: ${namespace} }
spec: { host: payments.shop.svc.cluster.local, subsets: [${subset}]${more} }
`;
  const subset = (name: string, labels: string) => `{ name: ${name}, labels: { ${labels} } }`;
  const other = workload({ name: 'caller', namespace: 'other' });
  const from = (yaml: string, source = 'caller') => payments(yaml, source, [...shop(), other]).subsets;

  it('are looked up in the namespace of the client, then of the service, then in the root namespace', () => {
    const client = rule('c', 'other', subset('x', 'version: v1'));
    const service = rule('s', 'shop', subset('x', 'version: v2'));
    const root = rule('r', 'istio-system', subset('x', ''));
    const endpoints = (yaml: string) => from(yaml)[0]?.endpoints;
    expect(endpoints([client, service, root].join('---'))).toEqual(['payments']);
    expect(endpoints([service, root].join('---'))).toEqual(['payments-v2']);
    expect(endpoints(root)).toEqual(['payments', 'payments-v2']);
    expect(from([client, service].join('---'), 'web')[0]?.endpoints).toEqual(['payments-v2']);
  });

  it('of several rules are merged; the first definition of a name wins', () => {
    const yaml = `${rule('a', 'shop', subset('x', 'version: v1'))}---${rule('b', 'shop', `${subset('x', 'version: v2')}, ${subset('all', 'app: payments')}`)}`;
    expect(from(yaml)).toEqual([
      { name: 'all', endpoints: ['payments', 'payments-v2'] },
      { name: 'x', endpoints: ['payments'] },
    ]);
  });

  it('select by labels of the workload too', () => {
    const yaml = rule('a', 'shop', subset('canary', 'track: canary'));
    const canary = workload({ name: 'payments-c', service: 'payments', labels: { track: 'canary' } });
    expect(payments(yaml, 'web', [...shop(), canary]).subsets).toEqual([{ name: 'canary', endpoints: ['payments-c'] }]);
  });

  it('with tls mode DISABLE make callers use plaintext', () => {
    const yaml = rule('a', 'shop', '', ', trafficPolicy: { tls: { mode: DISABLE } }');
    expect(payments(yaml).endpoints.map(({ mesh }) => mesh)).toEqual([false, false]);
  });
});
