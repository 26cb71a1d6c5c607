/** Kubernetes Namespace (v1): read for its labels, by which Gateways let routes of namespaces in. */
import { z } from 'zod';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

export const Namespace = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Namespace'),
  /** Compose projects are namespaces, so names may have "_" and capitals. */
  metadata: z.strictObject({
    ...ResourceMetadata.shape,
    name: z
      .string()
      .max(63)
      .regex(/^[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?$/, 'must be the name of a namespace'),
  }),
  spec: Kept,
  status: Kept,
});
export type Namespace = z.infer<typeof Namespace>;
