import { isIP } from 'node:net';
import type { Endpoint, ServiceConfig, SidecarConfig } from '../../model/sidecar-config.ts';
import type { RateLimitConfig } from '../../model/traffic-config.ts';
import { nameServices } from '../../policy/name-services.ts';
import { toTargetPort } from '../../policy/select-endpoints.ts';
import {
  compileInjections,
  type InjectionSet,
  type ServiceInjections,
  toRequestInjection,
} from '../faults/injection-set.ts';
import { type CompiledGateway, compileGateway } from '../gateway/compiled-gateway.ts';
import type { Files } from '../upstream/connection-policy.ts';
import { type CompiledService, compileService } from './compiled-service.ts';
import { RateLimiters } from './rate-limiter.ts';

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
  /** Faults of every kind, by service, with their state. */
  readonly injections: InjectionSet;
  readonly rateLimiters: RateLimiters;
  /** Text of the files that rules name; the same object while nothing in them changes. */
  readonly files: Files;
  /** `null`: this is no gateway. */
  readonly gateway: CompiledGateway | null;
}

/**
 * Compiles a configuration. With `previous`, a fault that did not change goes on in its sequence of draws; otherwise a
 * mesh that changes often would always see the beginning of it. Throws on a route that cannot be compiled.
 */
export function compileConfig(source: SidecarConfig, previous: CompiledConfig | null = null): CompiledConfig {
  const injections = compileInjections(
    [...source.faults.map(toRequestInjection), ...(source.injections ?? [])],
    previous?.injections,
  );
  const files = toFiles(source.files ?? [], previous?.files ?? null);
  const byKey = new Map<string, CompiledService>();
  for (const config of source.services) {
    const inScope = injections.of(config.key);
    const known = previous?.serviceByKey(config.key) ?? null;
    const isSame = known !== null && isUpToDate(known, config, inScope) && previous?.files === files;
    const service = isSame ? known : compileService(config, inScope, files);
    byKey.set(config.key, service);
  }
  const names = nameServices(byKey.values(), ({ config }) => config);
  const located = locateEndpoints(source.services);
  return {
    source,
    revision: source.revision,
    gateway: source.gateway === undefined ? null : compileGateway(source.gateway),
    injections,
    rateLimiters: new RateLimiters(rateLimitsOf(source), previous?.rateLimiters),
    files,
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

function toFiles(given: NonNullable<SidecarConfig['files']>, before: Files | null): Files {
  const isSame = before?.size === given.length && given.every(({ name, text }) => before.get(name) === text);
  return isSame ? before : new Map(given.map(({ name, text }) => [name, text]));
}

function rateLimitsOf({ inbound, services }: SidecarConfig): readonly RateLimitConfig[] {
  const routes = services.flatMap((service) => service.routes);
  return [inbound, ...routes].flatMap(({ rateLimits }) => rateLimits ?? []);
}

/** A change of the configuration leaves the services it does not touch as the objects they were. */
function isUpToDate(known: CompiledService, config: ServiceConfig, injections: ServiceInjections): boolean {
  return known.config === config && known.injections === injections;
}

/** A workload's own service comes before ServiceEntries that lead to it. */
function locateEndpoints(services: readonly ServiceConfig[]) {
  const byPort = new Map<string, LocatedEndpoint>();
  const byAddress = new Map<string, LocatedEndpoint>();
  const ids = new Map<string, Set<string>>();
  for (const service of [...services.filter((one) => !isEntry(one)), ...services.filter(isEntry)]) {
    for (const endpoint of service.endpoints) {
      const hidden = service.portsOnly === true;
      for (const { port } of hidden ? service.ports : [...service.ports, ...endpoint.ports]) {
        const key = `${endpoint.address} ${toTargetPort(endpoint, port)}`;
        if (!byPort.has(key)) byPort.set(key, { service, endpoint, port });
      }
      if (hidden) continue;
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
