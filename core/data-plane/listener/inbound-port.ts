import type { ProxyProtocol } from '../../model/protocol.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { DownstreamContext } from '../connection.ts';

type InboundPort = SidecarConfig['inbound']['ports'][number];

/** Where the application listens for a port; host `null`: at the address that was dialled. */
export type InboundTarget = NonNullable<InboundPort['target']>;

/** What is configured for the application's port that a connection came to. */
export function inboundPort(config: SidecarConfig, context: DownstreamContext): InboundPort | null {
  const port = context.target?.servicePort ?? context.originalDestination?.port;
  return config.inbound.ports.find((listed) => listed.port === port) ?? null;
}

/** The header to put in front of connections to the application; `null`: none. */
export function proxyProtocolOf(config: SidecarConfig, context: DownstreamContext): ProxyProtocol['send'] {
  return context.direction === 'inbound' ? (inboundPort(config, context)?.proxyProtocol?.send ?? null) : null;
}
