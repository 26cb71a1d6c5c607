import { isIP } from 'node:net';
import type { Endpoint, FaultConfig, ServiceConfig, SidecarConfig } from '../../model/sidecar-config.ts';
import { createFaultDecider } from '../../policy/decide-fault.ts';
import { toTargetPort } from '../../policy/select-endpoints.ts';
import { compileInjections, type InjectionSet } from '../faults/injection-set.ts';
import { type CompiledFault, type CompiledService, compileService } from './compiled-service.ts';
import { nameServices } from './named-services.ts';

/** An endpoint found by its address. `port` is the service port that leads there. */
export interface LocatedEndpoint {
  readonly service: ServiceConfig;
  readonly endpoint: Endpoint;
  readonly port: number;
}

/** A `SidecarConfig` turned into lookups, once per revision. */
export interface CompiledConfig {
  readonly source: SidecarConfig;
  readonly revision: number;
  /** By `name.namespace`. */
  serviceByKey(key: string): CompiledService | null;
  /** By a lower-case host name; among several, one that lists the port, then the first. */
  serviceByHost(host: string, port: number): CompiledService | null;
  /** By an address that is no endpoint's: virtual ones, and blocks of ServiceEntries. */
  serviceAt(address: string, port: number): CompiledService | null;
  /** The one that takes every address on a port that is not HTTP. */
  serviceOnPort(port: number): CompiledService | null;
  /** By name (own namespace first), `name.namespace` or a host name: what a person types after `/proxy/`. */
  serviceByName(name: string): CompiledService | null;
  /** The endpoint that listens there. On an address shared by several (loopback) only an exact port finds one. */
  endpointAt(host: string, port: number): LocatedEndpoint | null;
  /** Faults of every kind, by service. */
  readonly injections: InjectionSet;
  /** State of the faults, for the next revision. */
  readonly faults: ReadonlyMap<string, CompiledFault>;
}

const noFaults: readonly CompiledFault[] = [];

/**
 * Compiles a configuration. With `previous`, a fault that did not change goes on in its sequence of draws; otherwise a
 * mesh that changes often would always see the beginning of it. Throws on a route that cannot be compiled.
 */
export function compileConfig(source: SidecarConfig, previous: CompiledConfig | null = null): CompiledConfig {
  const faults = new Map<string, CompiledFault>();
  for (const config of source.faults) faults.set(config.id, carryOver(config, previous?.faults.get(config.id)));
  const byKey = new Map<string, CompiledService>();
  const byService = new Map<string, CompiledFault[]>();
  for (const fault of faults.values()) append(byService, fault.config.service, fault);
  for (const config of source.services) {
    const inScope = byService.get(config.key) ?? noFaults;
    const known = previous?.serviceByKey(config.key) ?? null;
    const service = known !== null && isUpToDate(known, config, inScope) ? known : compileService(config, inScope);
    byKey.set(config.key, service);
  }
  const names = nameServices(byKey.values());
  const located = locateEndpoints(source.services);
  return {
    source,
    revision: source.revision,
    injections: compileInjections(source.injections ?? [], previous?.injections),
    faults,
    serviceByKey: (key) => byKey.get(key) ?? null,
    serviceByHost: names.byHost,
    serviceAt: names.byAddress,
    serviceOnPort: names.byPort,
    serviceByName: (name) =>
      byKey.get(`${name}.${source.workload.namespace}`) ??
      byKey.get(name) ??
      [...byKey.values()].find((service) => service.config.name === name) ??
      names.byHost(name, 0),
    endpointAt(host, port) {
      const exact = located.byPort.get(`${host} ${port}`);
      if (exact !== undefined) return exact;
      const only = located.byAddress.get(host);
      return only === undefined ? null : { ...only, port };
    },
  };
}

/** A change of the configuration leaves the services it does not touch as the objects they were. */
function isUpToDate(known: CompiledService, config: ServiceConfig, faults: readonly CompiledFault[]): boolean {
  const { config: before, faults: faultsBefore } = known;
  if (before !== config || faultsBefore.length !== faults.length) return false;
  return faults.every((fault, index) => fault === faultsBefore[index]);
}

function carryOver(config: FaultConfig, before: CompiledFault | undefined): CompiledFault {
  if (before !== undefined && JSON.stringify(before.config) === JSON.stringify(config)) return before;
  return { config, decide: createFaultDecider(config) };
}

/** A workload's own service comes before ServiceEntries that lead to it. */
function locateEndpoints(services: readonly ServiceConfig[]) {
  const byPort = new Map<string, LocatedEndpoint>();
  const byAddress = new Map<string, LocatedEndpoint>();
  const ids = new Map<string, Set<string>>();
  for (const service of [...services.filter((one) => !isEntry(one)), ...services.filter(isEntry)]) {
    for (const endpoint of service.endpoints) {
      for (const { port } of [...service.ports, ...endpoint.ports]) {
        const key = `${endpoint.address} ${toTargetPort(endpoint, port)}`;
        if (!byPort.has(key)) byPort.set(key, { service, endpoint, port });
      }
      const before = byAddress.get(endpoint.address);
      if (before === undefined) byAddress.set(endpoint.address, { service, endpoint, port: 0 });
      else if (isEntry(service) && !isEntry(before.service)) continue;
      const seen = ids.get(endpoint.address) ?? new Set<string>();
      ids.set(endpoint.address, seen.add(endpoint.id));
    }
  }
  for (const [address, seen] of ids) if (seen.size > 1 || isLoopback(address)) byAddress.delete(address);
  return { byPort, byAddress };
}

/** The service of a ServiceEntry has no other name than its host. */
function isEntry({ key, name }: ServiceConfig): boolean {
  return key === name;
}

function isLoopback(address: string): boolean {
  return (isIP(address) === 4 && address.startsWith('127.')) || address === '::1';
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
