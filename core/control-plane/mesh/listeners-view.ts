import type { ListenersView } from '../../contract/shapes.ts';
import type { PortProtocol } from '../../model/protocol.ts';
import type { DiscoveredWorkload, WorkloadPort } from '../../model/workload.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import type { Attachment } from './attachment.ts';

/** Where a host process is pointed at; `null` for one that is not attached, and where redirect rules bring the traffic. */
export function toListenersView(
  workload: DiscoveredWorkload,
  attachment: Attachment | undefined,
  services: MeshSnapshot['services'],
): ListenersView | null {
  const listeners = attachment?.phase === 'attached' ? attachment.sidecar?.listeners : undefined;
  if (listeners?.kind !== 'explicit') return null;
  const { inbound, outbound, httpProxy } = listeners;
  return {
    inbound: inbound.map(({ listen, port }) => ({ port, url: toUrl(listen, protocolOf(workload.ports, port)) })),
    outbound: outbound.map(({ listen, service, port }) => ({
      ...{ service, port },
      url: toUrl(listen, protocolOf(services.get(service)?.ports ?? [], port)),
    })),
    httpProxy: httpProxy === null ? null : toUrl(httpProxy, 'http'),
  };
}

function protocolOf(ports: readonly WorkloadPort[], port: number): PortProtocol {
  return ports.find((own) => own.port === port)?.protocol ?? 'auto';
}

/** `tcp://` for what is declared not to be HTTP. */
function toUrl({ host, port }: { host: string; port: number }, protocol: PortProtocol): string {
  const scheme = protocol === 'tcp' || protocol === 'tls' ? 'tcp' : 'http';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
