/** ServiceEntries as services that callers may address by their hosts. Source: Istio ServiceEntry. */

import { isIpAddress } from '../model/host-syntax.ts';
import { toPortProtocol } from '../model/protocol.ts';
import { namespaceOf } from '../model/resource.ts';
import type { ServiceEntry } from '../model/service-entry.ts';
import type { Endpoint, ServiceConfig } from '../model/sidecar-config.ts';
import type { WorkloadEntry, WorkloadEntrySpec } from '../model/workload-entry.ts';
import { matchesLabels } from './workload-identity.ts';

/**
 * The services of a namespace's callers, one per host. Hosts with wildcards, and entries whose addresses are those that
 * were dialled (NONE), have no endpoints of their own and go straight on, so they are left out.
 */
export function compileServiceEntries(
  entries: readonly ServiceEntry[],
  workloadEntries: readonly WorkloadEntry[],
  namespace: string,
): readonly EntryService[] {
  const services = new Map<string, EntryService>();
  for (const entry of entries.filter((candidate) => isVisible(candidate, namespace))) {
    for (const host of entry.spec.hosts) {
      const key = host.toLowerCase();
      if (host.includes('*') || services.has(key)) continue;
      const specs = endpointsOf(entry, workloadEntries, key);
      const members = specs.map((spec, index) => ({ endpoint: toEndpoint(entry, spec, index), spec }));
      if (members.length > 0) services.set(key, { service: toService(entry, key, members), members });
    }
  }
  return [...services.values()];
}

function isVisible(entry: ServiceEntry, namespace: string): boolean {
  const { exportTo = ['*'] } = entry.spec;
  return exportTo.some((target) => target === '*' || (target === '.' ? namespaceOf(entry) : target) === namespace);
}

/** A service with what its endpoints say of themselves. */
export interface EntryService {
  readonly service: ServiceConfig;
  readonly members: readonly { readonly endpoint: Endpoint; readonly spec: WorkloadEntrySpec }[];
}

function toService(entry: ServiceEntry, key: string, members: EntryService['members']): ServiceConfig {
  const ports = entry.spec.ports ?? [];
  return {
    key,
    name: key,
    namespace: namespaceOf(entry),
    hosts: [key],
    ports: ports.map(({ number, protocol, name }) => ({ port: number, protocol: toPortProtocol(protocol || name) })),
    subsets: [],
    routes: [],
    endpoints: members.map(({ endpoint }) => endpoint),
  };
}

/** Given ones, selected ones, or with DNS and none given the host itself. */
function endpointsOf(
  entry: ServiceEntry,
  workloadEntries: readonly WorkloadEntry[],
  host: string,
): readonly WorkloadEntrySpec[] {
  const { resolution = 'NONE', endpoints = [], workloadSelector } = entry.spec;
  if (resolution === 'NONE' || resolution === 'DYNAMIC_DNS') return [];
  const selected =
    workloadSelector === undefined
      ? []
      : workloadEntries
          .filter(
            (own) =>
              namespaceOf(own) === namespaceOf(entry) && matchesLabels(workloadSelector.labels, own.spec.labels ?? {}),
          )
          .map(({ spec }) => spec);
  const given = [...endpoints, ...selected].filter(
    ({ address = '' }) => address !== '' && !address.startsWith('unix://'),
  );
  return given.length === 0 && resolution !== 'STATIC' && workloadSelector === undefined ? [{ address: host }] : given;
}

function toEndpoint(entry: ServiceEntry, spec: WorkloadEntrySpec, index: number): Endpoint {
  const id = `${namespaceOf(entry)}/${entry.metadata.name}/${index}`;
  const address = spec.address ?? '';
  const ports = (entry.spec.ports ?? []).map(({ number, name, targetPort }) => ({
    port: number,
    targetPort: spec.ports?.[name] ?? (targetPort || number),
  }));
  return {
    id: `entry:${id}`,
    name: isIpAddress(address) ? id : address,
    address,
    ports: ports.filter(({ port, targetPort }) => port !== targetPort),
    version: spec.labels?.version ?? null,
    hosts: [],
    mesh: false,
    spiffeId: '',
  };
}
