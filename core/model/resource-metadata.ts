import { z } from 'zod';

export const defaultNamespace = 'default';

/** Kubernetes ObjectMeta as far as it matters outside of Kubernetes. No `namespace`: `default`. */
export const ResourceMetadata = z.strictObject({
  name: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be a Kubernetes name: lower-case letters, digits, "-" and "."'),
  namespace: z
    .string()
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a Kubernetes namespace: lower-case letters, digits and "-"')
    .optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  /** Decides between two policies of one scope (the oldest wins) when it is there. */
  creationTimestamp: z.string().nullish(),
  generation: z.unknown().optional(),
  resourceVersion: z.unknown().optional(),
  uid: z.unknown().optional(),
  managedFields: z.unknown().optional(),
});
export type ResourceMetadata = z.infer<typeof ResourceMetadata>;

/** A field that is valid in Istio's API and that is kept and exported, but not applied by this release. */
export const Kept = z.unknown().optional();

export const networkingApiVersion = z.enum([
  'networking.istio.io/v1',
  'networking.istio.io/v1beta1',
  'networking.istio.io/v1alpha3',
]);
export const securityApiVersion = z.enum(['security.istio.io/v1', 'security.istio.io/v1beta1']);
