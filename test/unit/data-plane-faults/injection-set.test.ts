import { describe, expect, it } from 'vitest';
import { compileInjections, noInjections, onPort } from '../../../core/data-plane/faults/injection-set.ts';
import type { InjectionConfig } from '../../../core/model/injection-config.ts';

function injection(id: string, extra: Partial<InjectionConfig> = {}): InjectionConfig {
  return {
    id,
    service: 'cart.shop',
    port: null,
    route: null,
    match: [],
    action: { kind: 'delay', delay: { kind: 'fixed', ms: 5 } },
    percent: 100,
    trigger: { kind: 'always' },
    schedule: null,
    seed: 7,
    sinceMs: 1_000,
    expiresAtMs: null,
    ...extra,
  };
}

const refuse = { kind: 'tcp-refuse' } as const;

describe('compileInjections', () => {
  it('sorts the faults of a service by what they act on', () => {
    const set = compileInjections([
      injection('slow'),
      injection('refuse', { action: refuse }),
      injection('unknown-name', { action: { kind: 'dns-nxdomain' } }),
      injection('expired', { action: { kind: 'identity-expired' } }),
      injection('other', { service: 'pay.shop' }),
    ]);
    const { http, tcp, dns, identity } = set.of('cart.shop');
    const ids = [http, tcp, dns, identity].map((list) => list.map(({ config }) => config.id));
    expect(ids).toEqual([['slow'], ['refuse'], ['unknown-name'], ['expired']]);
    expect(set.of('pay.shop').http).toHaveLength(1);
  });

  it('gives services without faults one empty list of each', () => {
    const set = compileInjections([injection('slow')]);
    expect(set.of('pay.shop')).toBe(set.of('mail.shop'));
    expect(noInjections.of('pay.shop').http).toEqual([]);
  });

  it('goes on counting over a new configuration that leaves the fault as it is', () => {
    const config = injection('first', { trigger: { kind: 'first', count: 2 } });
    const before = compileInjections([config]);
    expect(before.byId.get('first')?.decide(2_000, 0)).toBe(true);
    const after = compileInjections([structuredClone(config), injection('new')], before);
    const hits = [1, 2, 3].map(() => after.byId.get('first')?.decide(2_000, 0));
    expect(hits).toEqual([true, false, false]);
  });

  it('begins anew when the fault was switched on again', () => {
    const trigger = { kind: 'first', count: 1 } as const;
    const before = compileInjections([injection('first', { trigger })]);
    before.byId.get('first')?.decide(2_000, 0);
    const after = compileInjections([injection('first', { trigger, sinceMs: 3_000 })], before);
    expect(after.byId.get('first')?.decide(4_000, 0)).toBe(true);
  });

  it('keeps the lists of services whose faults are the same', () => {
    const before = compileInjections([injection('slow'), injection('refuse', { action: refuse })]);
    const after = compileInjections(
      [injection('slow'), injection('refuse', { action: refuse }), injection('p', { service: 'pay.shop' })],
      before,
    );
    expect(after.of('cart.shop')).toBe(before.of('cart.shop'));
  });
});

describe('onPort', () => {
  it('leaves out faults of other ports', () => {
    const { http } = compileInjections([injection('all'), injection('eighty', { port: 80 })]).of('cart.shop');
    expect(onPort(http, 80)).toBe(http);
    expect(onPort(http, 81).map(({ config }) => config.id)).toEqual(['all']);
  });
});
