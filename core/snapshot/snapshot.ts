/**
 * `snapshot/`: resources + workloads + active faults -> one immutable MeshSnapshot with a revision -> one SidecarConfig
 * per sidecar. Pure: no clock, no I/O, same input gives the same output (lists are sorted), so that "has anything
 * changed for this sidecar" is a comparison. Source: the workload whose sidecar gets the config; service key:
 * `name.namespace`; endpoint: a workload as one source reaches it.
 *
 *   routes/      what happens to requests and connections for a service: rules of Istio, the Gateway API and SMI
 *   policies/    how callers treat a service: balancing, limits, TLS, places, faults, rate limits
 *   visibility/  who sees what: exports, Sidecars, ServiceEntries, names and virtual addresses
 *   gateways/    the proxies that Gateways ask for, and what they serve
 *   checks/      what does not fit together, as findings
 *
 * Must not: decide about single requests (policy/), talk to sidecars (control-plane/push).
 */
import type { FaultDefinition, FaultInjection } from '../model/fault-injection.ts';
import type { Finding } from '../model/finding.ts';
import type { MtlsMode } from '../model/identity.ts';
import type { InjectionConfig } from '../model/injection-config.ts';
import type { MeshResources, Resource } from '../model/resource.ts';
import type { ServiceEntry } from '../model/service-entry.ts';
import type { ListenerConfig } from '../model/sidecar-config.ts';
import type { VirtualService } from '../model/virtual-service.ts';
import type { DiscoveredWorkload, WorkloadPort } from '../model/workload.ts';

export const defaultRootNamespace = 'istio-system';

export interface SnapshotWorkload {
  readonly discovered: DiscoveredWorkload;
  /** True once its sidecar takes the traffic: then the others speak mutual TLS to it. */
  readonly attached: boolean;
  /** Its sidecar's listeners, as soon as it has a sidecar (before `attached`); `null`: no sidecar, no config. */
  readonly listeners: ListenerConfig | null;
  /** Where its sidecar accepts traffic, application port -> sidecar port; used while attached. Transparent: empty or equal. */
  readonly endpointPorts: readonly { readonly port: number; readonly targetPort: number }[];
}

/** A fault that is switched on. Services are keys. */
export interface ActiveFault extends Omit<FaultDefinition, 'durationMs'> {
  /** Control plane's wall clock; `null`: until it is switched off. */
  readonly expiresAtMs: number | null;
}

/** A FaultInjection of any kind, switched on. */
export interface ActiveInjection {
  readonly resource: FaultInjection;
  /** Control plane's wall clock. */
  readonly sinceMs: number;
  /** `null`: until it is switched off. */
  readonly expiresAtMs: number | null;
}

export interface CompiledInjection {
  /** Calling service key; `null`: every caller. */
  readonly from: string | null;
  readonly config: InjectionConfig;
}

export interface SnapshotInput {
  readonly revision: number;
  readonly trustDomain: string;
  /** Mesh-wide policies live here; Istio's default is `istio-system`. */
  readonly rootNamespace: string;
  readonly resources: readonly Resource[];
  readonly workloads: readonly SnapshotWorkload[];
  readonly faults: readonly ActiveFault[];
  /** FaultInjections of every kind that are switched on, those of `faults` among them; default: none. */
  readonly injections?: readonly ActiveInjection[];
  /** Whether the project has a credential that a Gateway names; default: none. What is in it is not for snapshots. */
  readonly hasCredential?: (name: string) => boolean;
  /** Why what the project has for such a credential now is not used; `null`: it is, or there is none. Default: it is. */
  readonly credentialProblem?: (name: string) => string | null;
  /** The same of CAs: `configmap:namespace/name`, or `namespace/name` of a Secret. */
  readonly hasRoots?: (name: string) => boolean;
}

export interface SnapshotService {
  /** `name.namespace`. */
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  /** Workload ids, sorted; all of them, also those that do not run. */
  readonly workloads: readonly string[];
  /** Versions that its workloads have, sorted. */
  readonly versions: readonly string[];
  readonly ports: readonly WorkloadPort[];
  /** Only hosts of ServiceEntries: the host, which is the full name. */
  readonly host?: string;
}

/** One host of a ServiceEntry. */
export interface EntryHost {
  readonly entry: ServiceEntry;
  /** Lower-case, perhaps with a wildcard. */
  readonly host: string;
  /** What rules see of it; its key is the host, without Kubernetes' suffix. */
  readonly service: SnapshotService;
}

export interface MeshSnapshot {
  readonly revision: number;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly resources: MeshResources;
  /** By workload id, sorted. */
  readonly workloads: ReadonlyMap<string, SnapshotWorkload>;
  /** By service key, sorted. */
  readonly services: ReadonlyMap<string, SnapshotService>;
  /** Hosts of ServiceEntries, in order of the resources; those that a workload's service has already are left out. */
  readonly entries: readonly EntryHost[];
  /** Hosts that only VirtualServices name. */
  readonly virtualHosts: readonly SnapshotService[];
  /** 240.240.0.0/16: by service key, for services and for hosts of ServiceEntries that nobody gave an address. */
  readonly virtualAddresses: ReadonlyMap<string, string>;
  /** The VirtualService in force for a service, by service key; services without one are not in it. */
  readonly virtualServices: ReadonlyMap<string, VirtualService>;
  /** Those of `injections` that an Istio rule can say as well, for exports. */
  readonly faults: readonly ActiveFault[];
  /** Sorted by id. */
  readonly injections: readonly CompiledInjection[];
  /** Mode of the mesh-wide policy, PERMISSIVE without one. */
  readonly mtlsMode: MtlsMode;
  /** What does not fit together: unknown hosts and subsets, rules that exclude each other. No file positions. */
  readonly findings: readonly Finding[];
}
