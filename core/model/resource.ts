/**
 * Resources: what a mesh project is made of, in the shapes of the APIs they come from (Istio, Gateway API, SMI) plus our
 * own FaultInjection and MeshSettings. A resource is plain data as it stands in its file: nothing is filled in or renamed,
 * so that it can be written back and exported unchanged. Defaults are applied where a resource is compiled (snapshot/).
 */
import type { AuthorizationPolicy } from './authorization-policy.ts';
import type { BackendTLSPolicy, XBackendTrafficPolicy } from './backend-policy.ts';
import type { DestinationRule } from './destination-rule.ts';
import type { EnvoyFilter, WasmPlugin } from './envoy-extension.ts';
import type { FaultInjection } from './fault-injection.ts';
import type { Gateway } from './gateway.ts';
import type { GRPCRoute, TCPRoute, TLSRoute } from './grpc-route.ts';
import type { HTTPRoute } from './http-route.ts';
import type { GatewayClass, K8sGateway, ReferenceGrant } from './k8s-gateway.ts';
import type { MeshSettings } from './mesh-settings.ts';
import type { Namespace } from './namespace.ts';
import type { PeerAuthentication } from './peer-authentication.ts';
import type { ProxyConfig } from './proxy-config.ts';
import type { RequestAuthentication } from './request-authentication.ts';
import { defaultNamespace, type ResourceMetadata } from './resource-metadata.ts';
import type { ServiceEntry } from './service-entry.ts';
import type { Sidecar } from './sidecar.ts';
import type { Telemetry } from './telemetry-policy.ts';
import type { TrafficSplit } from './traffic-split.ts';
import type { VirtualService } from './virtual-service.ts';
import type { WorkloadEntry } from './workload-entry.ts';
import type { WorkloadGroup } from './workload-group.ts';

/** Kinds that are read in full and kept and exported as they are; what applies them is said in kept-fields.ts. */
export type KeptResource =
  | Gateway
  | ServiceEntry
  | Sidecar
  | WorkloadGroup
  | EnvoyFilter
  | ProxyConfig
  | RequestAuthentication
  | AuthorizationPolicy
  | Telemetry
  | WasmPlugin
  | K8sGateway
  | GatewayClass
  | HTTPRoute
  | GRPCRoute
  | TLSRoute
  | TCPRoute
  | ReferenceGrant
  | BackendTLSPolicy
  | XBackendTrafficPolicy
  | Namespace
  | TrafficSplit
  | MeshSettings;

export type Resource =
  | VirtualService
  | DestinationRule
  | PeerAuthentication
  | WorkloadEntry
  | FaultInjection
  | KeptResource;
export type ResourceKind = Resource['kind'];

/** Resources by kind, each list in the order that decides between equals: oldest first, then by namespace and name. */
export interface MeshResources {
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly workloadEntries: readonly WorkloadEntry[];
  readonly faultInjections: readonly FaultInjection[];
  /** All other kinds; `ofKind` picks one of them. */
  readonly kept: readonly KeptResource[];
}

export function namespaceOf(resource: { readonly metadata: ResourceMetadata }): string {
  return resource.metadata.namespace ?? defaultNamespace;
}

/** `VirtualService shop/payments`: how messages name a resource. */
export function describeResource(resource: Resource): string {
  return `${resource.kind} ${namespaceOf(resource)}/${resource.metadata.name}`;
}

/** Istio's Gateway, as opposed to the Gateway API's. */
export function isIstioGateway(resource: Resource): resource is Gateway {
  return resource.kind === 'Gateway' && resource.apiVersion.startsWith('networking.istio.io/');
}

/** The kept resources of one kind, in order. Both kinds of Gateway are called so; see `isIstioGateway`. */
export function ofKind<K extends KeptResource['kind']>(
  resources: readonly KeptResource[],
  kind: K,
): readonly Extract<KeptResource, { kind: K }>[] {
  return resources.filter((resource): resource is Extract<KeptResource, { kind: K }> => resource.kind === kind);
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
