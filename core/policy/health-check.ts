/** Active health of one endpoint: how many checks in a row change it. Source: Envoy health_checking.rst. */
export interface HealthThresholds {
  /** Failed checks in a row that make it unhealthy. The very first check decides alone. */
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
}

export interface HealthState {
  readonly healthy: boolean;
  /** Checks in a row that spoke against the state. */
  readonly against: number;
  readonly checked: boolean;
}

/** Endpoints count as healthy until a check says otherwise. */
export const unchecked: HealthState = { healthy: true, against: 0, checked: false };

/** State after one more check. A status of the endpoint other than the expected one fails at once (`immediate`). */
export function afterCheck(
  state: HealthState,
  result: 'passed' | 'failed' | 'immediate',
  thresholds: HealthThresholds,
): HealthState {
  const passed = result === 'passed';
  if (passed === state.healthy) return { healthy: state.healthy, against: 0, checked: true };
  const against = state.against + 1;
  const needed = passed ? thresholds.healthyThreshold : thresholds.unhealthyThreshold;
  if (against >= needed || !state.checked || result === 'immediate')
    return { healthy: passed, against: 0, checked: true };
  return { healthy: state.healthy, against, checked: true };
}
