import type { FaultConfig } from '../model/sidecar-config.ts';
import { createSeededRandom } from '../shared/random.ts';

/**
 * Decides, request by request, whether a fault applies. One draw per request from the fault's own seed, so that the
 * same sequence of requests is hit in the same places again. 0 % never, 100 % always; from `expiresAtMs` on (control
 * plane's wall clock, exclusive) never. Delay and abort are separate faults and decided independently (Envoy).
 */
export function createFaultDecider(fault: FaultConfig): (nowMs: number) => boolean {
  const { percent, expiresAtMs } = fault;
  if (percent <= 0) return () => false;
  const random = createSeededRandom(fault.seed);
  return (nowMs) => {
    if (expiresAtMs !== null && nowMs >= expiresAtMs) return false;
    return percent >= 100 || random() * 100 < percent;
  };
}
