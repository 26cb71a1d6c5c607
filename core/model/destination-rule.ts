/** Istio DestinationRule (networking/v1alpha3/destination_rule.proto): subsets, and how callers reach them. */
import { z } from 'zod';
import { StringMap, Strings } from './api-fields.ts';
import { WorkloadLabels } from './load-balancer.ts';
import { Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';
import { TrafficPolicy } from './traffic-policy.ts';

export const Subset = z.strictObject({
  name: z.string().min(1),
  /** Labels of a workload, plus `app` (its service) and `version`. None: every workload of the host. */
  labels: StringMap.optional(),
  /** Overrides the rule's own policy, field by field; applies only where a route names the subset. */
  trafficPolicy: TrafficPolicy.optional(),
});
export type Subset = z.infer<typeof Subset>;

export const DestinationRule = z.strictObject({
  apiVersion: networkingApiVersion,
  kind: z.literal('DestinationRule'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    host: z.string().min(1),
    trafficPolicy: TrafficPolicy.optional(),
    subsets: z.array(Subset).optional(),
    exportTo: Strings.optional(),
    /** Callers that the rule is for; absent: all. */
    workloadSelector: WorkloadLabels.optional(),
  }),
  status: Kept,
});
export type DestinationRule = z.infer<typeof DestinationRule>;
