/** Istio ProxyConfig (networking/v1beta1/proxy_config.proto): how a sidecar itself runs. */
import { z } from 'zod';
import { Int32, StringMap } from './api-fields.ts';
import { WorkloadLabels } from './load-balancer.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

export const ProxyConfig = z.strictObject({
  apiVersion: z.enum(['networking.istio.io/v1', 'networking.istio.io/v1beta1']),
  kind: z.literal('ProxyConfig'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    selector: WorkloadLabels.optional(),
    /** Worker threads; 0: as many as processors. */
    concurrency: Int32.min(0).optional(),
    environmentVariables: StringMap.optional(),
    image: z.strictObject({ imageType: z.string().optional() }).optional(),
  }),
  status: Kept,
});
export type ProxyConfig = z.infer<typeof ProxyConfig>;
