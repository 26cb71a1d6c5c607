/** SMI TrafficSplit (split.smi-spec.io): weights between backend services, the form that older tutorials show. */
import { z } from 'zod';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

/** Whole numbers; v1alpha1 wrote Kubernetes quantities such as `500m`. */
const Weight = z.union([z.number().int().min(0), z.string().regex(/^\d+m?$/, 'must be a weight such as 90 or 500m')]);

export const TrafficSplit = z.strictObject({
  apiVersion: z.enum([
    'split.smi-spec.io/v1alpha1',
    'split.smi-spec.io/v1alpha2',
    'split.smi-spec.io/v1alpha3',
    'split.smi-spec.io/v1alpha4',
  ]),
  kind: z.literal('TrafficSplit'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    /** The service that callers ask for. */
    service: z.string().min(1),
    /** Services that answer instead. */
    backends: z.array(z.strictObject({ service: z.string().min(1), weight: Weight })).min(1),
    /** HTTPRouteGroups that the split is limited to. */
    matches: z
      .array(z.strictObject({ kind: z.string().optional(), name: z.string(), apiGroup: z.string().optional() }))
      .optional(),
  }),
  status: Kept,
});
export type TrafficSplit = z.infer<typeof TrafficSplit>;

/** Weight as a number, in thousandths when the form has them. */
export function splitWeight(weight: z.infer<typeof Weight>): number {
  if (typeof weight === 'number') return weight * 1_000;
  return weight.endsWith('m') ? Number(weight.slice(0, -1)) : Number(weight) * 1_000;
}
