/**
 * Hosts that VirtualServices give routes to and nobody declares (`shop.example.com`, with routes to services of the mesh).
 * Asked of istiod: sidecars serve them on port 80 alone; on any other port they are hosts that nobody knows.
 */
import { namespaceOf } from '../../model/resource.ts';
import type { HttpRoute, ServiceConfig } from '../../model/sidecar-config.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { resolveHost } from '../host-names.ts';
import type { EntryHost, SnapshotService } from '../snapshot.ts';

const httpPort = 80;

/** One for each host. Wildcards and names of Kubernetes are left out: there a service is missing, which findings say. */
export function virtualHosts(
  virtualServices: readonly VirtualService[],
  services: ReadonlyMap<string, SnapshotService>,
  entries: readonly EntryHost[],
): readonly SnapshotService[] {
  const declared = new Set(entries.map(({ host }) => host));
  const hosts = new Map<string, SnapshotService>();
  for (const resource of virtualServices) {
    if ((resource.spec.http ?? []).length === 0) continue;
    const namespace = namespaceOf(resource);
    for (const host of (resource.spec.hosts ?? []).map((name) => name.toLowerCase())) {
      if (!host.includes('.') || host.includes('*') || declared.has(host) || hosts.has(host)) continue;
      const { key, known } = resolveHost(host, namespace, services);
      if (known || key !== host) continue;
      const ports: SnapshotService['ports'] = [{ port: httpPort, protocol: 'http', publishedPort: null }];
      hosts.set(host, { key, name: key, namespace, workloads: [], versions: [], ports, host });
    }
  }
  return [...hosts.values()];
}

/** The service that stands for such a host. */
export function toHostService({ key, namespace }: SnapshotService, routes: readonly HttpRoute[]): ServiceConfig {
  return {
    key,
    name: key,
    namespace,
    hosts: [key],
    ports: [{ port: httpPort, protocol: 'http' }],
    subsets: [],
    routes: routes.flatMap(onHttpPort),
    endpoints: [],
    // On other ports.
    originalDestination: true,
  };
}

function onHttpPort(route: HttpRoute): HttpRoute[] {
  const blocks = route.match.length === 0 ? [{}] : route.match;
  const match = blocks.map((block) => ({ port: httpPort, ...block })).filter(({ port }) => port === httpPort);
  return match.length === 0 ? [] : [{ ...route, match }];
}
