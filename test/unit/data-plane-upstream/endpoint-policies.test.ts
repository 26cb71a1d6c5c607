/** What a policy makes of the endpoints of a service, subset by subset and port by port. */
import { describe, expect, it } from 'vitest';
import { compileConfig } from '../../../core/data-plane/http/compiled-config.ts';
import type { ServiceConfig, SidecarConfig } from '../../../core/model/sidecar-config.ts';
import type { PolicyEntry } from '../../../core/model/traffic-config.ts';
import { emptyConfig, serviceOf } from '../../support/test-sidecar.ts';

const orders: ServiceConfig = {
  ...serviceOf('orders', 80, [{ mesh: true }, { mesh: true }], 'http'),
  subsets: [{ name: 'v1', endpoints: ['orders-0'] }],
};

function compile(policies: PolicyEntry[], more: Partial<SidecarConfig> = {}, service: Partial<ServiceConfig> = {}) {
  const compiled = compileConfig(emptyConfig('web', 1, { services: [{ ...orders, policies, ...service }], ...more }));
  const found = compiled.serviceByKey('orders.shop');
  if (found === null) throw new Error('no service');
  return found;
}

const forAll = (policy: PolicyEntry['policy']): PolicyEntry => ({ subset: null, port: null, policy });

describe('an endpoint of the mesh', () => {
  it('is as without a policy when the policy says nothing of connections', () => {
    const [plain] = compile([]).endpoints(null, 80);
    const [balanced] = compile([forAll({ loadBalancer: { kind: 'random' }, maxConnections: 3 })]).endpoints(null, 80);
    expect(balanced).toEqual(plain);
    expect(plain?.target.tls).toMatchObject({ serverName: 'orders' });
  });

  it('gets plaintext or TLS of the rule where the rule says so, and is shown so', () => {
    const service = compile([
      forAll({}),
      { subset: 'v1', port: null, policy: { plaintext: true } },
      { subset: null, port: 443, policy: { tls: { names: 'host' } } },
    ]);
    expect(service.endpoints(null, 80)[0]).toMatchObject({ edge: { mtls: true } });
    const [plain] = service.endpoints('v1', 80);
    expect([plain?.target.tls, plain?.edge.mtls, plain?.edge.peerSpiffeId]).toEqual([null, false, null]);
    const [secure] = service.endpoints(null, 443);
    expect(secure?.target).toMatchObject({
      tls: null,
      dial: { originate: { host: 'orders', config: { names: 'host' } } },
    });
  });

  it('shares no connections with one under another policy, and stays one endpoint for balancing', () => {
    const service = compile([forAll({}), { subset: 'v1', port: null, policy: { connectTimeoutMs: 5 } }]);
    const [all] = service.endpoints(null, 80);
    const [own] = service.endpoints('v1', 80);
    expect(own?.poolKey).not.toBe(all?.poolKey ?? all?.key);
    expect(own?.key).toBe(all?.key);
  });

  it('is spoken to in the version that the policy says', () => {
    const speaks = (policy: PolicyEntry['policy']) => compile([forAll(policy)]).endpoints(null, 80)[0]?.speaks;
    expect([speaks({}), speaks({ httpVersion: 'http/2' }), speaks({ httpVersion: 'client' })]).toEqual([
      'http/1.1',
      'http/2',
      undefined,
    ]);
  });

  it('has the share of its subset, else of the service', () => {
    const share = (endpoint: string, priority: number) => ({ endpoint, priority, weight: 1 });
    const service = compile(
      [forAll({}), { subset: 'v1', port: null, policy: {}, shares: [] }],
      {},
      {
        shares: [share('orders-0', 1), share('orders-1', 0)],
      },
    );
    expect(service.endpoints(null, 80).map((endpoint) => endpoint.share?.priority)).toEqual([1, 0]);
    expect(service.endpoints('v1', 80).map((endpoint) => endpoint.share)).toEqual([undefined]);
  });

  it('is another one for connections when a file of its policy changes', () => {
    const policies = [forAll({ tls: { names: 'host', caFile: 'ca.pem' } })];
    const keyWith = (text: string) =>
      compile(policies, { files: [{ name: 'ca.pem', text }] }).endpoints(null, 80)[0]?.poolKey;
    expect(keyWith('one')).toBe(keyWith('one'));
    expect(keyWith('one')).not.toBe(keyWith('two'));
    expect(keyWith('one')).not.toContain('one');
  });
});
