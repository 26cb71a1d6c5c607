/** Istio ServiceEntry (networking/v1alpha3/service_entry.proto): a service that no container engine knows of. */
import { z } from 'zod';
import { OptionalPortNumber, StringMap, Strings } from './api-fields.ts';
import { Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';
import { WorkloadEntrySpec } from './workload-entry.ts';

export const ServiceEntry = z.strictObject({
  apiVersion: networkingApiVersion,
  kind: z.literal('ServiceEntry'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    hosts: Strings,
    /** Virtual addresses; blocks with NONE and STATIC only. */
    addresses: Strings.optional(),
    ports: z
      .array(
        z.strictObject({
          number: OptionalPortNumber,
          /** Absent: from the name. */
          protocol: z.string().optional(),
          name: z.string(),
          targetPort: OptionalPortNumber.optional(),
        }),
      )
      .optional(),
    /** Default MESH_EXTERNAL. */
    location: z.enum(['MESH_EXTERNAL', 'MESH_INTERNAL']).optional(),
    /** Default NONE: to the address that was dialled. */
    resolution: z.enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']).optional(),
    endpoints: z.array(WorkloadEntrySpec).optional(),
    workloadSelector: z.strictObject({ labels: StringMap.optional() }).optional(),
    exportTo: Strings.optional(),
    subjectAltNames: Strings.optional(),
  }),
  status: Kept,
});
export type ServiceEntry = z.infer<typeof ServiceEntry>;
