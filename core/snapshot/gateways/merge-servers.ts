/**
 * Servers of several Gateways at one proxy, as Istio merges them: the older Gateway has its server, a later one that does
 * not go together with it is left out as a whole.
 * Source: istio pilot model/gateway.go (mergeGateways, CheckDuplicates, canMergeProtocols).
 */
import type { ProxyServer } from './proxy-server.ts';

export interface SkippedServer {
  readonly server: ProxyServer;
  /** Has the port, or the hosts, already. */
  readonly by: ProxyServer;
  /** Hosts that both have; none: the two speak differently at this port. */
  readonly hosts: readonly string[];
}

export interface MergedServers {
  readonly servers: readonly ProxyServer[];
  readonly skipped: readonly SkippedServer[];
}

/**
 * - Servers with a `tls` block have each host (with its namespace) once per port.
 * - Plaintext requests go together with plaintext requests, and with nothing that comes after them; bytes with nothing.
 * - TLS goes together with TLS, and with plaintext that comes after it.
 *
 * @param servers in the order of their Gateways' age
 */
export function mergeServers(servers: readonly ProxyServer[]): MergedServers {
  const kept: ProxyServer[] = [];
  const skipped: SkippedServer[] = [];
  const plaintext = new Map<number, ProxyServer>();
  const secured = new Map<string, ProxyServer>();
  for (const server of servers) {
    const keys = server.hasTlsBlock ? server.hosts.map((host) => `${server.port} ${nameOf(host)}`) : [];
    const taken = keys.filter((key) => secured.has(key));
    const [first = ''] = taken;
    const by = secured.get(first) ?? null;
    if (by !== null) {
      skipped.push({ server, by, hosts: taken.map((key) => key.slice(key.indexOf(' ') + 1)) });
      continue;
    }
    // Counted even if the port is refused below.
    for (const key of keys) secured.set(key, server);
    const other = plaintext.get(server.port);
    if (other !== undefined && !(isPlainHttp(server) && isPlainHttp(other))) {
      skipped.push({ server, by: other, hosts: [] });
      continue;
    }
    if (server.tls === null && other === undefined) plaintext.set(server.port, server);
    kept.push(server);
  }
  return { servers: kept, skipped };
}

const isPlainHttp = ({ tls, protocol }: ProxyServer) => tls === null && protocol === 'http';

const nameOf = ({ namespace, host }: ProxyServer['hosts'][number]) =>
  namespace === '*' ? host : `${namespace}/${host}`;
