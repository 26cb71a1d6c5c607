/**
 * How traffic spreads over priorities (localities in order of preference): Envoy's priority.rst with its overprovisioning
 * factor of 1.4. Priority 0 takes everything as long as 72 % of its endpoints are healthy.
 */
export interface PriorityHealth {
  readonly healthy: number;
  readonly total: number;
}

const overprovisioning = 140;

/** Percent of what a priority could take that it can take. */
function availability({ healthy, total }: PriorityHealth): number {
  return total === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * healthy) / total));
}

/** Percent of the traffic for each priority; they sum up to 100, or are all 0 when nothing is healthy. */
export function priorityLoad(priorities: readonly PriorityHealth[]): readonly number[] {
  const health = priorities.map(availability);
  const sum = sumOfAvailability(health);
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

function sumOfAvailability(health: readonly number[]): number {
  return Math.min(
    100,
    health.reduce((all, each) => all + each, 0),
  );
}

export interface PriorityPlan {
  /** Percent of the traffic for each priority; all 0: nobody may get any. */
  readonly load: readonly number[];
  /** Priorities in which all endpoints get traffic, the unhealthy ones too. */
  readonly panic: readonly boolean[];
}

/**
 * Load and panic of all priorities. There is no panic as long as the priorities together can take everything; when all of
 * them panic, each gets traffic by the number of its endpoints. Source: Envoy load_balancer_impl.cc.
 * @param thresholdPercent Istio `minHealthPercent`; 0: never
 */
export function planPriorities(priorities: readonly PriorityHealth[], thresholdPercent: number): PriorityPlan {
  const load = priorityLoad(priorities);
  const isEnough = sumOfAvailability(priorities.map(availability)) === 100;
  const panic = priorities.map((each) => !isEnough && isPanic(each, thresholdPercent));
  if (priorities.length === 0 || !panic.every((each) => each)) return { load, panic };
  const all = priorities.reduce((sum, { total }) => sum + total, 0);
  let left = 100;
  const byCount = priorities.map(({ total }) => {
    const share = Math.floor((100 * total) / all);
    left -= share;
    return share;
  });
  return { load: byCount.map((share, index) => (index === 0 ? share + left : share)), panic };
}

/** How much of a locality's weight counts: less when its endpoints cannot take it (Envoy locality_weight.rst). */
export function localityAvailability(health: PriorityHealth): number {
  return availability(health) / 100;
}

/**
 * Panic: with too few healthy endpoints, all of them get traffic, the unhealthy ones too.
 * @param thresholdPercent Istio `minHealthPercent`, 0 (never) by default; Envoy alone has 50
 */
export function isPanic({ healthy, total }: PriorityHealth, thresholdPercent: number): boolean {
  return total > 0 && (100 * healthy) / total < thresholdPercent;
}
