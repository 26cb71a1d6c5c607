/** A workload as one source reaches it. */
import type { PortProtocol } from '../model/protocol.ts';
import type { Endpoint } from '../model/sidecar-config.ts';
import type { WorkloadAddress } from '../model/workload.ts';
import type { DestinationPolicy } from './policies/destination-rules.ts';
import { workloadMtls } from './policies/peer-mtls.ts';
import type { MeshSnapshot, SnapshotService, SnapshotWorkload } from './snapshot.ts';
import { spiffeIdOf } from './workload-identity.ts';

export interface Reached {
  readonly workload: SnapshotWorkload;
  readonly addresses: readonly WorkloadAddress[];
}

/** @param hosts DNS names of the endpoint */
export function toEndpoint(
  member: Reached,
  service: SnapshotService,
  snapshot: MeshSnapshot,
  policy: DestinationPolicy,
  hosts: string[],
): Endpoint {
  const { workload, addresses } = member;
  const { discovered } = workload;
  const mtls = workloadMtls(discovered, snapshot.resources.peerAuthentications, snapshot.rootNamespace);
  return {
    id: discovered.id,
    name: discovered.name,
    address: addresses[0]?.ip ?? '',
    ports: endpointPorts(workload, service),
    version: discovered.version,
    hosts,
    mesh: workload.attached && mtls.accepted && !policy.plaintext,
    spiffeId: spiffeIdOf(discovered, snapshot.trustDomain),
  };
}

/**
 * Service port -> port to connect to, where they differ: to the sidecar's port while attached, else to the
 * application's. An application's own port works too unless it is another service port. Host processes of one service
 * share an address, so each has ports of its own: a service port that one of them lacks leads to its port of that
 * protocol, never to the process that has that number.
 */
function endpointPorts(workload: SnapshotWorkload, service: SnapshotService): Endpoint['ports'] {
  const sidecarPorts = new Map(
    workload.attached ? workload.endpointPorts.map(({ port, targetPort }) => [port, targetPort]) : [],
  );
  const targets = new Map<number, number>();
  for (const { port, servicePort } of workload.discovered.ports) {
    targets.set(servicePort ?? port, sidecarPorts.get(port) ?? port);
  }
  const servicePorts = new Set(service.ports.map(({ port }) => port));
  for (const { port } of workload.discovered.ports) {
    if (!targets.has(port) && !servicePorts.has(port)) targets.set(port, sidecarPorts.get(port) ?? port);
  }
  if (workload.discovered.runtime === 'process') {
    for (const { port, protocol } of service.ports) {
      const own = targets.has(port) ? undefined : discoveredPort(workload, protocol);
      if (own !== undefined) targets.set(port, sidecarPorts.get(own) ?? own);
    }
  }
  return [...targets]
    .filter(([port, targetPort]) => port !== targetPort)
    .map(([port, targetPort]) => ({ port, targetPort }))
    .sort((a, b) => a.port - b.port);
}

/** Its first port of this protocol; one that declares none serves for any. */
function discoveredPort({ discovered }: SnapshotWorkload, protocol: PortProtocol): number | undefined {
  const fits = (own: PortProtocol) => own === protocol || own === 'auto' || protocol === 'auto';
  return discovered.ports.find((own) => fits(own.protocol))?.port;
}
