/** Which endpoints of a service are meant, and the names under which they are known; the same for traffic and for explanations. */
import type { Endpoint, ServiceConfig } from '../model/sidecar-config.ts';

/** Port to connect to; a port that the endpoint does not list is used as it is. */
export function toTargetPort(endpoint: Endpoint, port: number): number {
  for (const mapping of endpoint.ports) if (mapping.port === port) return mapping.targetPort;
  return port;
}

/** Endpoints of a subset; `null`: all. An unknown subset has none. */
export function endpointsOfSubset(
  { endpoints, subsets }: Pick<ServiceConfig, 'endpoints' | 'subsets'>,
  subset: string | null,
): readonly Endpoint[] {
  if (subset === null) return endpoints;
  const ids = new Set(subsets.find(({ name }) => name === subset)?.endpoints);
  return endpoints.filter(({ id }) => ids.has(id));
}

/** Endpoints that plain DNS would answer with for `host`; all of them when none says so. */
export function endpointsOfHost({ endpoints }: Pick<ServiceConfig, 'endpoints'>, host: string): readonly Endpoint[] {
  const named = endpoints.filter(({ hosts }) => hosts.includes(host));
  return named.length === 0 ? endpoints : named;
}

/** Equal exactly when a pooled connection may be shared; consistent hash places endpoints by it. */
export function endpointKey(service: string, endpoint: Endpoint, port: number): string {
  const { id, address, mesh, spiffeId } = endpoint;
  return `${service}:${port} ${id} ${address}:${toTargetPort(endpoint, port)} ${mesh ? spiffeId : ''}`;
}

/** Of several services that have a host name: one that lists the port, then the first. `null` of none. */
export function preferPort<T>(
  candidates: readonly T[],
  portsOf: (candidate: T) => ServiceConfig['ports'],
  port: number,
) {
  return (
    candidates.find((candidate) => portsOf(candidate).some((listed) => listed.port === port)) ?? candidates[0] ?? null
  );
}
