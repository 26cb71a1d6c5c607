import { describe, expect, it } from 'vitest';
import { compileConfig } from '../../../core/data-plane/http/compiled-config.ts';
import type { ParsedRequest } from '../../../core/data-plane/http/parsed-request.ts';
import { planRoute } from '../../../core/data-plane/http/routing.ts';
import { request } from '../policy/request.ts';
import { configOf, meshOf, routes, shop, versions } from '../snapshot/mesh-of.ts';

const passthrough = versions.replace(
  'subsets:',
  'trafficPolicy: { loadBalancer: { simple: PASSTHROUGH } }\n  subsets:',
);

/** Where a request for payments goes whose connection dialled this address. */
function dialling(yaml: string, host: string | null) {
  const config = configOf(meshOf(shop(), yaml), 'web');
  const view = request({ host: 'payments', headers: { host: 'payments' } });
  const parsed: ParsedRequest = {
    ...view,
    ...{ authority: 'payments', authorityPort: null, rewrittenTarget: null, form: 'origin' },
  };
  const context = {
    ...({ direction: 'outbound', remote: { host: '10.0.0.9', port: 40_000 }, target: null, service: null } as const),
    ...{
      originalDestination: host === null ? null : { host, port: view.port },
      forwardProxy: false,
      peerSpiffeId: null,
    },
  };
  const { plan } = planRoute(context, parsed, compileConfig(config));
  const routing = plan.always ?? plan.choose(parsed, () => 0.5);
  if (routing.kind !== 'forward') throw new Error(`an answer: ${routing.status}`);
  const addresses =
    config.services.find(({ name }) => name === 'payments')?.endpoints.map(({ address }) => address) ?? [];
  return { to: routing.candidates.map(({ endpoint }) => endpoint.address), secured: routing.candidates, addresses };
}

const rule = routes('[{ route: [{ destination: { host: payments } }] }]');

describe.each([
  ['without rules', passthrough],
  ['with a rule', `${passthrough}---${rule}`],
])('PASSTHROUGH, %s', (_, yaml) => {
  it('goes to the endpoint that was dialled, with what is known of it', () => {
    const { addresses } = dialling(yaml, null);
    expect(addresses.length).toBeGreaterThan(1);
    for (const address of addresses) {
      const { to, secured } = dialling(yaml, address);
      expect(to).toEqual([address]);
      expect(secured[0]?.endpoint.id).not.toBe('');
    }
  });

  it('goes to an address that is none of the service’s as well', () => {
    expect(dialling(yaml, '10.99.0.1').to).toEqual(['10.99.0.1']);
  });

  it('balances where nothing was dialled', () => {
    expect(dialling(yaml, null).to).toEqual(dialling(yaml.replace('simple: PASSTHROUGH', ''), '10.99.0.1').to);
  });
});
