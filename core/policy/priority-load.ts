/**
 * How traffic spreads over priorities (localities in order of preference): Envoy's priority.rst with its overprovisioning
 * factor of 1.4. Priority 0 takes everything as long as 72 % of its endpoints are healthy.
 */
export interface PriorityHealth {
  readonly healthy: number;
  readonly total: number;
}

const overprovisioning = 140;

/** Percent of the traffic for each priority; they sum up to 100, or are all 0 when nothing is healthy. */
export function priorityLoad(priorities: readonly PriorityHealth[]): readonly number[] {
  const health = priorities.map(({ healthy, total }) =>
    total === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * healthy) / total)),
  );
  const sum = Math.min(
    100,
    health.reduce((all, each) => all + each, 0),
  );
  if (sum === 0) return priorities.map(() => 0);
  let left = 100;
  const load = health.map((each) => {
    const share = Math.min(left, Math.floor((each * 100) / sum));
    left -= share;
    return share;
  });
  const first = load.findIndex((share) => share > 0);
  return load.map((share, index) => (index === first ? share + left : share));
}

/**
 * Panic: with too few healthy endpoints, all of them get traffic, the unhealthy ones too.
 * @param thresholdPercent Istio `minHealthPercent`, 0 (never) by default; Envoy alone has 50
 */
export function isPanic({ healthy, total }: PriorityHealth, thresholdPercent: number): boolean {
  return total > 0 && (100 * healthy) / total < thresholdPercent;
}
