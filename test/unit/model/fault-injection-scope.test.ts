import { describe, expect, it } from 'vitest';
import { FaultSpec } from '../../../core/model/fault-injection.ts';
import { keptFields } from '../../../core/model/kept-fields.ts';

const issuesOf = (spec: unknown) => {
  const parsed = FaultSpec.safeParse(spec);
  return parsed.success ? [] : parsed.error.issues.map(({ message }) => message);
};

describe('what a fault may be narrowed to', () => {
  it.each([
    { to: 'db', from: 'web', port: 5432, fault: { tcp: { latency: { latency: '1s' } } }, trigger: { every: 2 } },
    { to: 'db', from: 'web', fault: { dns: { nxdomain: {} } }, trigger: { first: 1 } },
    { to: 'db', fault: { workload: { pause: {} } }, trigger: { window: { from: '1s', until: '2s' } } },
    { to: 'db', fault: { workload: { kill: {} } }, schedule: { on: '1s', off: '1s' }, duration: '1m' },
    { to: 'db', fault: { identity: { unknownCa: {} } }, trigger: { first: 3 } },
  ])('takes %j', (spec) => {
    expect(issuesOf(spec)).toEqual([]);
  });

  it.each([
    [{ to: 'db', from: 'web', fault: { workload: { pause: {} } } }, /from and port/],
    [{ to: 'db', port: 80, fault: { identity: { expiredCertificate: {} } } }, /from and port/],
    [{ to: 'db', fault: { workload: { kill: {} } }, trigger: { first: 1 } }, /first and every/],
    [{ to: 'db', fault: { tcp: { refuse: {} } }, trigger: { retriesOnly: true } }, /retriesOnly/],
    [{ to: 'db', fault: { tcp: { refuse: {} } }, route: 'default' }, /route and match/],
    [{ to: 'db', fault: { tcp: { refuse: {}, latency: { latency: '1s' } } } }, /exactly one/],
  ])('refuses %j and says why', (spec, reason) => {
    expect(issuesOf(spec).join('; ')).toMatch(reason);
  });

  it('keeps no kind of fault aside', () => {
    for (const fault of [{ tcp: { refuse: {} } }, { dns: { servfail: {} } }, { workload: { pause: {} } }]) {
      const spec = FaultSpec.parse({ to: 'db', fault });
      const resource = { apiVersion: 'meshdesk.dev/v1alpha1', kind: 'FaultInjection', metadata: { name: 'f' }, spec };
      expect(keptFields(resource as Parameters<typeof keptFields>[0])).toEqual([]);
    }
  });
});
