/**
 * Envoy's statistical outlier detection, which Istio leaves off: endpoints whose success rate lies far below that of the
 * others, and those with too many failures. Asked at each sweep with the counts since the last one. Source: Envoy
 * outlier_detection_impl.cc.
 */
export interface EndpointCounts {
  readonly key: string;
  readonly total: number;
  readonly successes: number;
}

export interface SuccessRatePolicy {
  /** Endpoints with enough requests that it takes; Envoy 5. */
  readonly minimumHosts: number;
  /** Requests in the interval that make an endpoint count; Envoy 100. */
  readonly requestVolume: number;
  /** Deviations below the mean; Envoy 1.9. */
  readonly deviations: number;
}

/** Keys of endpoints below mean - deviations * standard deviation of the success rates (percent). */
export function successRateOutliers(
  endpoints: readonly EndpointCounts[],
  policy: SuccessRatePolicy,
): readonly string[] {
  const counted = endpoints.filter(({ total }) => total > 0 && total >= policy.requestVolume);
  if (counted.length === 0 || counted.length < policy.minimumHosts) return [];
  const rates = counted.map(rateOf);
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
  const threshold = mean - policy.deviations * Math.sqrt(variance);
  return counted.filter((endpoint) => rateOf(endpoint) < threshold).map(({ key }) => key);
}

export interface FailurePercentagePolicy {
  /** Envoy 5. */
  readonly minimumHosts: number;
  /** Envoy 50. */
  readonly requestVolume: number;
  /** Percent of failures from which on it is out; Envoy 85. */
  readonly threshold: number;
}

/** Keys of endpoints of whose requests at least `threshold` percent failed. */
export function failurePercentageOutliers(
  endpoints: readonly EndpointCounts[],
  policy: FailurePercentagePolicy,
): readonly string[] {
  const counted = endpoints.filter(({ total }) => total > 0 && total >= policy.requestVolume);
  if (counted.length === 0 || counted.length < policy.minimumHosts) return [];
  return counted.filter((endpoint) => 100 - rateOf(endpoint) >= policy.threshold).map(({ key }) => key);
}

function rateOf({ total, successes }: EndpointCounts): number {
  return (100 * successes) / total;
}
