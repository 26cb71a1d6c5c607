/**
 * Resources: what a mesh project is made of, in the shapes of the APIs they come from (Istio, Gateway API) plus our own
 * FaultInjection. A resource is plain data as it stands in its file: nothing is filled in or renamed, so that it can be
 * written back and exported unchanged. Defaults are applied where a resource is compiled (snapshot/).
 */
import { z } from 'zod';
import { DestinationRule } from './destination-rule.ts';
import { FaultInjection } from './fault-injection.ts';
import { PeerAuthentication } from './peer-authentication.ts';
import { defaultNamespace, Kept, ResourceMetadata } from './resource-metadata.ts';
import { VirtualService } from './virtual-service.ts';
import { WorkloadEntry } from './workload-entry.ts';

/** Kinds of the production APIs that are kept and exported as they are, but not applied by this release. */
export const KeptKind = z.enum([
  'Gateway',
  'ServiceEntry',
  'Sidecar',
  'WorkloadGroup',
  'EnvoyFilter',
  'ProxyConfig',
  'RequestAuthentication',
  'AuthorizationPolicy',
  'Telemetry',
  'WasmPlugin',
  'HTTPRoute',
  'GRPCRoute',
  'ReferenceGrant',
]);

export const KeptResource = z.strictObject({
  apiVersion: z
    .string()
    .regex(/^(([a-z]+\.)?istio\.io|gateway\.networking\.k8s\.io)\/v\d\w*$/, 'is not a known API version'),
  kind: KeptKind,
  metadata: ResourceMetadata,
  spec: z.unknown(),
  status: Kept,
});
export type KeptResource = z.infer<typeof KeptResource>;

export type Resource =
  | VirtualService
  | DestinationRule
  | PeerAuthentication
  | WorkloadEntry
  | FaultInjection
  | KeptResource;
export type ResourceKind = Resource['kind'];

/** Schema by kind; what is not here is a kept kind or unknown. */
export const resourceSchemas = {
  VirtualService,
  DestinationRule,
  PeerAuthentication,
  WorkloadEntry,
  FaultInjection,
} as const;

export function isAppliedKind(kind: string): kind is keyof typeof resourceSchemas {
  return Object.hasOwn(resourceSchemas, kind);
}

/** Resources by kind, each list in the order that decides between equals: oldest first, then by namespace and name. */
export interface MeshResources {
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly workloadEntries: readonly WorkloadEntry[];
  readonly faultInjections: readonly FaultInjection[];
  readonly kept: readonly KeptResource[];
}

export function namespaceOf(resource: { readonly metadata: ResourceMetadata }): string {
  return resource.metadata.namespace ?? defaultNamespace;
}

/** `VirtualService shop/payments`: how messages name a resource. */
export function describeResource(resource: Resource): string {
  return `${resource.kind} ${namespaceOf(resource)}/${resource.metadata.name}`;
}

/** Sorts resources by kind. One without a creation time counts as older than any with one. */
export function toMeshResources(resources: readonly Resource[]): MeshResources {
  const sorted = [...resources].sort(
    (a, b) =>
      compareText(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') ||
      compareText(`${namespaceOf(a)}/${a.metadata.name}`, `${namespaceOf(b)}/${b.metadata.name}`),
  );
  const all = {
    virtualServices: [] as VirtualService[],
    destinationRules: [] as DestinationRule[],
    peerAuthentications: [] as PeerAuthentication[],
    workloadEntries: [] as WorkloadEntry[],
    faultInjections: [] as FaultInjection[],
    kept: [] as KeptResource[],
  };
  for (const resource of sorted) {
    switch (resource.kind) {
      case 'VirtualService':
        all.virtualServices.push(resource);
        break;
      case 'DestinationRule':
        all.destinationRules.push(resource);
        break;
      case 'PeerAuthentication':
        all.peerAuthentications.push(resource);
        break;
      case 'WorkloadEntry':
        all.workloadEntries.push(resource);
        break;
      case 'FaultInjection':
        all.faultInjections.push(resource);
        break;
      default:
        all.kept.push(resource);
    }
  }
  return all;
}

/** By code unit, the same on every machine (unlike localeCompare). */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
