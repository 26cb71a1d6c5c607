/** Schema and API versions of every kind that a project may hold: the one list to add a kind to. */
import type { z } from 'zod';
import { AuthorizationPolicy } from './authorization-policy.ts';
import { BackendTLSPolicy, XBackendTrafficPolicy } from './backend-policy.ts';
import { DestinationRule } from './destination-rule.ts';
import { EnvoyFilter, WasmPlugin } from './envoy-extension.ts';
import { FaultInjection } from './fault-injection.ts';
import { Gateway } from './gateway.ts';
import { GRPCRoute, TCPRoute, TLSRoute } from './grpc-route.ts';
import { HTTPRoute } from './http-route.ts';
import { GatewayClass, K8sGateway, ReferenceGrant } from './k8s-gateway.ts';
import { MeshSettings } from './mesh-settings.ts';
import { Namespace } from './namespace.ts';
import { PeerAuthentication } from './peer-authentication.ts';
import { ProxyConfig } from './proxy-config.ts';
import { RequestAuthentication } from './request-authentication.ts';
import type { Resource } from './resource.ts';
import { valuesAt } from './schema-keys.ts';
import { ServiceEntry } from './service-entry.ts';
import { Sidecar } from './sidecar.ts';
import { Telemetry } from './telemetry-policy.ts';
import { TrafficSplit } from './traffic-split.ts';
import { VirtualService } from './virtual-service.ts';
import { WorkloadEntry } from './workload-entry.ts';
import { WorkloadGroup } from './workload-group.ts';

/** API group -> kind -> schema. */
const groups: Readonly<Record<string, Readonly<Record<string, z.ZodType<Resource>>>>> = {
  'networking.istio.io': {
    ...{ VirtualService, DestinationRule, Gateway, ServiceEntry, WorkloadEntry, WorkloadGroup },
    ...{ Sidecar, ProxyConfig, EnvoyFilter },
  },
  'security.istio.io': { PeerAuthentication, RequestAuthentication, AuthorizationPolicy },
  'telemetry.istio.io': { Telemetry },
  'extensions.istio.io': { WasmPlugin },
  'gateway.networking.k8s.io': {
    ...{ Gateway: K8sGateway, GatewayClass, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, ReferenceGrant },
    BackendTLSPolicy,
  },
  'gateway.networking.x-k8s.io': { XBackendTrafficPolicy },
  v1: { Namespace },
  'split.smi-spec.io': { TrafficSplit },
  'meshdesk.dev': { FaultInjection, MeshSettings },
};

export const knownKinds: readonly string[] = [
  ...new Set(Object.values(groups).flatMap((kinds) => Object.keys(kinds))),
].sort();

/** Schema of a kind in an API version, and what is wrong when there is none. */
export function schemaOf(
  apiVersion: unknown,
  kind: string,
):
  | { readonly schema: z.ZodType<Resource> }
  | { readonly problem: 'kind' | 'group'; readonly groups: readonly string[] } {
  const group = typeof apiVersion === 'string' ? apiVersion.replace(/\/[^/]*$/, '') : '';
  const schema = Object.hasOwn(groups, group) ? groups[group]?.[kind] : undefined;
  if (schema !== undefined && Object.hasOwn(groups[group] ?? {}, kind)) return { schema };
  const others = Object.entries(groups).flatMap(([name, kinds]) => (Object.hasOwn(kinds, kind) ? [name] : []));
  return { problem: others.length === 0 ? 'kind' : 'group', groups: others };
}

/** API versions that a kind has here, the newest first; empty for a kind that is not known. */
export function apiVersionsOf(kind: string): readonly string[] {
  return Object.values(groups).flatMap((kinds) => {
    const schema = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    return schema === undefined ? [] : valuesAt(schema, ['apiVersion']);
  });
}
