import { z } from 'zod';

export const defaultNamespace = 'default';

/** Kubernetes ObjectMeta as far as it matters outside of Kubernetes. No `namespace`: `default`. */
export const ResourceMetadata = z.strictObject({
  name: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be a Kubernetes name: lower-case letters, digits, "-" and "."'),
  /** Compose projects are namespaces too, so "_" is allowed; an export makes it a Kubernetes name. */
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9][-_.A-Za-z0-9]*$/, 'must be a namespace: letters, digits, "-" and "_"')
    .optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  /** Decides between two policies of one scope (the oldest wins) when it is there. */
  creationTimestamp: z.string().nullish(),
  generation: z.unknown().optional(),
  resourceVersion: z.unknown().optional(),
  uid: z.unknown().optional(),
  managedFields: z.unknown().optional(),
  selfLink: z.unknown().optional(),
  generateName: z.unknown().optional(),
  finalizers: z.unknown().optional(),
  ownerReferences: z.unknown().optional(),
  deletionTimestamp: z.unknown().optional(),
  deletionGracePeriodSeconds: z.unknown().optional(),
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

/** A valid Kubernetes name (DNS label) from any name: lower-case, other characters become `-`, at most 63 long. */
export function toResourceName(name: string): string {
  const cleaned = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return cleaned === '' ? 'unnamed' : cleaned;
}
