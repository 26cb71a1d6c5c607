/** Istio Sidecar (networking/v1alpha3/sidecar.proto): which services a workload may see, and where unknown traffic goes. */
import { z } from 'zod';
import { OptionalPortNumber, StringMap, Strings } from './api-fields.ts';
import { ServerTls } from './gateway.ts';
import { Destination } from './http-actions.ts';
import { Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';
import { ConnectionPool } from './traffic-policy.ts';

const SidecarPort = z.strictObject({
  number: OptionalPortNumber.optional(),
  protocol: z.string().optional(),
  name: z.string().optional(),
  targetPort: OptionalPortNumber.optional(),
});
export type SidecarPort = z.infer<typeof SidecarPort>;

const CaptureMode = z.enum(['DEFAULT', 'IPTABLES', 'NONE']);

export const Sidecar = z.strictObject({
  apiVersion: networkingApiVersion,
  kind: z.literal('Sidecar'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    /** Absent: every workload of the namespace; in the root namespace, of the mesh. */
    workloadSelector: z.strictObject({ labels: StringMap.optional() }).optional(),
    ingress: z
      .array(
        z.strictObject({
          port: SidecarPort,
          bind: z.string().optional(),
          captureMode: CaptureMode.optional(),
          defaultEndpoint: z.string().optional(),
          tls: ServerTls.optional(),
          connectionPool: ConnectionPool.optional(),
        }),
      )
      .optional(),
    egress: z
      .array(
        z.strictObject({
          port: SidecarPort.optional(),
          bind: z.string().optional(),
          captureMode: CaptureMode.optional(),
          /** `namespace/host`; `.` the own namespace, `*` any, `~` none. */
          hosts: Strings,
        }),
      )
      .optional(),
    inboundConnectionPool: ConnectionPool.optional(),
    outboundTrafficPolicy: z
      .strictObject({
        /** As in the API: REGISTRY_ONLY when the policy is there without a mode. */
        mode: z.enum(['REGISTRY_ONLY', 'ALLOW_ANY']).optional(),
        egressProxy: Destination.optional(),
      })
      .optional(),
  }),
  status: Kept,
});
export type Sidecar = z.infer<typeof Sidecar>;
