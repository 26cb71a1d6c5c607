/**
 * Istio WorkloadEntry (networking/v1alpha3/workload_entry.proto): a workload that no container engine starts. Here it
 * declares a process of this machine, started from an IDE or a terminal: its address must be a loopback one.
 */
import { z } from 'zod';
import { Uint32 } from './api-fields.ts';
import { type PortProtocol, toPortProtocol } from './protocol.ts';
import { defaultNamespace, Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';

const PortNumber = z.number().int().min(1).max(65_535);

/** Where one workload is reached; also an endpoint of a ServiceEntry. */
export const WorkloadEntrySpec = z
  .strictObject({
    address: z.string().min(1).optional(),
    /** Port by name; the name says the protocol (`http`, `tcp-ledger`). */
    ports: z.record(z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/i, 'must be a port name'), PortNumber).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    serviceAccount: z.string().optional(),
    network: z.string().optional(),
    /** `region/zone/sub-zone` */
    locality: z.string().optional(),
    /** Share of the traffic; default 1. */
    weight: Uint32.optional(),
  })
  .refine((spec) => spec.address !== undefined || spec.network !== undefined, {
    path: ['address'],
    error: 'is needed: 127.0.0.1 for a process of this machine',
  });
export type WorkloadEntrySpec = z.infer<typeof WorkloadEntrySpec>;

export const WorkloadEntry = z.strictObject({
  apiVersion: networkingApiVersion,
  kind: z.literal('WorkloadEntry'),
  metadata: ResourceMetadata,
  spec: WorkloadEntrySpec,
  status: Kept,
});
export type WorkloadEntry = z.infer<typeof WorkloadEntry>;

/** What an entry says of a process of this machine, with names and defaults filled in. */
export interface HostProcess {
  readonly name: string;
  readonly namespace: string;
  /** Label `app`, else the entry's name without `-v1`. */
  readonly service: string;
  /** Label `version`. */
  readonly version: string | null;
  /** `localhost` or a loopback address. */
  readonly host: string;
  readonly ports: readonly { readonly port: number; readonly protocol: PortProtocol }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string | null;
  /** `region/zone/sub-zone`; '' when nothing is said. */
  readonly locality: string;
  /** Relative to other endpoints of the service. */
  readonly weight: number;
}

/** 127.0.0.0/8, ::1 and localhost: a process of this machine. */
export function isLoopbackHost(address: string): boolean {
  const octets = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (octets !== null) return octets.slice(1).every((octet) => Number(octet) <= 255);
  return address === '::1' || address.toLowerCase() === 'localhost';
}

/** `null` when the entry is not for a process of this machine: then it is kept, not applied. */
export function toHostProcess({ metadata, spec }: WorkloadEntry): HostProcess | null {
  const host = spec.address?.toLowerCase();
  if (host === undefined || !isLoopbackHost(host)) return null;
  const labels = { ...metadata.labels, ...spec.labels };
  const ports = new Map<number, PortProtocol>();
  for (const [name, port] of Object.entries(spec.ports ?? {})) {
    if (!ports.has(port)) ports.set(port, toPortProtocol(name));
  }
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? defaultNamespace,
    service: labels.app || metadata.name.replace(/(?<=.)-v\d+$/, ''),
    version: labels.version || null,
    host,
    ports: [...ports].map(([port, protocol]) => ({ port, protocol })),
    labels,
    serviceAccount: spec.serviceAccount || null,
    locality: spec.locality ?? '',
    weight: spec.weight || 1,
  };
}
