import { describe, expect, it } from 'vitest';
import { configOf, meshOf, routes, serviceIn, shop } from './mesh-of.ts';

const settings = (rateLimits: string) =>
  `apiVersion: meshdesk.dev/v1alpha1\nkind: MeshSettings\nmetadata: { name: mesh, namespace: shop }\nspec: { rateLimits: ${rateLimits} }\n`;

describe('rate limits', () => {
  it('without a route are held by the sidecars of the service', () => {
    const yaml = settings('[{ service: payments, requests: 100, interval: 1m, per: client }]');
    const mesh = meshOf(shop(), yaml);
    expect(configOf(mesh, 'payments').inbound.rateLimits).toEqual([
      { id: 'payments.shop-1', requests: 100, intervalMs: 60_000, burst: 100, per: 'client' },
    ]);
    expect(configOf(mesh, 'web').inbound.rateLimits).toBeUndefined();
  });

  it('of a route are held by the sidecars of the callers', () => {
    const limits = '[{ service: payments.shop, route: api, requests: 5, interval: 1s, burst: 10, header: X-User }]';
    const rules =
      '[{ name: api, match: [{ uri: { prefix: /api } }], route: [{ destination: { host: payments } }] }, { name: rest, route: [{ destination: { host: payments } }] }]';
    const mesh = meshOf(shop(), `${settings(limits)}---\n${routes(rules)}`);
    const [api, rest] = serviceIn(configOf(mesh, 'web'), 'payments.shop').routes;
    expect(api?.rateLimits).toEqual([
      {
        ...{ id: 'payments.shop-api-1', requests: 5, intervalMs: 1_000, burst: 10, per: 'workload' },
        header: 'x-user',
      },
    ]);
    expect(rest?.rateLimits).toBeUndefined();
    expect(configOf(mesh, 'payments').inbound.rateLimits).toBeUndefined();
  });
});
