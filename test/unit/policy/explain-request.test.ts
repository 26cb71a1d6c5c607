import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainRequest } from '../../../core/policy/explain-request.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { configOf, injection, meshOf, routes, shop, versions } from '../snapshot/mesh-of.ts';
import { request } from './request.ts';

const config = (rules: string, more = '', injections = [] as ReturnType<typeof injection>[]) =>
  configOf(meshOf(shop(), `${versions}---${rules === '' ? '' : routes(rules)}${more}`, { injections }), 'web');
const explain = (
  rules: string,
  given: Parameters<typeof request>[0] = {},
  more = '',
  faults = [] as ReturnType<typeof injection>[],
) => explainRequest(config(rules, more, faults), request(given), createSeededRandom(1));
const to = 'route: [{ destination: { host: payments } }]';

describe('the explanation of a request', () => {
  it('says which rules were tried, why they did not match, and which one did', () => {
    const rules = `[{ name: beta, match: [{ headers: { x-beta: { exact: "1" } } }], ${to} }, { name: api, match: [{ uri: { prefix: /api } }], ${to} }, { name: rest, ${to} }]`;
    expect(explain(rules, { path: '/api/x' })).toMatchObject({
      service: 'payments.shop',
      route: 'api',
      routes: [
        { route: 'beta', outcome: 'did not match', reasons: ['header x-beta = "1": the request has absent'] },
        { route: 'api', outcome: 'matched', reasons: ['path begins with "/api"'] },
        { route: 'rest', outcome: 'not reached' },
      ],
    });
  });

  it('names the destination drawn, its share, endpoints and policy, time limits and retries', () => {
    const rules =
      '[{ timeout: 5s, retries: { attempts: 3, perTryTimeout: 1s, retryOn: 5xx }, route: [{ destination: { host: payments, subset: v1 }, weight: 0 }, { destination: { host: payments, subset: v2 }, weight: 7 }] }]';
    expect(explain(rules)).toMatchObject({
      outcome: {
        kind: 'forward',
        destination: {
          service: 'payments.shop',
          subset: 'v2',
          share: 100,
          endpoints: [{ id: 'payments-v2', priority: 0 }],
        },
      },
      timeoutMs: 5_000,
      retries: { attempts: 3, perTryTimeoutMs: 1_000, retryOn: '5xx' },
    });
  });

  it('shows path and authority as the upstream sees them, and mirrors', () => {
    const rules = `[{ match: [{ uri: { prefix: /api/ } }], rewrite: { uri: /, authority: inner }, mirror: { host: payments, subset: v2 }, mirrorPercentage: { value: 10 }, ${to} }]`;
    expect(explain(rules, { path: '/api/x' })).toMatchObject({
      path: '/x',
      authority: 'inner',
      mirrors: ['10 % to payments.shop (v2)'],
    });
    const regex = `[{ rewrite: { uriRegexRewrite: { match: "^/a/([^/]+)", rewrite: "/b/\\\\1" } }, ${to} }]`;
    expect(explain(regex, { path: '/a/1/c' }).path).toBe('/b/1/c');
  });

  it.each([
    [
      '[{ match: [{ uri: { exact: /a } }], route: [{ destination: { host: payments } }] }]',
      { status: 404, flag: 'NR' },
    ],
    [
      '[{ route: [{ destination: { host: payments, subset: v9 } }] }]',
      { status: 503, flag: 'UH', why: 'subset "v9" of payments.shop has no endpoint' },
    ],
    ['[{ route: [{ destination: { host: nowhere } }] }]', { status: 503, flag: 'UH' }],
    ['[{ directResponse: { status: 418 } }]', { status: 418, flag: '' }],
    ['[{ redirect: { uri: /b, scheme: https } }]', { status: 301, location: 'https://payments/b?q=1' }],
  ])('%s is answered by the sidecar', (rules, expected) => {
    expect(explain(rules, { path: '/x', query: 'q=1' }).outcome).toMatchObject({ kind: 'answer', ...expected });
  });

  it('of a service without rules is what its host name stands for; of another host, straight on or refused', () => {
    expect(explain('').outcome).toMatchObject({ kind: 'forward', destination: { endpoints: [{ id: 'payments' }] } });
    const full = explain('', { host: 'payments.shop.svc.cluster.local' });
    expect(full.outcome).toMatchObject({ kind: 'forward', destination: { endpoints: [{}, {}] } });
    expect(full.retries).toMatchObject({ attempts: 2 });
    expect(explain('', { host: 'example.com' }).outcome).toEqual({ kind: 'outside', allowed: true });
    const closed =
      'apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: s, namespace: shop }\nspec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY } }\n';
    expect(explain('', { host: 'example.com' }, `\n${closed}`).outcome).toEqual({ kind: 'outside', allowed: false });
  });

  it('chooses by hash as the sidecar does, and says so when the request has no key', () => {
    const sticky = `\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: sticky, namespace: shop }\nspec: { host: payments, trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user } } } }\n`;
    const of = (header?: string, seed = 1) => {
      const given = {
        host: 'payments.shop.svc.cluster.local',
        headers: header === undefined ? {} : { 'x-user': header },
      };
      const { outcome } = explainRequest(config(`[{ ${to} }]`, sticky), request(given), createSeededRandom(seed));
      return outcome.kind === 'forward' ? outcome.destination : null;
    };
    expect(of('alice')?.chosenBy).toBe('hash of header x-user (ring)');
    expect(new Set([1, 2, 3, 4, 5].map((seed) => of('alice', seed)?.chosen)).size).toBe(1);
    expect(new Set(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((user) => of(user)?.chosen)).size).toBe(2);
    expect(of()?.chosenBy).toBe('hash: the request has no header x-user, so any one');
  });

  it('of a request that happened is of the endpoint that it went to, whatever a draw would say', () => {
    const rules =
      '[{ route: [{ destination: { host: payments, subset: v1 }, weight: 99 }, { destination: { host: payments, subset: v2 }, weight: 1 }] }]';
    const hints = { service: 'payments.shop', endpoint: 'payments-v2' };
    const explained = explainRequest(config(rules), request({ host: '127.0.0.1' }), createSeededRandom(1), hints);
    expect(explained).toMatchObject({
      outcome: { kind: 'forward', destination: { subset: 'v2', share: 1, chosen: 'payments-v2' } },
      draw: [
        { subset: 'v1', share: 99 },
        { subset: 'v2', share: 1 },
      ],
    });
  });

  it('of the application’s own TLS is the connection as a whole, which no rule of http touches', () => {
    const explained = explain(`[{ directResponse: { status: 418 } }]`, { scheme: 'https', port: 443 });
    expect(explained).toMatchObject({
      routes: [],
      outcome: { kind: 'connection', route: null, destination: { endpoints: [{ port: 443 }] } },
    });
  });

  it('lists the faults in scope', () => {
    const rules = `[{ name: api, match: [{ uri: { prefix: /api } }], ${to} }, { name: rest, ${to} }]`;
    const faults = [
      injection({ id: 'a', to: 'payments.shop', route: 'api' }),
      injection({ id: 'b', to: 'payments.shop' }),
    ];
    expect(explain(rules, { path: '/api' }, '', faults).faults.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(explain(rules, {}, '', faults).faults).toEqual([{ id: 'b', kind: 'delay', percent: 30 }]);
  });

  it('goes by wildcards and addresses as the sidecar does, and by the address that was dialled where nothing resolves', () => {
    const entry = (spec: string) =>
      `\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: e, namespace: shop }\nspec: { ports: [{ number: 80, name: http, protocol: HTTP }], ${spec} }\n`;
    const wide = explain('', { host: 'a.example.com' }, entry('hosts: ["*.example.com"], resolution: NONE'));
    expect(wide).toMatchObject({
      service: '*.example.com',
      outcome: { kind: 'forward', destination: { endpoints: [{ name: 'the address that was dialled' }] } },
    });
    const dialled = entry(
      'hosts: [db.example.com], addresses: [10.9.9.9], resolution: STATIC, endpoints: [{ address: 10.1.1.1 }]',
    );
    expect(explain('', { host: '10.9.9.9' }, dialled)).toMatchObject({ service: 'db.example.com' });
  });

  it('at a gateway goes by port, server and virtual host', () => {
    const behind = config(`[{ name: only, match: [{ uri: { prefix: /pay } }], ${to} }]`);
    const tls = { mode: 'simple' as const, certificates: [] };
    const host = { domain: 'shop.example.com', service: 'payments.shop' };
    const gateway = {
      ...behind,
      gateway: {
        ports: [
          {
            port: 80,
            servers: [
              {
                id: 'a',
                protocol: 'http' as const,
                names: [],
                hosts: [host, { domain: 'old.example.com', service: null, httpsRedirect: true }],
              },
            ],
          },
          {
            port: 443,
            servers: [{ id: 'b', protocol: 'http' as const, tls, names: ['*.example.com'], hosts: [host] }],
          },
        ],
        certificates: [],
      },
    };
    const at = (given: Parameters<typeof request>[0]) =>
      explainRequest(gateway, request({ host: 'shop.example.com', path: '/pay', ...given }), createSeededRandom(1));
    expect(at({})).toMatchObject({ route: 'only', outcome: { kind: 'forward' } });
    expect(at({ path: '/x' }).outcome).toMatchObject({ status: 404, flag: 'NR' });
    expect(at({ scheme: 'https', port: 443 })).toMatchObject({ route: 'only' });
    expect(at({ scheme: 'https', port: 443, host: 'else.org' }).outcome).toMatchObject({ kind: 'closed' });
    expect(at({ port: 8080 }).outcome).toMatchObject({ kind: 'closed' });
    expect(at({ port: 443 }).outcome).toMatchObject({ kind: 'closed', why: 'port 443 takes TLS only' });
    expect(at({ host: 'old.example.com', query: 'a=1' }).outcome).toMatchObject({
      status: 301,
      location: 'https://old.example.com/pay?a=1',
    });
    expect(at({ host: 'nobody.example.com' }).outcome).toMatchObject({ status: 404, flag: 'NR' });
  });

  it('lists an injection only for requests that meet its port and conditions', () => {
    const made = config(`[{ name: rest, ${to} }]`);
    const injection = {
      ...{ id: 'i', service: 'payments.shop', port: 80, route: null, percent: 50, seed: 1 },
      match: [{ headers: { 'x-user': { exact: 'alice' } } }],
      action: { kind: 'truncate' as const, afterBytes: 10 },
      ...{ trigger: { kind: 'always' as const }, schedule: null, sinceMs: 0, expiresAtMs: null },
    };
    const faultsAt = (given: Parameters<typeof request>[0]) =>
      explainRequest({ ...made, injections: [injection] }, request(given), createSeededRandom(1)).faults;
    expect(faultsAt({ headers: { 'x-user': 'alice' } })).toEqual([{ id: 'i', kind: 'truncate', percent: 50 }]);
    expect(faultsAt({ headers: { 'x-user': 'bob' } })).toEqual([]);
    expect(faultsAt({ headers: { 'x-user': 'alice' }, port: 8080 })).toEqual([]);
  });

  it('never fails, and names a route exactly when one matched', () => {
    const made = config(
      `[{ name: a, match: [{ uri: { prefix: /a } }], ${to} }, { name: b, match: [{ uri: { regex: "/b.*" } }], redirect: { uri: /c } }]`,
    );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', '/', '%2e', '.', '?'), { maxLength: 8 }),
        fc.integer(),
        (parts, seed) => {
          const explained = explainRequest(made, request({ path: `/${parts.join('')}` }), createSeededRandom(seed));
          expect(explained.routes.some(({ outcome }) => outcome === 'matched')).toBe(explained.route !== null);
        },
      ),
    );
  });
});
