import { describe, expect, it } from 'vitest';
import type { FaultConfig } from '../../../core/model/sidecar-config.ts';
import { createFaultDecider } from '../../../core/policy/decide-fault.ts';

const fault = (percent: number, given: Partial<FaultConfig> = {}): FaultConfig => ({
  id: 'f',
  service: 'a.b',
  route: null,
  action: { kind: 'abort', httpStatus: 503 },
  percent,
  seed: 7,
  expiresAtMs: null,
  ...given,
});
const hits = (config: FaultConfig, requests: number, nowMs = 0): boolean[] => {
  const decide = createFaultDecider(config);
  return Array.from({ length: requests }, () => decide(nowMs));
};

describe('deciding a fault', () => {
  it.each([
    [0, 0],
    [100, 10_000],
  ])('at %d %% hits %d of 10,000', (percent, expected) => {
    expect(hits(fault(percent), 10_000).filter(Boolean)).toHaveLength(expected);
  });

  it.each([1, 10, 30, 99.5])('at %d %% hits about that share', (percent) => {
    const share = hits(fault(percent), 20_000).filter(Boolean).length / 20_000;
    expect(Math.abs(share - percent / 100)).toBeLessThan(6 * Math.sqrt(0.25 / 20_000));
  });

  it('hits the same requests again with the same seed, others with another', () => {
    expect(hits(fault(30), 200)).toEqual(hits(fault(30), 200));
    expect(hits(fault(30), 200)).not.toEqual(hits(fault(30, { seed: 8 }), 200));
  });

  it('ends at the moment it expires', () => {
    const decide = createFaultDecider(fault(100, { expiresAtMs: 1_000 }));
    expect([decide(999), decide(1_000), decide(5_000)]).toEqual([true, false, false]);
  });
});
