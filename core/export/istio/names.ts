import { toResourceName } from '../../model/resource-metadata.ts';
import { resolveHost, toFqdn } from '../../snapshot/host-names.ts';
import type { SnapshotService } from '../../snapshot/snapshot.ts';

type Services = ReadonlyMap<string, SnapshotService>;

/** Name and namespace of a service as Kubernetes allows them. */
export function kubernetesName(service: { readonly name: string; readonly namespace: string }): {
  readonly name: string;
  readonly namespace: string;
} {
  return { name: toResourceName(service.name), namespace: toResourceName(service.namespace) };
}

/** `payments.shop.svc.cluster.local`, with names that Kubernetes allows. */
export function serviceFqdn(service: { readonly name: string; readonly namespace: string }): string {
  return toFqdn(kubernetesName(service));
}

/** A host of a rule, in full, when it is one of the mesh's services; else as it stands. */
export function exportedHost(host: string, ruleNamespace: string, services: Services): string {
  const { key } = resolveHost(host, ruleNamespace, services);
  const service = services.get(key);
  return service === undefined ? host : serviceFqdn(service);
}
