/** Priorities and weights of a service's endpoints for one source, from labels and the destination rule in force. */
import type { LocalityLbSetting } from '../../model/load-balancer.ts';
import type { EndpointShare, PolicyEntry } from '../../model/traffic-config.ts';
import type { TrafficPolicy } from '../../model/traffic-policy.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';
import { type LocalityPolicy, localityShares, type PlacedEndpoint, type Share } from '../../policy/locality.ts';
import { labelsOf } from '../workload-identity.ts';
import type { PolicyScope } from './cluster-policies.ts';

/** Labels that say where a workload is, the first that is there: `region/zone/sub-zone`, or Istio's form with dots. */
export const localityLabel = 'dev.meshdesk.locality';
const localityLabels = [localityLabel, 'istio-locality'];
/** Of a WorkloadEntry: its share of the traffic. */
export const weightLabel = 'dev.meshdesk.weight';
const topology = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone', 'topology.istio.io/subzone'];

export function localityOf({ labels }: Pick<DiscoveredWorkload, 'labels'>): string {
  for (const name of localityLabels) {
    const value = labels[name];
    if (value) return value.includes('/') ? value : value.replaceAll('.', '/');
  }
  const parts = topology.map((name) => labels[name] ?? '');
  return parts.join('/').replace(/\/+$/, '');
}

/** The rule's own setting, else the mesh's; `null`: switched off, or nothing is said anywhere. */
function settingInForce(
  own: LocalityLbSetting | undefined,
  mesh: LocalityLbSetting | undefined,
  failoverEnabled: boolean,
): LocalityLbSetting | null {
  const setting = own ?? mesh ?? (failoverEnabled ? {} : { enabled: false });
  return setting.enabled === false ? null : setting;
}

/** An endpoint with its place; `weight` relative to the others, 1 unless a WorkloadEntry says otherwise. */
export interface PlacedMember extends PlacedEndpoint {
  readonly id: string;
}

export function toPlacedMember(workload: DiscoveredWorkload): PlacedMember {
  const weight = Number(workload.labels[weightLabel] ?? 1);
  return {
    id: workload.id,
    locality: localityOf(workload),
    weight: weight > 0 ? weight : 1,
    labels: labelsOf(workload),
  };
}

type LocalityPolicies = Pick<TrafficPolicy, 'loadBalancer' | 'outlierDetection'>;

/**
 * Shares that differ from "all alike"; none when they do not. Outlier detection alone switches failover by locality on, as
 * in Istio.
 */
export function compileShares(
  source: DiscoveredWorkload,
  members: readonly PlacedMember[],
  policy: LocalityPolicies | undefined,
  meshSetting: LocalityLbSetting | undefined,
): EndpointShare[] {
  const zoneAware = policy?.loadBalancer?.zoneAwareLbSetting;
  // Failover is always on with it, and where it is switched off nothing else takes its place.
  const failoverEnabled = zoneAware !== undefined || policy?.outlierDetection !== undefined;
  const setting =
    zoneAware?.enabled === false
      ? null
      : (zoneAware ?? settingInForce(policy?.loadBalancer?.localityLbSetting, meshSetting, failoverEnabled));
  const locality = localityOf(source);
  const shares =
    setting !== null
      ? localityShares(
          { ...toLocalityPolicy(setting, failoverEnabled), regionsOnly: zoneAware !== undefined },
          { locality, labels: labelsOf(source) },
          members,
        )
      : members.map(({ weight }) => ({ priority: 0, weight }));
  if (shares.every(isOrdinary)) return [];
  return shares.map((share, index) => ({ endpoint: members[index]?.id ?? '', ...share }));
}

function toLocalityPolicy(setting: LocalityLbSetting, failoverEnabled: boolean): LocalityPolicy {
  return {
    failoverEnabled,
    distribute: (setting.distribute ?? []).map(({ from = '', to = {} }) => ({ from, to })),
    failover: (setting.failover ?? []).map(({ from = '', to = '' }) => ({ from, to })),
    failoverPriority: setting.failoverPriority ?? [],
  };
}

function isOrdinary({ priority, weight, localityWeight }: Share): boolean {
  return priority === 0 && weight === 1 && localityWeight === undefined;
}

/** The endpoints of a service as its subsets divide them. */
export interface DividedMembers {
  readonly members: readonly PlacedMember[];
  /** Ids per subset. */
  readonly subsets: readonly { readonly name: string; readonly endpoints: readonly string[] }[];
}

/**
 * The policies of a service with the shares of its endpoints. A subset has priorities of its own, even where it has no
 * policy: the first place that *it* has endpoints in comes first.
 */
export function withShares(
  scopes: readonly PolicyScope[],
  { members, subsets }: DividedMembers,
  source: DiscoveredWorkload,
  meshSetting: LocalityLbSetting | undefined,
): { policies: PolicyEntry[]; shares: EndpointShare[] } {
  const entries = scopes.map(({ subset, port, policy }) => ({ subset, port, policy }));
  const sharesOf = (names: string | null, groups: LocalityPolicies) => {
    const ids = names === null ? null : new Set(subsets.find(({ name }) => name === names)?.endpoints);
    const own = ids === null ? members : members.filter(({ id }) => ids.has(id));
    return compileShares(source, own, groups, meshSetting);
  };
  const base = scopes.find(({ subset, port }) => subset === null && port === null);
  const shares = sharesOf(null, base?.groups ?? {});
  const others = scopes
    .filter((scope) => scope !== base)
    .concat(shares.length === 0 ? [] : unsaid(scopes, subsets))
    .map(({ subset, port, policy, groups }) => ({ subset, port, policy, shares: sharesOf(subset, groups) }));
  if (shares.length === 0 && others.every((entry) => entry.shares.length === 0)) return { policies: entries, shares };
  // A policy that says nothing, so that there is a cluster to which the shares belong.
  const own =
    base === undefined && shares.length === 0 ? [] : [{ subset: null, port: null, policy: base?.policy ?? {} }];
  return { policies: [...own, ...others], shares };
}

/** Scopes of subsets that have no policy of their own: as the service's. */
function unsaid(scopes: readonly PolicyScope[], subsets: DividedMembers['subsets']): PolicyScope[] {
  const said = new Set(scopes.map(({ subset }) => subset));
  const ofService = scopes.filter(({ subset }) => subset === null);
  const all = ofService.some(({ port }) => port === null)
    ? ofService
    : [{ subset: null, port: null, policy: {}, groups: {} }, ...ofService];
  return subsets
    .filter(({ name }) => !said.has(name))
    .flatMap(({ name }) => all.map((scope) => ({ ...scope, subset: name })));
}
