import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FaultDefinition, readFaultInjection, toFaultInjection } from '../../../core/model/fault-injection.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { printResource } from '../../../core/model/print-resources.ts';

const definition = fc.record<FaultDefinition>({
  id: fc.stringMatching(/^[a-z0-9]{1,10}(-[a-z0-9]{1,5})?$/),
  from: fc.constantFrom(null, 'web.shop', 'web.other'),
  to: fc.constantFrom('orders.shop', 'payments.my_project'),
  route: fc.constantFrom(null, 'split'),
  action: fc.oneof(
    fc.record({ kind: fc.constant('delay' as const), delayMs: fc.integer({ min: 1, max: 3_600_000 }) }),
    fc.record({ kind: fc.constant('abort' as const), httpStatus: fc.integer({ min: 200, max: 599 }) }),
  ),
  percent: fc.constantFrom(0, 0.5, 30, 100),
  durationMs: fc.constantFrom(null, 1, 60_000),
  seed: fc.nat(),
});

describe('FaultInjection', () => {
  it('comes back from its YAML as it was', () => {
    fc.assert(
      fc.property(definition, (fault) => {
        const { resources, findings } = parseResources(printResource(toFaultInjection(fault)), null);
        expect(findings).toEqual([]);
        const [resource] = resources;
        expect(resource?.kind === 'FaultInjection' && readFaultInjection(resource)).toEqual(fault);
      }),
    );
  });

  it('means services of its own namespace by short names, and seeds itself by its name', () => {
    const { resources } = parseResources(
      `apiVersion: meshdesk.dev/v1alpha1
kind: FaultInjection
metadata: { name: slow, namespace: shop }
spec: { from: web, to: orders, fault: { abort: { httpStatus: 503, percentage: { value: 10 } } } }`,
      null,
    );
    const [resource] = resources;
    const fault = resource?.kind === 'FaultInjection' ? readFaultInjection(resource) : null;
    expect(fault).toMatchObject({ from: 'web.shop', to: 'orders.shop', route: null, durationMs: null, percent: 10 });
    expect(fault?.seed).toBeGreaterThan(0);
  });

  it('allows one kind of fault only', () => {
    const { findings } = parseResources(
      `apiVersion: meshdesk.dev/v1alpha1
kind: FaultInjection
metadata: { name: both }
spec: { to: a, fault: { delay: { fixedDelay: 1s, percentage: { value: 1 } }, abort: { httpStatus: 500, percentage: { value: 1 } } } }`,
      null,
    );
    expect(findings).toMatchObject([
      { code: 'INVALID', line: 4, message: expect.stringContaining('exactly one of delay') },
    ]);
  });
});
