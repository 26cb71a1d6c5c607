import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  defaultOutlierPolicy,
  type EndpointResult,
  OutlierDetector,
  type OutlierPolicy,
} from '../../../core/policy/outlier-detection.ts';

const status = (code: number): EndpointResult => ({ kind: 'status', status: code });
const lost: EndpointResult = { kind: 'local-origin', connected: false };
const reset: EndpointResult = { kind: 'local-origin', connected: true };

function detector(policy: Partial<OutlierPolicy>, endpoints = ['a', 'b']): OutlierDetector {
  const made = new OutlierDetector({ ...defaultOutlierPolicy, maxEjectionPercent: 100, ...policy });
  made.retain(endpoints);
  return made;
}

describe('outlier detection', () => {
  it('ejects an endpoint after five consecutive 5xx and readmits it after the base ejection time', () => {
    const made = detector({});
    for (let count = 0; count < 4; count += 1) expect(made.record('a', status(500), 0)).toBe(false);
    expect(made.record('a', status(503), 0)).toBe(true);
    expect([made.isEjected('a'), made.isEjected('b')]).toEqual([true, false]);
    made.sweep(29_999);
    expect(made.isEjected('a')).toBe(true);
    made.sweep(30_000);
    expect(made.isEjected('a')).toBe(false);
  });

  it('starts to count anew after an answer that is no error', () => {
    const made = detector({ consecutive5xx: 2 });
    expect(made.record('a', status(500), 0)).toBe(false);
    expect(made.record('a', status(404), 0)).toBe(false);
    expect(made.record('a', status(500), 0)).toBe(false);
    expect(made.record('a', status(500), 0)).toBe(true);
  });

  it('grows the time with each ejection and forgives a step for each healthy sweep', () => {
    const made = detector({ consecutive5xx: 1, baseEjectionMs: 10_000 });
    made.record('a', status(500), 0);
    made.sweep(10_000);
    made.record('a', status(500), 10_000);
    expect(made.healthOf('a')).toEqual({ ejected: true, multiplier: 2, ejectedUntilMs: 30_000 });
    made.sweep(30_000);
    made.sweep(40_000);
    made.sweep(50_000);
    made.record('a', status(500), 50_000);
    expect(made.healthOf('a').ejectedUntilMs).toBe(60_000);
  });

  it('caps the time at five minutes', () => {
    const made = detector({ consecutive5xx: 1, baseEjectionMs: 200_000 });
    made.record('a', status(500), 0);
    made.sweep(200_000);
    made.record('a', status(500), 200_000);
    expect(made.healthOf('a').ejectedUntilMs).toBe(500_000);
  });

  it('counts gateway errors apart, off unless asked for', () => {
    const off = detector({ consecutive5xx: 0 });
    for (let count = 0; count < 20; count += 1) expect(off.record('a', status(502), 0)).toBe(false);
    const on = detector({ consecutive5xx: 0, consecutiveGatewayErrors: 2 });
    expect(on.record('a', status(502), 0)).toBe(false);
    expect(on.record('a', status(500), 0)).toBe(false);
    expect(on.record('a', status(504), 0)).toBe(false);
    expect(on.record('a', status(503), 0)).toBe(true);
  });

  it('begins the run of split failures anew when a connection was made', () => {
    const split = detector({ consecutiveLocalOriginFailures: 2 });
    expect([reset, reset, reset].map((result) => split.record('a', result, 0))).toEqual([false, false, false]);
    expect(split.record('a', lost, 0)).toBe(true);
  });

  it('counts lost connections as 5xx unless they are split off', () => {
    expect(detector({ consecutive5xx: 1 }).record('a', lost, 0)).toBe(true);
    const split = detector({ consecutive5xx: 1, consecutiveLocalOriginFailures: 2 });
    expect(split.record('a', lost, 0)).toBe(false);
    expect(split.record('a', lost, 0)).toBe(true);
  });

  it.each([
    [10, 9, 0],
    [10, 10, 1],
    [10, 25, 2],
    [50, 4, 2],
    [50, 1, 0],
    [100, 3, 3],
    [0, 20, 0],
  ])('with at most %i %% of %i endpoints, ejects %i when all fail', (maxEjectionPercent, count, ejected) => {
    const names = Array.from({ length: count }, (_, index) => `e${index}`);
    const made = detector({ consecutive5xx: 1, maxEjectionPercent }, names);
    for (const name of names) made.record(name, status(500), 0);
    expect(made.ejectedCount).toBe(ejected);
  });

  it('lets a passing health check readmit before the time', () => {
    const made = detector({ consecutive5xx: 1 });
    made.record('a', status(500), 0);
    made.healthCheckPassed('a');
    expect(made.isEjected('a')).toBe(false);
  });

  it('forgets endpoints that are gone', () => {
    const made = detector({ consecutive5xx: 1 });
    made.record('a', status(500), 0);
    made.retain(['b', 'c']);
    expect([made.ejectedCount, made.isEjected('a')]).toEqual([0, false]);
    made.retain(['a', 'b']);
    expect(made.isEjected('a')).toBe(false);
  });

  it('keeps the number of ejected endpoints within the share, whatever happens', () => {
    const step = fc.record({
      endpoint: fc.integer({ min: 0, max: 11 }),
      code: fc.constantFrom(200, 500, 503),
      wait: fc.integer({ min: 0, max: 20_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 0, max: 100 }), (steps, maxEjectionPercent) => {
        const names = Array.from({ length: 12 }, (_, index) => `e${index}`);
        const made = detector({ consecutive5xx: 2, maxEjectionPercent }, names);
        let nowMs = 0;
        for (const { endpoint, code, wait } of steps) {
          nowMs += wait;
          made.sweep(nowMs);
          made.record(`e${endpoint}`, status(code), nowMs);
          const out = names.filter((name) => made.isEjected(name)).length;
          expect(out).toBe(made.ejectedCount);
          expect((100 * out) / 12).toBeLessThanOrEqual(maxEjectionPercent);
        }
      }),
    );
  });
});
