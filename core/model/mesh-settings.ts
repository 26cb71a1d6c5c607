/** MeshSettings (meshdesk.dev/v1alpha1): what Istio keeps in its MeshConfig, for this mesh. One per project. */
import { z } from 'zod';
import { MillisecondDuration, NonNegative, PortNumber } from './api-fields.ts';
import { HttpRetry } from './http-actions.ts';
import { LocalityLbSetting } from './load-balancer.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

export const MeshSettings = z.strictObject({
  apiVersion: z.literal('meshdesk.dev/v1alpha1'),
  kind: z.literal('MeshSettings'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    /** Default cluster.local. */
    trustDomain: z.string().min(1).optional(),
    /** Namespace whose policies hold for the whole mesh; default istio-system. */
    rootNamespace: z.string().min(1).optional(),
    /** Traffic to hosts that nobody declared. Default ALLOW_ANY. */
    outboundTrafficPolicy: z.strictObject({ mode: z.enum(['ALLOW_ANY', 'REGISTRY_ONLY']) }).optional(),
    /** Of FaultInjections. `retry-first` (default): inside every try; `istio`: once, before retries and timeouts. */
    faultOrder: z.enum(['retry-first', 'istio']).optional(),
    /** For routes without retries of their own; default as in Istio, two attempts. */
    defaultHttpRetryPolicy: HttpRetry.optional(),
    /** Bytes of a request's body that are kept for a retry; default 65536. */
    retryBodyBytes: NonNegative.optional(),
    localityLbSetting: LocalityLbSetting.optional(),
    /** Endpoints that fail are left out by asking them; default off. */
    healthCheck: z
      .strictObject({
        /** GET that has to be answered 200; absent, and without `grpc`: connecting is enough. */
        path: z.string().startsWith('/').optional(),
        /** The standard health service of gRPC has to say SERVING. */
        grpc: z.strictObject({ service: z.string().optional() }).optional(),
        /** Default: where requests go. */
        port: PortNumber.optional(),
        /** Default 5s. */
        interval: MillisecondDuration.optional(),
        /** Percent of the interval that is added by chance, so that sidecars do not ask all at once. Default 10. */
        jitterPercent: z.number().min(0).max(100).optional(),
        /** Default 1s. */
        timeout: MillisecondDuration.optional(),
        /** Default 3. */
        unhealthyThreshold: z.number().int().min(1).optional(),
        /** Default 2. */
        healthyThreshold: z.number().int().min(1).optional(),
      })
      .optional(),
    /** Production host -> local service, where names differ. */
    hostMappings: z.array(z.strictObject({ host: z.string().min(1), service: z.string().min(1) })).optional(),
    /** Production namespace -> local namespace, where names differ. */
    namespaceMappings: z.array(z.strictObject({ namespace: z.string().min(1), local: z.string().min(1) })).optional(),
    /** Local token buckets: held by the service's own sidecars, those of a route by the callers' sidecars. */
    rateLimits: z
      .array(
        z.strictObject({
          /** `name` or `name.namespace`. */
          service: z.string().min(1),
          /** Name of a route of the service; absent: every request that comes to it. */
          route: z.string().min(1).optional(),
          /** One bucket per workload (default), or in it one per caller: by identity, without one by address. */
          per: z.enum(['workload', 'client']).optional(),
          /** Callers are told apart by this header instead. */
          header: z.string().min(1).optional(),
          /** So many per interval. */
          requests: z.number().int().min(1),
          interval: MillisecondDuration,
          /** How many at once, after a pause; default: `requests`. */
          burst: z.number().int().min(1).optional(),
        }),
      )
      .optional(),
  }),
  status: Kept,
});
export type MeshSettings = z.infer<typeof MeshSettings>;
