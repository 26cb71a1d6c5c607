import type { Finding } from '../../model/finding.ts';
import { warning } from '../checks/check-references.ts';
import type { MeshSnapshot, SnapshotWorkload } from '../snapshot.ts';
import { gatewayDestinations } from './gateway-config.ts';
import { gatewayProxies } from './gateway-proxies.ts';

/**
 * Workloads that a gateway's routes lead to and that it does not reach from where it runs: a container on networks of
 * containers, or a process of this machine. Requests for them alone are answered 503, flag `UH`.
 */
export function gatewayReachFindings(snapshot: MeshSnapshot): readonly Finding[] {
  const running = [...snapshot.workloads.values()].filter(({ discovered }) => discovered.state === 'running');
  const kinds = new Set(running.map(({ discovered }) => discovered.runtime));
  // Of one kind they are where the gateway is.
  if (!kinds.has('gateway') || !kinds.has('docker') || !kinds.has('process')) return [];
  return gatewayProxies(snapshot.resources, snapshot.rootNamespace).flatMap((proxy) => {
    const gateway = snapshot.workloads.get(proxy.id);
    if (gateway === undefined || gateway.listeners === null) return [];
    const networks = new Set(gateway.discovered.addresses.map(({ network }) => network));
    const place = networks.has('loopback') ? 'a process' : 'a container';
    const members = [...gatewayDestinations(snapshot, proxy)].flatMap(
      (key) => snapshot.services.get(key)?.workloads ?? [],
    );
    return members.flatMap((id) => {
      const member = snapshot.workloads.get(id);
      if (member === undefined || !running.includes(member) || isReached(member, networks)) return [];
      const { name, runtime } = member.discovered;
      const what = runtime === 'docker' ? `the container ${name}` : `the host process ${name}`;
      return warning(
        'GATEWAY_REACH',
        `The gateway ${proxy.name} runs as ${place} and does not reach ${what}: requests for it alone are answered 503`,
        'This machine does not route to the containers’ addresses (an engine in a virtual machine, without root, or elsewhere). Run the process in a container, or give each a Gateway with a selector of its own.',
      );
    });
  });
}

function isReached({ discovered }: SnapshotWorkload, networks: ReadonlySet<string>): boolean {
  return discovered.addresses.some(({ ip, network }) => ip !== '' && networks.has(network));
}
