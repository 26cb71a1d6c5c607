/** Names of edges, as telemetry counts them: who called whom, on which port. */
import type { SeenProtocol } from '../../model/protocol.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import type { DownstreamContext } from '../connection.ts';

/** Port of the service that the connection itself names; the forward proxy's requests name it themselves. */
export function portOf(context: DownstreamContext): number {
  if (context.direction === 'inbound') return context.target?.servicePort ?? context.originalDestination?.port ?? 0;
  return context.gateway?.port ?? context.service?.port ?? context.originalDestination?.port ?? 0;
}

/** Whether the one who connects counts on an edge of its own: at the application's side, and at a gateway. */
export function countsCaller(context: DownstreamContext): boolean {
  return context.direction === 'inbound' || context.gateway !== undefined;
}

export function inboundEdge(context: DownstreamContext, port: number, protocol: SeenProtocol = 'http/1.1'): EdgeKey {
  return {
    direction: 'inbound',
    peerService: null,
    peerWorkload: null,
    peerAddress: context.remote.host,
    peerSpiffeId: context.peerSpiffeId,
    port,
    protocol,
    mtls: context.peerSpiffeId !== null,
  };
}

/** Edge of a request that could not be read far enough to be routed. */
export function unroutedEdge(context: DownstreamContext): EdgeKey {
  if (countsCaller(context)) return inboundEdge(context, portOf(context));
  const address = context.originalDestination?.host ?? null;
  return outboundEdge(context.service?.key ?? null, null, address, portOf(context), false);
}

export function outboundEdge(
  service: string | null,
  workload: string | null,
  address: string | null,
  port: number,
  mtls: boolean,
): EdgeKey {
  return {
    direction: 'outbound',
    peerService: service,
    peerWorkload: workload,
    peerAddress: address,
    peerSpiffeId: null,
    port,
    protocol: 'http/1.1',
    mtls,
  };
}
