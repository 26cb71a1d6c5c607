/** What Istio's policies are for: workloads by label, or resources by name; neither: their whole namespace. */
import { z } from 'zod';
import { WorkloadLabels } from './load-balancer.ts';

const TargetRef = z.strictObject({
  /** '' or absent: core. */
  group: z.string().optional(),
  kind: z.string(),
  name: z.string(),
  namespace: z.string().optional(),
});

/** Fields of a spec, to be spread into a schema. */
export const policyTarget = {
  selector: WorkloadLabels.optional(),
  targetRef: TargetRef.optional(),
  targetRefs: z.array(TargetRef).max(16).optional(),
};
