/** Priorities and weights of a service's endpoints for one source, from labels and the destination rule in force. */
import type { LocalityLbSetting } from '../model/load-balancer.ts';
import type { EndpointShare } from '../model/traffic-config.ts';
import type { TrafficPolicy } from '../model/traffic-policy.ts';
import type { DiscoveredWorkload } from '../model/workload.ts';
import { localityShares } from '../policy/locality.ts';
import { labelsOf } from './workload-identity.ts';

/** Labels that say where a workload is, the first that is there: `region/zone/sub-zone`, or Istio's form with dots. */
const localityLabels = ['dev.meshdesk.locality', 'istio-locality'];
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
): LocalityLbSetting | null {
  if (own !== undefined) return own.enabled === false ? null : own;
  return mesh === undefined || mesh.enabled === false ? null : mesh;
}

/**
 * Shares that differ from "all alike"; none when they do not. In Istio, outlier detection alone switches failover by
 * locality on; here too, as soon as the source's own place is known.
 */
export function compileShares(
  source: DiscoveredWorkload,
  endpoints: readonly DiscoveredWorkload[],
  policy: TrafficPolicy | undefined,
  meshSetting: LocalityLbSetting | undefined,
): readonly EndpointShare[] {
  const failoverEnabled = policy?.outlierDetection !== undefined;
  const setting = settingInForce(policy?.loadBalancer?.localityLbSetting, meshSetting) ?? (failoverEnabled ? {} : null);
  const locality = localityOf(source);
  if (setting === null || (locality === '' && (setting.failoverPriority ?? []).length === 0)) return [];
  const shares = localityShares(
    {
      failoverEnabled,
      distribute: (setting.distribute ?? []).map(({ from = '', to = {} }) => ({ from, to })),
      failover: (setting.failover ?? []).map(({ from = '', to = '' }) => ({ from, to })),
      failoverPriority: setting.failoverPriority ?? [],
    },
    { locality, labels: labelsOf(source) },
    endpoints.map((workload) => ({ locality: localityOf(workload), weight: 1, labels: labelsOf(workload) })),
  );
  if (shares.every(({ priority, weight }) => priority === 0 && weight === 1)) return [];
  return shares.map((share, index) => ({ endpoint: endpoints[index]?.id ?? '', ...share }));
}
