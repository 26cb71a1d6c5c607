/**
 * Limits of connections and requests in front of an application, in the sidecar of its own: the Sidecar resource's, else those
 * of the DestinationRule for the service (Istio sets them on the receiver's side as well, cluster_builder.go).
 */
import { type ClusterPolicy, policyOf } from '../../model/traffic-config.ts';
import type { ConnectionPool } from '../../model/traffic-policy.ts';
import type { MeshSnapshot, SnapshotService } from '../snapshot.ts';
import { callerRules } from './backend-policies.ts';
import { compilePool } from './cluster-policies.ts';
import { destinationPolicy } from './destination-rules.ts';

/** What a pool says that acts towards an application; balancing, TLS and repeating are the caller's. */
const fields = [
  'maxConnections',
  'maxPendingRequests',
  'maxRequests',
  'maxRequestsPerConnection',
  'maxConcurrentStreams',
  'connectTimeoutMs',
  'idleTimeoutMs',
  'maxConnectionDurationMs',
  'tcpKeepAlive',
  'http2KeepAlive',
] as const satisfies readonly (keyof ClusterPolicy)[];

/** By service port; `null`: there are none. @param own of the Sidecar resource, which replaces the rule's as a whole */
export function inboundPool(
  snapshot: MeshSnapshot,
  service: SnapshotService | undefined,
  servicePort: number,
  own: ConnectionPool | null,
): ClusterPolicy | null {
  const policy = own === null ? ruledPool(snapshot, service, servicePort) : compilePool(own);
  const said = fields.filter((field) => policy[field] !== undefined);
  return said.length === 0 ? null : (Object.fromEntries(said.map((field) => [field, policy[field]])) as ClusterPolicy);
}

/** The rule for callers of the service's namespace; one that selects callers does not count. */
function ruledPool(
  { resources, rootNamespace, services }: MeshSnapshot,
  service: SnapshotService | undefined,
  port: number,
): ClusterPolicy {
  if (service === undefined) return {};
  const client = { namespace: service.namespace, labels: {} };
  const { policies } = destinationPolicy(callerRules(resources), service, client, rootNamespace, services);
  return policyOf(policies, null, port);
}
