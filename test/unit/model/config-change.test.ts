import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyConfigChange, toConfigChange } from '../../../core/model/config-change.ts';
import type { ServiceConfig, SidecarConfig } from '../../../core/model/sidecar-config.ts';

function config(
  revision: number,
  ports: Readonly<Record<string, number>>,
  attachedCallers: string[] = [],
): SidecarConfig {
  const services = Object.keys(ports)
    .sort()
    .map((name): ServiceConfig => {
      const port = ports[name] ?? 0;
      return {
        key: `${name}.shop`,
        name,
        namespace: 'shop',
        hosts: [name],
        ports: [{ port, protocol: 'auto' }],
        subsets: [],
        routes: [],
        endpoints: [],
      };
    });
  const workload = { id: 'w', name: 'w', service: 'w', namespace: 'shop', version: null, spiffeId: 'spiffe://x' };
  return {
    formatVersion: 1,
    revision,
    workload,
    trustDomain: 'cluster.local',
    listeners: { kind: 'transparent', outboundPort: 15_001, inboundPort: 15_006 },
    inbound: {
      mtls: revision % 2 === 0 ? 'STRICT' : 'PERMISSIVE',
      ports: [],
      ...(attachedCallers.length === 0 ? {} : { attachedCallers }),
    },
    services,
    faults: [],
  };
}

describe('a change of a configuration', () => {
  it('leads from any configuration to any other', () => {
    const ports = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), fc.integer({ min: 1, max: 3 }));
    const callers = fc.subarray(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    fc.assert(
      fc.property(ports, ports, callers, callers, (before, after, callersBefore, callersAfter) => {
        const [base, next] = [config(1, before, callersBefore), config(2, after, callersAfter)];
        const change = toConfigChange(base, next);
        if (change !== null) expect(applyConfigChange(base, JSON.parse(JSON.stringify(change)))).toEqual(next);
        else expect(next.services.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  it('holds only what differs, and leaves the rest the objects they are', () => {
    const base = config(1, { a: 1, b: 1, c: 1, d: 1 });
    const change = toConfigChange(base, config(2, { a: 1, b: 2, c: 1 }));
    expect(change?.config.services.map(({ key }) => key)).toEqual(['b.shop']);
    expect(change?.removed).toEqual(['d.shop']);
    const applied = change === null ? null : applyConfigChange(base, change);
    expect(applied?.services[0]).toBe(base.services[0]);
    expect(applied?.services[2]).toBe(base.services[2]);
  });

  it('says who calls only when that changed', () => {
    const callers = ['10.0.0.1', '10.0.0.2'];
    const base = config(1, { a: 1, b: 1, c: 1 }, callers);
    const callersIn = (next: SidecarConfig) => toConfigChange(base, next)?.config.inbound.attachedCallers;
    expect(callersIn(config(2, { a: 2, b: 1, c: 1 }, [...callers]))).toBeUndefined();
    expect(callersIn(config(2, { a: 2, b: 1, c: 1 }, ['10.0.0.1']))).toEqual(['10.0.0.1']);
    expect(callersIn(config(2, { a: 2, b: 1, c: 1 }))).toEqual([]);
  });

  it('is not worth it when most services differ', () => {
    expect(toConfigChange(config(1, { a: 1, b: 1 }), config(2, { a: 2, b: 2 }))).toBeNull();
  });
});
