/**
 * Which services, names and endpoints a source sees. Sources of one namespace on the same networks see the same, so
 * the result is made once per such group and shared between their configs.
 */
import type { MtlsMode } from '../../model/identity.ts';
import { compareText } from '../../model/resource.ts';
import type { Endpoint, FaultConfig, HttpRoute, ServiceConfig, SidecarConfig } from '../../model/sidecar-config.ts';
import { attachedCallers } from '../attached-callers.ts';
import { type Reached, toEndpoint } from '../endpoints.ts';
import { qualifiedNames, toFqdn } from '../host-names.ts';
import { settingsOf } from '../mesh-settings.ts';
import { callerRules } from '../policies/backend-policies.ts';
import { type DestinationPolicy, destinationPolicy } from '../policies/destination-rules.ts';
import { withPolicies } from '../policies/health-check.ts';
import { inboundPool } from '../policies/inbound-pool.ts';
import { toPlacedMember, withShares } from '../policies/localities.ts';
import { workloadMtls } from '../policies/peer-mtls.ts';
import { inboundRateLimits, withRateLimits } from '../policies/rate-limits.ts';
import { compileL4Routes } from '../routes/l4-routes.ts';
import { routesOf } from '../routes/service-routes.ts';
import type { MeshSnapshot, SnapshotService, SnapshotWorkload } from '../snapshot.ts';
import { labelsOf, matchesLabels, serviceKeyOf } from '../workload-identity.ts';
import type { SidecarScope } from './sidecar-scope.ts';
import type { SourceGroup } from './source-group.ts';
import { compileVisibleEntries } from './visible-entries.ts';

export interface VisibleServices {
  readonly services: readonly ServiceConfig[];
  /** Faults that VirtualServices define. */
  readonly faults: readonly FaultConfig[];
}

/** Compiles what a group of sources sees, sorted by service key. */
export function compileVisibleServices(snapshot: MeshSnapshot, group: SourceGroup): VisibleServices {
  const reached = new Map<string, readonly Reached[]>();
  const portsSeen = new Map<string, Pick<ServiceConfig, 'ports' | 'portsOnly'>>();
  for (const service of snapshot.services.values()) {
    const members = reachedWorkloads(snapshot, service, group);
    const isThere = members.length > 0 || (group.explicit && isProcessService(snapshot, service));
    const ports = service.ports.map(({ port, protocol }) => ({ port, protocol }));
    const seen = group.explicit ? ports : group.scope.seen(toFqdn(service), service.namespace, ports);
    if (!isThere || seen === null) continue;
    reached.set(service.key, members);
    portsSeen.set(service.key, { ports: seen, ...(seen === ports ? {} : { portsOnly: true }) });
  }
  const aliases = new Set([...reached.values()].flat().flatMap(aliasesOf));
  const hosts = claimHosts(snapshot, reached, aliases, group.namespace);
  const { virtualAddresses } = snapshot;
  const services: ServiceConfig[] = [];
  const faults: FaultConfig[] = [];
  for (const [key, members] of reached) {
    const service = snapshot.services.get(key);
    if (service === undefined) continue;
    const policy = policyFor(snapshot, service, group);
    const endpoints = members.map((member) =>
      toEndpoint(member, service, snapshot, policy, endpointHosts(member, aliases)),
    );
    const compiled = routesOf(snapshot, service, group);
    const l4Routes = compileL4Routes(snapshot, service, group);
    const subsets = toSubsets(policy, members);
    const { policies, shares } = placed(snapshot, policy, members, subsets, group);
    faults.push(...compiled.faults);
    services.push({
      key,
      name: service.name,
      namespace: service.namespace,
      hosts: hosts.get(key) ?? [],
      ...(portsSeen.get(key) ?? { ports: [] }),
      subsets,
      routes: withRateLimits(settingsOf(snapshot.resources), service, compiled.routes) as HttpRoute[],
      endpoints,
      ...(policies.length === 0 ? {} : { policies }),
      ...(l4Routes.length === 0 ? {} : { l4Routes: [...l4Routes] }),
      ...(shares.length === 0 ? {} : { shares }),
      ...(group.explicit ? {} : compileNames(hosts.get(key) ?? [], endpoints, aliases, virtualAddresses.get(key))),
    });
  }
  const entries = compileVisibleEntries(snapshot, group, services);
  return {
    services: withPolicies(withMissingDestinations([...services, ...entries.services]), snapshot.resources),
    faults: [...faults, ...entries.faults],
  };
}

