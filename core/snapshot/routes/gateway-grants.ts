/** ReferenceGrants: what a namespace lets others refer to. Source: Gateway API referencegrant_types.go. */
import type { BackendObjectRef } from '../../model/gateway-api-fields.ts';
import type { ReferenceGrant } from '../../model/k8s-gateway.ts';
import { namespaceOf } from '../../model/resource.ts';

const gatewayGroup = 'gateway.networking.k8s.io';

interface Reference {
  readonly name: string;
  readonly namespace?: string | undefined;
}

function isAllowed(
  ref: Reference,
  kind: 'Service' | 'Secret' | 'ConfigMap',
  from: { readonly kinds: readonly string[]; readonly namespace: string },
  grants: readonly ReferenceGrant[],
): boolean {
  const target = ref.namespace ?? from.namespace;
  if (target === from.namespace) return true;
  return grants.some(
    (grant) =>
      namespaceOf(grant) === target &&
      grant.spec.from.some(
        (who) => who.group === gatewayGroup && from.kinds.includes(who.kind) && who.namespace === from.namespace,
      ) &&
      grant.spec.to.some(
        (to) => to.group === '' && to.kind === kind && (to.name === undefined || to.name === ref.name),
      ),
  );
}

/** Whether a route of `namespace` may refer to a service. */
export function isGranted(
  ref: Pick<BackendObjectRef, 'name' | 'namespace'>,
  namespace: string,
  grants: readonly ReferenceGrant[],
): boolean {
  return isAllowed(ref, 'Service', { kinds: ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'], namespace }, grants);
}

/** Whether a Gateway of `namespace` may refer to a secret, or to CAs in a ConfigMap. */
export function isSecretGranted(
  ref: Reference,
  namespace: string,
  grants: readonly ReferenceGrant[],
  kind: 'Secret' | 'ConfigMap' = 'Secret',
): boolean {
  return isAllowed(ref, kind, { kinds: ['Gateway'], namespace }, grants);
}
