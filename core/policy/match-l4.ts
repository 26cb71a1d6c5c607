import { hostCovers } from '../model/host-syntax.ts';
import type { L4RouteConfig } from '../model/l4-config.ts';
import { isInSubnet } from './ip-subnet.ts';

/** What is known of a connection before a byte of it is forwarded. */
export interface ConnectionView {
  /** Server name of the client's own TLS, lower-case; `null`: none was sent, or it is no TLS. */
  readonly sni: string | null;
  /** Port that was dialled, and the address if it is known. */
  readonly port: number;
  readonly address: string | null;
}

/**
 * First route of a service for a connection that is not HTTP; `null`: none. A route that asks for an SNI never takes a
 * connection without one. Blocks are ORed, conditions of a block ANDed. Source: Istio VirtualService `tls` and `tcp`.
 */
export function matchL4Route(routes: readonly L4RouteConfig[], connection: ConnectionView): L4RouteConfig | null {
  return routes.find(({ match }) => match.length === 0 || match.some((block) => matches(block, connection))) ?? null;
}

function matches(
  { sniHosts, port, destinationSubnets }: L4RouteConfig['match'][number],
  connection: ConnectionView,
): boolean {
  const { sni, address } = connection;
  if (sniHosts !== undefined && !(sni !== null && sniHosts.some((host) => coversSni(host, sni)))) return false;
  if (port !== undefined && port !== connection.port) return false;
  return (
    destinationSubnets === undefined ||
    (address !== null && destinationSubnets.some((subnet) => isInSubnet(address, subnet)))
  );
}

/** `*.com` covers `example.com`, `foo.example.com` and `com` never. */
function coversSni(host: string, sni: string): boolean {
  return host.startsWith('*.') ? sni.length >= host.length && hostCovers(host, sni) : hostCovers(host, sni);
}