/** The policies, with who of the endpoints comes first for a source at this place. */
function placed(
  { resources }: MeshSnapshot,
  policy: DestinationPolicy,
  reached: readonly Reached[],
  subsets: ServiceConfig['subsets'],
  { place }: SourceGroup,
): ReturnType<typeof withShares> {
  const members = reached.map(({ workload }) => toPlacedMember(workload.discovered));
  return withShares(policy.policies, { members, subsets }, place, settingsOf(resources).localityLbSetting);
}

function policyFor(snapshot: MeshSnapshot, service: SnapshotService, group: SourceGroup): DestinationPolicy {
  const { resources, rootNamespace, services } = snapshot;
  return destinationPolicy(callerRules(resources), service, group, rootNamespace, services);
}

function isProcessService(snapshot: MeshSnapshot, service: SnapshotService): boolean {
  return service.workloads.some((id) => snapshot.workloads.get(id)?.discovered.runtime === 'process');
}

/** Living workloads of a service that share a network with the source. A paused one still has its address. */
function reachedWorkloads(snapshot: MeshSnapshot, service: SnapshotService, group: SourceGroup): readonly Reached[] {
  const members: Reached[] = [];
  for (const id of service.workloads) {
    const workload = snapshot.workloads.get(id);
    if (workload === undefined) continue;
    const { state, addresses } = workload.discovered;
    if (state !== 'running' && state !== 'paused') continue;
    const shared = addresses
      .filter((address) => address.ip !== '' && group.networks.has(address.network))
      .sort((a, b) => compareText(a.network, b.network));
    if (shared.length > 0) members.push({ workload, addresses: shared });
  }
  return members;
}

function aliasesOf(member: Reached): string[] {
  return member.addresses.flatMap((address) => address.aliases.map((alias) => alias.toLowerCase()));
}

/** DNS names of an endpoint; its own name too when nothing else has it (networks without DNS, explicit proxies). */
function endpointHosts(member: Reached, aliases: ReadonlySet<string>): string[] {
  const name = member.workload.discovered.name.toLowerCase();
  return [...new Set([...aliasesOf(member), ...(aliases.has(name) ? [] : [name])])].sort(compareText);
}

/**
 * Host names per service. A name that several services have goes to the one whose own name it is in the source's
 * namespace, else to one of that namespace, else to the one to which the network gives it as an alias.
 */
function claimHosts(
  snapshot: MeshSnapshot,
  reached: ReadonlyMap<string, readonly Reached[]>,
  aliases: ReadonlySet<string>,
  namespace: string,
): ReadonlyMap<string, string[]> {
  const owners = new Map<string, { key: string; rank: number }>();
  const claim = (host: string, key: string, rank: number) => {
    const owner = owners.get(host);
    if (owner === undefined || rank < owner.rank) owners.set(host, { key, rank });
  };
  const nameCounts = countNames(snapshot);
  for (const [key, members] of reached) {
    const service = snapshot.services.get(key);
    if (service === undefined) continue;
    const own = service.namespace === namespace;
    for (const name of qualifiedNames(key)) claim(name, key, 0);
    const short = service.name.toLowerCase();
    if (own) claim(short, key, 0);
    else if (nameCounts.get(short) === 1) claim(short, key, 3);
    for (const member of members) {
      for (const alias of aliasesOf(member)) claim(alias, key, own ? 1 : 2);
      for (const host of endpointHosts(member, aliases)) claim(host, key, 4);
    }
  }
  const hosts = new Map<string, string[]>();
  for (const [host, { key }] of owners) hosts.set(key, [...(hosts.get(key) ?? []), host]);
  for (const list of hosts.values()) list.sort(compareText);
  return hosts;
}

/**
 * What the sidecar answers for names that the networks' own DNS does not know: a name of single endpoints their addresses,
 * the service's names the address of its only endpoint, or with several a virtual one.
 */
function compileNames(
  hosts: readonly string[],
  endpoints: readonly Endpoint[],
  aliases: ReadonlySet<string>,
  virtualAddress: string | undefined,
): Pick<ServiceConfig, 'addresses' | 'dns'> {
  const only = endpoints.length === 1 ? endpoints[0]?.address : undefined;
  const address = only ?? virtualAddress;
  const ofEndpoints = new Map<string, Set<string>>();
  for (const endpoint of endpoints) {
    for (const host of endpoint.hosts) {
      const addresses = ofEndpoints.get(host);
      if (addresses === undefined) ofEndpoints.set(host, new Set([endpoint.address]));
      else addresses.add(endpoint.address);
    }
  }
  const byAddresses = new Map<string, string[]>();
  for (const host of hosts.filter((name) => !aliases.has(name))) {
    const answers = [...(ofEndpoints.get(host) ?? [address ?? ''])].join(' ');
    const names = byAddresses.get(answers);
    if (names !== undefined) names.push(host);
    else if (answers !== '') byAddresses.set(answers, [host]);
  }
  const dns = [...byAddresses].map(([answers, names]) => ({ hosts: names, addresses: answers.split(' ') }));
  return {
    ...(virtualAddress === undefined ? {} : { addresses: [virtualAddress] }),
    ...(dns.length === 0 ? {} : { dns }),
  };
}

