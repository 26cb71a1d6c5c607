/** Istio DestinationRule (networking/v1alpha3/destination_rule.proto): subsets, and whether callers use mutual TLS. */
import { z } from 'zod';
import { Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';

const TrafficPolicy = z.strictObject({
  tls: z
    .strictObject({
      /** `DISABLE` makes callers use plaintext; `ISTIO_MUTUAL` is what the mesh does by itself. */
      mode: z.enum(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']).optional(),
      clientCertificate: Kept,
      privateKey: Kept,
      caCertificates: Kept,
      caCrl: Kept,
      credentialName: Kept,
      subjectAltNames: Kept,
      sni: Kept,
      insecureSkipVerify: Kept,
    })
    .optional(),
  loadBalancer: Kept,
  connectionPool: Kept,
  outlierDetection: Kept,
  portLevelSettings: Kept,
  tunnel: Kept,
  proxyProtocol: Kept,
  retryBudget: Kept,
});

export const Subset = z.strictObject({
  name: z.string().min(1),
  /** Labels of a workload, plus `app` (its service) and `version`. None: every workload of the host. */
  labels: z.record(z.string(), z.string()).optional(),
  trafficPolicy: Kept,
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
    exportTo: Kept,
    workloadSelector: Kept,
  }),
  status: Kept,
});
export type DestinationRule = z.infer<typeof DestinationRule>;
