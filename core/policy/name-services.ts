import type { ServiceConfig } from '../model/sidecar-config.ts';
import { isInSubnet } from './ip-subnet.ts';
import { preferPort } from './select-endpoints.ts';

/** Services by what callers dial them by. */
export interface NamedServices<T> {
  /** By a lower-case host name: exact ones before wildcards, of which the longest fits. Of several: one that lists the port, then the first. */
  byHost(host: string, port: number): T | null;
  /** By a virtual address, or by a block that a ServiceEntry gives for a port. */
  byAddress(address: string, port: number): T | null;
  /** The one that takes every address on a port that is not HTTP (ServiceEntry without addresses and resolution). */
  byPort(port: number): T | null;
}

export function nameServices<T>(services: Iterable<T>, configOf: (service: T) => ServiceConfig): NamedServices<T> {
  const portsOf = (service: T) => configOf(service).ports;
  /** Of several the best, but for those that are not there at this port. */
  const among = (services: readonly T[], port: number): T | null => {
    const best = preferPort(services, portsOf, port);
    if (best === null || isAt(configOf(best), port)) return best;
    return services.find((service) => isAt(configOf(service), port)) ?? null;
  };
  const exact = new Map<string, T[]>();
  const below = new Map<string, T[]>();
  const byAddress = new Map<string, T[]>();
  const blocks: { readonly block: string; readonly service: T }[] = [];
  const byPort = new Map<number, T>();
  const spoken = new Set<number>();
  for (const service of services) {
    const { hosts, addresses = [] } = configOf(service);
    for (const host of hosts) {
      if (host.startsWith('*')) append(below, host.slice(1), service);
      else append(exact, host, service);
    }
    for (const address of addresses) {
      const single = address.replace(/\/(?:32|128)$/, '');
      if (single.includes('/')) blocks.push({ block: single, service });
      else append(byAddress, single, service);
    }
    for (const port of openPorts(configOf(service))) if (!byPort.has(port)) byPort.set(port, service);
    for (const { port, protocol } of configOf(service).ports) if (protocol !== 'tcp') spoken.add(port);
  }
  // Where somebody else's port may speak HTTP or TLS, names say more than the number.
  for (const port of spoken) byPort.delete(port);
  return {
    byHost(host, port) {
      const services = exact.get(host);
      const found = services === undefined ? null : among(services, port);
      return found !== null || below.size === 0 ? found : findBelow(below, host, (several) => among(several, port));
    },
    byAddress(address, port) {
      const services = byAddress.get(address);
      if (services !== undefined) return among(services, port);
      const fitting = blocks.find(
        ({ block, service }) => listsPort(configOf(service), port) && isInSubnet(address, block),
      );
      return fitting?.service ?? null;
    },
    byPort: (port) => byPort.get(port) ?? null,
  };
}

/** `*.example.com`, `*-v1.example.com`, `*`: by every end of the name, the longest first. */
function findBelow<T>(
  below: ReadonlyMap<string, readonly T[]>,
  host: string,
  among: (services: readonly T[]) => T | null,
): T | null {
  for (let at = 1; at <= host.length; at += 1) {
    const services = below.get(host.slice(at));
    const found = services === undefined ? null : among(services);
    if (found !== null) return found;
  }
  return null;
}

function isAt(config: ServiceConfig, port: number): boolean {
  return config.portsOnly !== true || listsPort(config, port);
}

function openPorts({ originalDestination, addresses, ports }: ServiceConfig): readonly number[] {
  if (originalDestination !== true || (addresses ?? []).length > 0) return [];
  return ports.filter(({ protocol }) => protocol === 'tcp').map(({ port }) => port);
}

function listsPort({ ports }: ServiceConfig, port: number): boolean {
  return ports.some((listed) => listed.port === port);
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