function countNames(snapshot: MeshSnapshot): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const service of snapshot.services.values()) {
    const name = service.name.toLowerCase();
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function toSubsets(policy: DestinationPolicy, members: readonly Reached[]): ServiceConfig['subsets'] {
  return policy.subsets
    .map((subset) => ({
      name: subset.name,
      endpoints: members
        .filter(({ workload }) => matchesLabels(subset.labels, labelsOf(workload.discovered)))
        .map(({ workload }) => workload.discovered.id),
    }))
    .sort((a, b) => compareText(a.name, b.name));
}

/** Hosts and subsets that routes name but nobody defines are there with no endpoints: 503 `UH`, as in Istio. */
function withMissingDestinations(services: readonly ServiceConfig[]): readonly ServiceConfig[] {
  const byKey = new Map(services.map((service) => [service.key, service]));
  for (const { service: key, subset } of services.flatMap(({ routes }) => routes.flatMap((r) => r.destinations))) {
    const target = byKey.get(key) ?? emptyService(key);
    const missing = subset !== null && !target.subsets.some(({ name }) => name === subset);
    const subsets = missing ? [...target.subsets, { name: subset, endpoints: [] }] : target.subsets;
    byKey.set(key, missing ? { ...target, subsets: subsets.sort((a, b) => compareText(a.name, b.name)) } : target);
  }
  return [...byKey.values()].sort((a, b) => compareText(a.key, b.key));
}

function emptyService(key: string): ServiceConfig {
  const dot = key.indexOf('.');
  const name = dot === -1 ? key : key.slice(0, dot);
  const namespace = dot === -1 ? '' : key.slice(dot + 1);
  return { key, name, namespace, hosts: [], ports: [], subsets: [], routes: [], endpoints: [] };
}

/**
 * Inbound side of a sidecar: the mode of each of its application's ports. Until the workload is attached its callers
 * have not been told to use mutual TLS, so STRICT waits until then; otherwise attach and detach would lose requests.
 */
export function compileInbound(
  snapshot: MeshSnapshot,
  workload: SnapshotWorkload,
  { ingress, inboundPool: common }: Pick<SidecarScope, 'ingress' | 'inboundPool'>,
): SidecarConfig['inbound'] {
  const { discovered, attached } = workload;
  const mtls = workloadMtls(discovered, snapshot.resources.peerAuthentications, snapshot.rootNamespace);
  const inForce = (mode: MtlsMode): MtlsMode => (mode === 'STRICT' && !attached ? 'PERMISSIVE' : mode);
  const known = new Map(discovered.ports.map((listed) => [listed.port, listed]));
  const own = { key: serviceKeyOf(discovered), name: discovered.service };
  const rateLimits = inboundRateLimits(settingsOf(snapshot.resources), own);
  const callers = attachedCallers(snapshot, workload);
  const elsewhere = new Map(ingress.map((listener) => [listener.port, listener]));
  const service = snapshot.services.get(serviceKeyOf(discovered));
  const ports = [...new Set([...known.keys(), ...mtls.ports.keys(), ...elsewhere.keys()])].sort((a, b) => a - b);
  return {
    mtls: inForce(mtls.mode),
    ports: ports.map((port) => {
      const { proxyProtocol, protocol: declared = 'auto', servicePort = port } = known.get(port) ?? {};
      const { protocol = declared, target, pool = null } = elsewhere.get(port) ?? {};
      const limits = inboundPool(snapshot, service, servicePort ?? port, pool ?? common);
      const mode = inForce(mtls.ports.get(port) ?? mtls.mode);
      return {
        port,
        protocol,
        mtls: mode,
        ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
        ...(target == null ? {} : { target }),
        ...(limits === null ? {} : { pool: limits }),
      };
    }),
    ...(rateLimits.length === 0 ? {} : { rateLimits }),
    ...(callers.length === 0 ? {} : { attachedCallers: callers }),
  };
}
