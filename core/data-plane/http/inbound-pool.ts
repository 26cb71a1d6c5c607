import type { ClusterPolicy } from '../../model/traffic-config.ts';
import { type ConnectionPolicy, connectionPolicy } from '../upstream/connection-policy.ts';
import type { HttpEndpoint } from './compiled-service.ts';

/** What the clusters in front of the application are called; no service has such a key. */
export const inboundCluster = '(application)';

const compiled = new WeakMap<ClusterPolicy, ConnectionPolicy | null>();

/** The application as an endpoint whose connections are made and kept as the pool of its port says. */
export function withInboundPool(endpoint: HttpEndpoint, pool: ClusterPolicy): HttpEndpoint {
  let policy = compiled.get(pool);
  if (policy === undefined) {
    policy = connectionPolicy(pool, '', new Map());
    compiled.set(pool, policy);
  }
  if (policy === null) return endpoint;
  const { target } = endpoint;
  return {
    ...endpoint,
    ...(policy.dial === undefined ? {} : { target: { ...target, dial: { ...policy.dial, ...target.dial } } }),
    ...(policy.pool === undefined ? {} : { pool: policy.pool }),
    poolKey: `${endpoint.key} ${policy.text}`,
  };
}
