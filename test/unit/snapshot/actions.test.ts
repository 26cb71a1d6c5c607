import { describe, expect, it } from 'vitest';
import { policyOf } from '../../../core/model/traffic-config.ts';
import { configOf, meshOf, routes, serviceIn, shop } from './mesh-of.ts';

const payments = (yaml: string) => serviceIn(configOf(meshOf(shop(), yaml), 'web'), 'payments.shop');

const to = 'route: [{ destination: { host: payments } }]';
const first = (rule: string) => payments(routes(`[{ ${rule} }]`)).routes[0];

describe('actions of a rule', () => {
  it('are Istio’s default retries and no timeout when it says nothing', () => {
    expect(first(to)).toMatchObject({
      timeoutMs: null,
      retries: {
        attempts: 2,
        retryOn: 'connect-failure,refused-stream,unavailable,cancelled',
        perTryTimeoutMs: null,
        backoffBaseMs: 25,
        avoidPreviousHosts: true,
      },
    });
  });

  it.each([
    ['attempts: 0', { attempts: 0 }],
    ['attempts: 3', { attempts: 3, retryOn: 'connect-failure,refused-stream,unavailable,cancelled' }],
    ['attempts: 3, retryOn: "5xx,409", perTryTimeout: 2s', { attempts: 3, retryOn: '5xx,409', perTryTimeoutMs: 2_000 }],
    ['attempts: 1, retryIgnorePreviousHosts: false, backoff: 100ms', { avoidPreviousHosts: false, backoffBaseMs: 100 }],
  ])('retries { %s }', (retries, expected) => {
    expect(first(`retries: { ${retries} }, ${to}`)?.retries).toMatchObject(expected);
  });

  it('redirect, with 301 unless another code is given', () => {
    expect(first('redirect: { uri: /b }')).toMatchObject({ destinations: [], redirect: { status: 301, uri: '/b' } });
    const port = 'redirect: { authority: a.b, redirectCode: 308, derivePort: FROM_REQUEST_PORT, scheme: https }';
    expect(first(port)?.redirect).toEqual({ status: 308, authority: 'a.b', scheme: 'https', port: 'request' });
  });

  it.each([
    ['string: "hëllo €"', 'hëllo €'],
    ['string: ab', 'ab'],
    ['string: abc', 'abc'],
    ['string: "😀"', '😀'],
    ['bytes: aGk=', 'hi'],
  ])('answer directly with { %s }', (body, text) => {
    const answer = first(`directResponse: { status: 503, body: { ${body} } }`)?.directResponse;
    expect(answer).toEqual({ status: 503, body: Buffer.from(text).toString('base64') });
  });

  it('rewrite and change headers, of the rule and of the destination', () => {
    const rule = `rewrite: { uri: /b, authority: other }, headers: { request: { set: { X-A: "1" }, remove: [X-B] } },
      route: [{ destination: { host: payments }, headers: { response: { add: { x-c: "2" } } } }]`;
    expect(first(rule)).toMatchObject({
      rewrite: { uri: '/b', authority: 'other' },
      headers: {
        request: { set: [['x-a', '1']], add: [], remove: ['x-b'] },
        response: { set: [], add: [['x-c', '2']], remove: [] },
      },
    });
  });

  it('mirror all of the traffic unless a share is given', () => {
    expect(first(`mirror: { host: payments, subset: v2 }, ${to}`)?.mirrors).toEqual([
      { service: 'payments.shop', subset: 'v2', port: null, percent: 100 },
    ]);
    expect(first(`mirrors: [{ destination: { host: payments }, percentage: { value: 5 } }], ${to}`)?.mirrors).toEqual([
      { service: 'payments.shop', subset: null, port: null, percent: 5 },
    ]);
  });

  it('answer preflights', () => {
    const cors = 'corsPolicy: { allowOrigins: [{ exact: "https://a" }], allowMethods: [GET, PUT], maxAge: 1m }';
    expect(first(`${cors}, ${to}`)?.cors).toEqual({
      origins: [{ exact: 'https://a' }],
      allowMethods: 'GET,PUT',
      allowHeaders: '',
      exposeHeaders: '',
      maxAgeSeconds: 60,
      allowCredentials: false,
      forwardUnmatchedPreflights: true,
    });
  });
});

const rule = (policy: string, subsets = '') => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: payments, namespace: shop }
spec:
  host: payments
  trafficPolicy: { ${policy} }
  subsets: [${subsets}]
`;

describe('traffic policies', () => {
  it('have Istio’s defaults where the rule says nothing', () => {
    const { policies = [] } = payments(rule('outlierDetection: {}'));
    expect(policyOf(policies, null, 80).outlier).toEqual({
      consecutive5xx: 5,
      consecutiveGatewayErrors: 0,
      consecutiveLocalOriginFailures: null,
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      maxEjectionPercent: 10,
      minHealthPercent: 0,
    });
    expect(payments(rule('loadBalancer: { simple: LEAST_REQUEST }')).policies).toBeUndefined();
  });

  it.each([
    ['loadBalancer: { simple: ROUND_ROBIN }', { loadBalancer: { kind: 'round-robin' } }],
    [
      'loadBalancer: { consistentHash: { httpHeaderName: X-User } }',
      { loadBalancer: { kind: 'hash', key: { kind: 'header', name: 'x-user' }, table: 'ring', size: 1_024 } },
    ],
    [
      'loadBalancer: { consistentHash: { httpCookie: { name: c, ttl: 60s }, maglev: { tableSize: 65537 } } }',
      {
        loadBalancer: {
          kind: 'hash',
          key: { kind: 'cookie', name: 'c', path: '', ttlSeconds: 60 },
          table: 'maglev',
          size: 65_537,
        },
      },
    ],
    [
      'connectionPool: { tcp: { maxConnections: 1, connectTimeout: 2s }, http: { http1MaxPendingRequests: 1, maxRequestsPerConnection: 0 } }',
      { maxConnections: 1, maxPendingRequests: 1, connectTimeoutMs: 2_000 },
    ],
  ])('{ %s }', (policy, expected) => {
    expect(policyOf(payments(rule(policy)).policies ?? [], null, 80)).toEqual(expected);
  });

  it('of a subset take over what they do not say; those of a port take nothing over', () => {
    const own = `loadBalancer: { simple: RANDOM }, connectionPool: { tcp: { maxConnections: 7 } },
      portLevelSettings: [{ port: { number: 81 }, connectionPool: { http: { http2MaxRequests: 3 } } }]`;
    const subset = '{ name: v1, labels: { version: v1 }, trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } } }';
    const { policies = [] } = payments(rule(own, subset));
    expect(policyOf(policies, null, 80)).toEqual({ loadBalancer: { kind: 'random' }, maxConnections: 7 });
    expect(policyOf(policies, 'v1', 80)).toEqual({ loadBalancer: { kind: 'round-robin' }, maxConnections: 7 });
    expect(policyOf(policies, 'v2', 80)).toEqual({ loadBalancer: { kind: 'random' }, maxConnections: 7 });
    expect(policyOf(policies, null, 81)).toEqual({ maxRequests: 3 });
    expect(policyOf(policies, 'v1', 81)).toEqual({ loadBalancer: { kind: 'round-robin' }, maxRequests: 3 });
  });
});
