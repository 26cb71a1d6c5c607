/**
 * Priorities and weights of endpoints by locality (`region/zone/sub-zone`), as Istio works them out for one source:
 * distribute sets weights, failover and failoverPriority set priorities. Source: istio pilot, loadbalancer.go; Istio
 * LocalityLoadBalancerSetting. How traffic spreads over priorities is in priority-load.ts.
 */
export interface LocalityPolicy {
  /** Without outlier detection only `distribute` does something. */
  readonly failoverEnabled: boolean;
  readonly distribute: readonly { readonly from: string; readonly to: Readonly<Record<string, number>> }[];
  readonly failover: readonly { readonly from: string; readonly to: string }[];
  /** Labels (`version`), or labels with a value of their own (`version=v1`). */
  readonly failoverPriority: readonly string[];
  /** Zones are alike; only regions come one after the other (Istio ZoneAwareLoadBalancerSetting). */
  readonly regionsOnly?: boolean;
}

export interface PlacedEndpoint {
  readonly locality: string;
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Share {
  /** 0 first; without gaps. */
  readonly priority: number;
  /** Relative weight within the locality; 0: gets nothing. */
  readonly weight: number;
  /** Absent: localities play no part. */
  readonly locality?: string;
  /** Relative to the other localities of the priority; absent: the sum of its endpoints' weights. */
  readonly localityWeight?: number;
}

export interface PlacedSource {
  readonly locality: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One share per endpoint, in their order. */
export function localityShares(
  policy: LocalityPolicy,
  source: PlacedSource,
  endpoints: readonly PlacedEndpoint[],
): readonly Share[] {
  if (policy.distribute.length > 0) return distributed(policy, source, endpoints);
  const plain = endpoints.map(({ weight }) => ({ priority: 0, weight }));
  if (!policy.failoverEnabled) return plain;
  const byLabels = policy.failoverPriority.length > 0;
  if (policy.regionsOnly === true) return byRegion(policy, source, endpoints);
  const priorities = endpoints.map((endpoint) =>
    byLabels
      ? labelPriority(policy.failoverPriority, source.labels, endpoint.labels)
      : regionPriority(policy, source, endpoint),
  );
  if (byLabels && policy.failover.length > 0) {
    const regions = endpoints.map((endpoint) => regionPriority(policy, source, endpoint));
    return withoutGaps(
      priorities.map((priority, index) => priority * 5 + (regions[index] ?? 0)),
      endpoints,
    );
  }
  return withoutGaps(priorities, endpoints);
}

/** 0 the own region, 1 the one that `failover` names for it, 2 elsewhere; below the priorities by labels, where there are some. */
function byRegion(
  { failover, failoverPriority }: LocalityPolicy,
  source: PlacedSource,
  endpoints: readonly PlacedEndpoint[],
): readonly Share[] {
  const regionOf = (locality: string) => locality.split('/')[0] ?? '';
  const own = regionOf(source.locality);
  const next = failover.find(({ from }) => from === own)?.to;
  const priorities = endpoints.map(({ locality, labels }) => {
    const region = regionOf(locality);
    const above = failoverPriority.length > 0 ? labelPriority(failoverPriority, source.labels, labels) : 0;
    return above * 3 + (region === own ? 0 : region === next ? 1 : 2);
  });
  return withoutGaps(priorities, endpoints).map(({ priority, weight }) => ({ priority, weight }));
}

/**
 * The first entry whose `from` fits the source. Localities that fit one target share its weight by the weights of their
 * endpoints; parts are rounded up, as Istio does.
 */
function distributed(
  policy: LocalityPolicy,
  source: PlacedSource,
  endpoints: readonly PlacedEndpoint[],
): readonly Share[] {
  const entry = policy.distribute.find(({ from }) => localityMatches(source.locality, from));
  if (entry === undefined) return endpoints.map(({ weight }) => ({ priority: 0, weight }));
  const targets = Object.entries(entry.to).map(([target, percent]) => ({ target, percent, total: 0 }));
  const targetOf = endpoints.map(
    ({ locality }) => targets.find(({ target }) => localityMatches(locality, target)) ?? null,
  );
  const inLocality = new Map<string, number>();
  for (const [index, target] of targetOf.entries()) {
    const { weight = 0, locality = '' } = endpoints[index] ?? {};
    if (target !== null) target.total += weight;
    inLocality.set(locality, (inLocality.get(locality) ?? 0) + weight);
  }
  return endpoints.map(({ weight, locality }, index) => {
    const target = targetOf[index] ?? null;
    if (target === null || target.total === 0 || target.percent === 0) return { priority: 0, weight: 0 };
    const localityWeight = Math.ceil((target.percent * (inLocality.get(locality) ?? 0)) / target.total);
    return { priority: 0, weight, locality, localityWeight };
  });
}

/** `us/*` and `us` fit `us/a/b`; `*` fits all. */
export function localityMatches(locality: string, pattern: string): boolean {
  const parts = locality.split('/');
  return pattern
    .split('/')
    .every(
      (wanted, index, all) =>
        wanted === '*' ||
        wanted === '' ||
        wanted === parts[index] ||
        (index === all.length - 1 && wanted.endsWith('*') && (parts[index] ?? '').startsWith(wanted.slice(0, -1))),
    );
}

/** 0 same sub-zone, 1 same zone, 2 same region, 3 elsewhere, 4 elsewhere when `failover` names another region. */
function regionPriority(policy: LocalityPolicy, source: PlacedSource, { locality }: PlacedEndpoint): number {
  const [region = '', zone = '', subZone = ''] = source.locality.split('/');
  const [ownRegion = '', ownZone = '', ownSubZone = ''] = locality.split('/');
  if (region === ownRegion) {
    if (zone !== ownZone) return 2;
    return subZone === ownSubZone ? 0 : 1;
  }
  const setting = policy.failover.find(({ from }) => from === region);
  return setting !== undefined && ownRegion !== setting.to ? 4 : 3;
}

/** N labels: all equal 0, the first different one at place n: N - n (label n counts only while 1 to n-1 are equal). */
function labelPriority(
  labels: readonly string[],
  source: PlacedSource['labels'],
  own: PlacedEndpoint['labels'],
): number {
  const place = labels.findIndex((label) => {
    const equals = label.indexOf('=');
    const name = equals === -1 ? label : label.slice(0, equals);
    const wanted = equals === -1 ? source[name] : label.slice(equals + 1);
    return (wanted ?? '') !== (own[name] ?? '');
  });
  return place === -1 ? 0 : labels.length - place;
}

function withoutGaps(priorities: readonly number[], endpoints: readonly PlacedEndpoint[]): readonly Share[] {
  const used = [...new Set(priorities)].sort((a, b) => a - b);
  return endpoints.map(({ weight, locality }, index) => ({
    priority: used.indexOf(priorities[index] ?? 0),
    weight,
    locality,
  }));
}
