/** Istio WorkloadGroup (networking/v1alpha3/workload_group.proto): the template of WorkloadEntries that register themselves. */
import { z } from 'zod';
import { Int32, OptionalPortNumber, PortNumber, StringMap, Strings, Uint32 } from './api-fields.ts';
import { Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';

const Seconds = Int32.min(0).optional();

const Probe = z
  .strictObject({
    initialDelaySeconds: Seconds,
    timeoutSeconds: Seconds,
    periodSeconds: Seconds,
    successThreshold: Seconds,
    failureThreshold: Seconds,
    httpGet: z
      .strictObject({
        path: z.string().optional(),
        port: PortNumber,
        host: z.string().optional(),
        scheme: z.enum(['HTTP', 'HTTPS']).optional(),
        httpHeaders: z
          .array(
            z.strictObject({
              name: z.string().regex(/^[-A-Za-z0-9]+$/, 'must be a header name'),
              value: z.string().optional(),
            }),
          )
          .optional(),
      })
      .optional(),
    tcpSocket: z.strictObject({ host: z.string().optional(), port: PortNumber }).optional(),
    exec: z.strictObject({ command: Strings.min(1) }).optional(),
    grpc: z.strictObject({ port: OptionalPortNumber.optional(), service: z.string().optional() }).optional(),
  })
  .refine(
    ({ httpGet, tcpSocket, exec }) => [httpGet, tcpSocket, exec].filter((one) => one !== undefined).length === 1,
    {
      error: 'give exactly one of httpGet, tcpSocket and exec',
    },
  );

export const WorkloadGroup = z.strictObject({
  apiVersion: networkingApiVersion,
  kind: z.literal('WorkloadGroup'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    metadata: z.strictObject({ labels: StringMap.optional(), annotations: StringMap.optional() }).optional(),
    template: z.strictObject({
      address: z.string().optional(),
      ports: z.record(z.string(), Uint32).optional(),
      labels: StringMap.optional(),
      network: z.string().optional(),
      locality: z.string().optional(),
      weight: Uint32.optional(),
      serviceAccount: z.string().optional(),
    }),
    probe: Probe.optional(),
  }),
  status: Kept,
});
export type WorkloadGroup = z.infer<typeof WorkloadGroup>;
