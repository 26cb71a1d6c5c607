/** Istio PeerAuthentication (security/v1beta1/peer_authentication.proto): does a workload ask for mutual TLS. */
import { z } from 'zod';
import { Kept, ResourceMetadata, securityApiVersion } from './resource-metadata.ts';

/** `UNSET` inherits from the next wider scope. */
export const PeerMtlsMode = z.enum(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']);
export type PeerMtlsMode = z.infer<typeof PeerMtlsMode>;

const Mtls = z.strictObject({ mode: PeerMtlsMode.optional() });

export const PeerAuthentication = z.strictObject({
  apiVersion: securityApiVersion,
  kind: z.literal('PeerAuthentication'),
  metadata: ResourceMetadata,
  spec: z
    .strictObject({
      /** Absent: the whole namespace; in the root namespace, the whole mesh. */
      selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()).optional() }).optional(),
      mtls: Mtls.optional(),
      /** By the workload's port, not the service's. */
      portLevelMtls: z.record(z.string().regex(/^\d{1,5}$/, 'must be a port number'), Mtls).optional(),
    })
    .refine((spec) => spec.portLevelMtls === undefined || hasSelector(spec.selector), {
      path: ['portLevelMtls'],
      error: 'needs a selector: ports belong to workloads',
    })
    // Without one, the policy says nothing and is taken (istioctl, Kubernetes).
    .default({}),
  status: Kept,
});
export type PeerAuthentication = z.infer<typeof PeerAuthentication>;

function hasSelector(selector: { matchLabels?: Record<string, string> | undefined } | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length > 0;
}

/** Labels the policy selects by; `null` when it is for a whole namespace or mesh. */
export function selectorOf(policy: PeerAuthentication): Readonly<Record<string, string>> | null {
  return hasSelector(policy.spec.selector) ? (policy.spec.selector?.matchLabels ?? null) : null;
}
