/** Istio VirtualService (networking/v1alpha3/virtual_service.proto), with what this release applies spelled out. */
import { z } from 'zod';
import { Duration, PositiveDuration } from './duration.ts';
import { Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';
import { StringMatch } from './sidecar-config.ts';

const Port = z.number().int().min(1).max(65_535);
const HeaderMatch = z.record(
  z.string(),
  z.union([StringMatch, z.strictObject({})], 'give exact, prefix or regex, or {}'),
);

export const HttpMatchRequest = z
  .strictObject({
    name: z.string().optional(),
    uri: StringMatch.optional(),
    ignoreUriCase: z.boolean().optional(),
    scheme: StringMatch.optional(),
    method: StringMatch.optional(),
    authority: StringMatch.optional(),
    headers: HeaderMatch.optional(),
    withoutHeaders: HeaderMatch.optional(),
    queryParams: z.record(z.string(), StringMatch).optional(),
    port: Port.optional(),
    /** The next three select which sidecars get the rule; they are no run-time conditions. */
    sourceLabels: z.record(z.string(), z.string()).optional(),
    sourceNamespace: z.string().optional(),
    gateways: z.array(z.string()).optional(),
    statPrefix: Kept,
  })
  .refine((match) => Object.keys(match).length > 0, {
    error: 'must not be empty; leave `match` out to match everything',
  });
export type HttpMatchRequest = z.infer<typeof HttpMatchRequest>;

/** Percentage absent = 0: nothing is injected. */
const Percentage = z.strictObject({ value: z.number().min(0).max(100).optional() });

export const HttpFault = z
  .strictObject({
    delay: z
      .strictObject({
        percentage: Percentage.optional(),
        /** Deprecated in Istio for `percentage`. */
        percent: z.number().int().min(0).max(100).optional(),
        fixedDelay: PositiveDuration.optional(),
        exponentialDelay: Kept,
      })
      .optional(),
    abort: z
      .strictObject({
        percentage: Percentage.optional(),
        httpStatus: z.number().int().min(200).max(599).optional(),
        grpcStatus: Kept,
        http2Error: Kept,
      })
      .optional(),
  })
  .refine((fault) => fault.delay !== undefined || fault.abort !== undefined, { error: 'give delay, abort or both' });
export type HttpFault = z.infer<typeof HttpFault>;

export const HttpRouteDestination = z.strictObject({
  destination: z.strictObject({
    host: z.string().min(1),
    subset: z.string().optional(),
    port: z.strictObject({ number: Port }).optional(),
  }),
  weight: z.number().int().min(0).optional(),
  headers: Kept,
});
export type HttpRouteDestination = z.infer<typeof HttpRouteDestination>;

export const HttpRule = z.strictObject({
  name: z.string().optional(),
  match: z.array(HttpMatchRequest).optional(),
  route: z.array(HttpRouteDestination).min(1).optional(),
  /** Absent or 0s: no timeout. */
  timeout: Duration.optional(),
  fault: HttpFault.optional(),
  redirect: Kept,
  directResponse: Kept,
  delegate: Kept,
  rewrite: Kept,
  retries: Kept,
  mirror: Kept,
  mirrors: Kept,
  mirrorPercent: Kept,
  mirror_percent: Kept,
  mirrorPercentage: Kept,
  corsPolicy: Kept,
  headers: Kept,
});
export type HttpRule = z.infer<typeof HttpRule>;

export const VirtualService = z.strictObject({
  apiVersion: networkingApiVersion,
  kind: z.literal('VirtualService'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    hosts: z.array(z.string().min(1)).min(1),
    /** Absent: all sidecars. Listed without `mesh`: gateways only. */
    gateways: z.array(z.string()).optional(),
    http: z.array(HttpRule).optional(),
    tls: Kept,
    tcp: Kept,
    exportTo: Kept,
  }),
  status: Kept,
});
export type VirtualService = z.infer<typeof VirtualService>;
