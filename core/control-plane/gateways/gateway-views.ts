import { join } from 'node:path';
import type { GatewayListenerView, GatewayView, WorkloadView } from '../../contract/shapes.ts';
import type { GatewayProxy } from '../../snapshot/gateways/gateway-proxies.ts';
import type { ProxyServer } from '../../snapshot/gateways/proxy-server.ts';
import type { Credentials } from '../credentials/credentials.ts';
import { rootFile } from './gateway-certificates.ts';
import type { GatewayRuntime } from './gateway-runtime.ts';

export interface GatewayFacts {
  readonly credentials: Pick<Credentials, 'find'>;
  readonly runtime: Pick<GatewayRuntime, 'placeOf'>;
  readonly stateDir: string;
}

/** Every gateway with what it listens for and where that is to be had on this machine. */
export function toGatewayViews(
  proxies: readonly GatewayProxy[],
  workloads: readonly WorkloadView[],
  facts: GatewayFacts,
): GatewayView[] {
  return proxies.map((proxy) => {
    const workload = workloads.find(({ id }) => id === proxy.id);
    const published = new Map(workload?.ports.map((port) => [port.port, port.publishedPort]));
    const listeners = proxy.servers.map((server) => toListener(server, published.get(server.port) ?? null, facts));
    const usesMeshCertificate = listeners.some(({ certificate }) => certificate === 'mesh');
    return {
      id: proxy.id,
      name: proxy.name,
      namespace: proxy.namespace,
      gateways: [...new Set(proxy.servers.map(({ gateway }) => gateway))],
      mesh: workload?.mesh ?? 'detached',
      reason: workload?.reason ?? null,
      place: facts.runtime.placeOf(proxy.id),
      listeners,
      rootFile: usesMeshCertificate ? join(facts.stateDir, rootFile) : null,
    };
  });
}

function toListener(server: ProxyServer, published: number | null, { credentials }: GatewayFacts): GatewayListenerView {
  const { gateway, port, protocol, tls } = server;
  const hosts = [...new Set(server.hosts.map(({ host }) => host))];
  const isSecure = tls !== null && tls.mode !== 'passthrough';
  const certificates = tls?.certificates ?? [];
  const isOwn = certificates.length > 0 && certificates.every((name) => credentials.find(name) !== null);
  const speaks = protocol === 'http' ? (isSecure ? 'https' : 'http') : tls === null ? 'tcp' : 'tls';
  const name = hosts.find((host) => !host.startsWith('*')) ?? null;
  return {
    gateway,
    port,
    published,
    protocol: speaks,
    tls: tls?.mode ?? null,
    hosts,
    url:
      published === null
        ? null
        : toUrl(speaks, hosts.some((host) => host === '*') ? 'localhost' : (name ?? '127.0.0.1'), published),
    command: published === null ? null : toCommand(speaks, name, published),
    certificate: certificates.length === 0 ? null : isOwn ? 'project' : 'mesh',
  };
}

/** How to try it, for names that this machine does not resolve. */
function toCommand(speaks: GatewayListenerView['protocol'], name: string | null, port: number): string | null {
  if (speaks === 'tcp' || speaks === 'tls') return null;
  const host = name ?? 'localhost';
  const resolve = name === null ? '' : `--resolve ${name}:${port}:127.0.0.1 `;
  return `curl ${resolve}${toUrl(speaks, host, port)}/`;
}

/** Without the port that everybody assumes. */
function toUrl(speaks: GatewayListenerView['protocol'], host: string, port: number): string {
  const isUsual = (speaks === 'http' && port === 80) || (speaks === 'https' && port === 443);
  return `${speaks}://${host}${isUsual ? '' : `:${port}`}`;
}
