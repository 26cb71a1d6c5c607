/** ServiceEntries as services that callers may address by their hosts. Source: Istio ServiceEntry. */

import { isIpAddress } from '../../model/host-syntax.ts';
import { toPortProtocol } from '../../model/protocol.ts';
import { namespaceOf } from '../../model/resource.ts';
import type { ServiceEntry } from '../../model/service-entry.ts';
import type { Endpoint, ServiceConfig } from '../../model/sidecar-config.ts';
import type { WorkloadEntry, WorkloadEntrySpec } from '../../model/workload-entry.ts';
import { qualifiedNames, toHostKey } from '../host-names.ts';
import type { EntryHost } from '../snapshot.ts';
import { matchesLabels } from '../workload-identity.ts';

/** An endpoint with what is said of it. */
export interface EntryMember {
  readonly endpoint: Endpoint;
  readonly spec: Pick<WorkloadEntrySpec, 'locality' | 'weight' | 'labels'>;
}

/** All hosts of all entries, in order. */
export function entryHosts(entries: readonly ServiceEntry[]): readonly EntryHost[] {
  return entries.flatMap((entry) =>
    [...new Set(entry.spec.hosts.map((host) => host.toLowerCase()))].map((host) => {
      const key = toHostKey(host);
      const ports = portsOf(entry).map((port) => ({ ...port, publishedPort: null }));
      const service = { key, name: key, namespace: namespaceOf(entry), workloads: [], versions: [], ports, host };
      return { entry, host, service };
    }),
  );
}

/** True for entries whose traffic goes to the address that was dialled. */
export function isOriginalDestination({ spec: { resolution = 'NONE' } }: ServiceEntry): boolean {
  return resolution === 'NONE' || resolution === 'DYNAMIC_DNS';
}

/** True for hosts that get an address of their own, since nobody gave them one. */
export function needsAddress({ entry, host }: EntryHost): boolean {
  return !isOriginalDestination(entry) && (entry.spec.addresses ?? []).length === 0 && !host.includes('*');
}

/**
 * The service of a host. Callers dial it by the addresses that the entry gives or, without any, by `virtualAddress`.
 * @param virtualAddress `null`: there is none
 */
export function toEntryService(
  { entry, host, service }: EntryHost,
  members: readonly EntryMember[],
  virtualAddress: string | null,
): ServiceConfig {
  const { key, namespace } = service;
  const hosts = key === host ? [host] : qualifiedNames(key);
  const given = entry.spec.addresses ?? [];
  const addresses = given.length > 0 ? given : virtualAddress === null ? [] : [virtualAddress];
  const answers = addresses.map((address) => address.replace(/\/(?:32|128)$/, '')).filter(isIpAddress);
  return {
    key,
    name: key,
    namespace,
    hosts: [...hosts],
    ports: portsOf(entry),
    subsets: [],
    routes: [],
    endpoints: members.map(({ endpoint }) => endpoint),
    ...(addresses.length === 0 ? {} : { addresses: [...addresses] }),
    ...(answers.length === 0 ? {} : { dns: [{ hosts: [...hosts], addresses: answers }] }),
    ...(isOriginalDestination(entry) ? { originalDestination: true } : {}),
  };
}

function portsOf({ spec }: ServiceEntry): ServiceConfig['ports'] {
  return (spec.ports ?? []).map(({ number, protocol, name }) => ({
    port: number,
    protocol: toPortProtocol(protocol || name),
  }));
}

/** Given ones, selected WorkloadEntries, or with DNS and none given the host itself. */
export function entryMembers(
  { entry, host }: EntryHost,
  workloadEntries: readonly WorkloadEntry[],
): readonly EntryMember[] {
  if (isOriginalDestination(entry)) return [];
  const { resolution, endpoints = [], workloadSelector } = entry.spec;
  const selected = workloadEntries.filter(
    (own) =>
      workloadSelector !== undefined &&
      namespaceOf(own) === namespaceOf(entry) &&
      matchesLabels(workloadSelector.labels, own.spec.labels ?? {}),
  );
  const given = [...endpoints, ...selected.map(({ spec }) => spec)].filter(
    ({ address = '' }) => address !== '' && !address.startsWith('unix://'),
  );
  const isNamed = given.length === 0 && resolution !== 'STATIC' && workloadSelector === undefined;
  const specs: readonly WorkloadEntrySpec[] = isNamed && !host.includes('*') ? [{ address: host }] : given;
  return specs.map((spec, index) => ({ spec, endpoint: toEndpoint(entry, spec, index) }));
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
