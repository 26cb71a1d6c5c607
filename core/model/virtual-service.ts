/** Istio VirtualService (networking/v1alpha3/virtual_service.proto). */
import { z } from 'zod';
import {
  MillisecondDuration,
  NonNegative,
  OptionalPortNumber,
  StringMap,
  StringMatchOrAny,
  Strings,
  Uint32,
} from './api-fields.ts';
import {
  CorsPolicy,
  Delegate,
  Destination,
  Headers,
  HttpDirectResponse,
  HttpFault,
  HttpMirror,
  HttpRedirect,
  HttpRetry,
  HttpRewrite,
} from './http-actions.ts';
import { TcpRule, TlsRule } from './l4-rules.ts';
import { Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';

const HeaderMatch = z.record(z.string(), StringMatchOrAny);

export const HttpMatchRequest = z.strictObject({
  name: z.string().optional(),
  uri: StringMatchOrAny.optional(),
  ignoreUriCase: z.boolean().optional(),
  scheme: StringMatchOrAny.optional(),
  method: StringMatchOrAny.optional(),
  authority: StringMatchOrAny.optional(),
  headers: HeaderMatch.optional(),
  withoutHeaders: HeaderMatch.optional(),
  queryParams: z.record(z.string(), StringMatchOrAny).optional(),
  port: OptionalPortNumber.optional(),
  /** The next three select which sidecars get the rule; they are no run-time conditions. */
  sourceLabels: StringMap.optional(),
  sourceNamespace: z.string().optional(),
  gateways: Strings.optional(),
  statPrefix: z.string().optional(),
});
export type HttpMatchRequest = z.infer<typeof HttpMatchRequest>;

export const HttpRouteDestination = z.strictObject({
  destination: Destination,
  weight: NonNegative.optional(),
  headers: Headers.optional(),
});
export type HttpRouteDestination = z.infer<typeof HttpRouteDestination>;

export const HttpRule = z.strictObject({
  name: z.string().optional(),
  match: z.array(HttpMatchRequest).optional(),
  route: z.array(HttpRouteDestination).optional(),
  /** Absent: no timeout. */
  timeout: MillisecondDuration.optional(),
  fault: HttpFault.optional(),
  redirect: HttpRedirect.optional(),
  directResponse: HttpDirectResponse.optional(),
  delegate: Delegate.optional(),
  rewrite: HttpRewrite.optional(),
  /** Absent: Istio's default policy, two retries; see policy/retry-policy.ts. */
  retries: HttpRetry.optional(),
  mirror: Destination.optional(),
  mirrors: z.array(HttpMirror).optional(),
  /** Deprecated for `mirrorPercentage`. */
  mirrorPercent: Uint32.optional(),
  mirror_percent: Uint32.optional(),
  mirrorPercentage: z.strictObject({ value: z.number().optional() }).optional(),
  corsPolicy: CorsPolicy.optional(),
  headers: Headers.optional(),
});
export type HttpRule = z.infer<typeof HttpRule>;

export const VirtualService = z.strictObject({
  apiVersion: networkingApiVersion,
  kind: z.literal('VirtualService'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    /** Absent in one that others delegate to. */
    hosts: Strings.optional(),
    /** Absent: all sidecars. Listed without `mesh`: gateways only. */
    gateways: Strings.optional(),
    http: z.array(HttpRule).optional(),
    tls: z.array(TlsRule).optional(),
    tcp: z.array(TcpRule).optional(),
    exportTo: Strings.optional(),
  }),
  status: Kept,
});
export type VirtualService = z.infer<typeof VirtualService>;
