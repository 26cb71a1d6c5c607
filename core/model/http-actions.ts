/**
 * What a rule of an Istio VirtualService may do with a request (networking/v1alpha3/virtual_service.proto): redirect,
 * answer, rewrite, retry, mirror, change headers, CORS, delay and abort. Bounds here, contradictions in check-http-rule.ts.
 */
import { z } from 'zod';
import { Int32, MillisecondDuration, OptionalPortNumber, Percent, StringMap, Strings } from './api-fields.ts';
import { PositiveDuration } from './duration.ts';
import { StringMatch } from './sidecar-config.ts';

/** A destination of traffic; `host` may be short (then of the rule's own namespace). */
export const Destination = z.strictObject({
  host: z.string().min(1),
  subset: z.string().optional(),
  /** `number` must be given when there is a port; 0 is refused by the checks. */
  port: z.strictObject({ number: OptionalPortNumber.optional() }).optional(),
});
export type Destination = z.infer<typeof Destination>;

const HeaderOperations = z.strictObject({
  set: StringMap.optional(),
  add: StringMap.optional(),
  remove: Strings.optional(),
});
export type HeaderOperations = z.infer<typeof HeaderOperations>;

export const Headers = z.strictObject({ request: HeaderOperations.optional(), response: HeaderOperations.optional() });
export type Headers = z.infer<typeof Headers>;

export const HttpRedirect = z.strictObject({
  /** Replaces the whole path, also on a prefix match. */
  uri: z.string().optional(),
  authority: z.string().optional(),
  port: OptionalPortNumber.optional(),
  derivePort: z.enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']).optional(),
  scheme: z.string().optional(),
  /** Default 301. */
  redirectCode: z.number().int().min(0).optional(),
  /** Replaces the prefix that matched. */
  prefixRewrite: z.string().optional(),
});
export type HttpRedirect = z.infer<typeof HttpRedirect>;

export const HttpDirectResponse = z.strictObject({
  status: z.number().int().min(0),
  body: z.strictObject({ string: z.string().optional(), bytes: z.base64().optional() }).optional(),
});
export type HttpDirectResponse = z.infer<typeof HttpDirectResponse>;

export const HttpRewrite = z.strictObject({
  /** Replaces the prefix that matched; the whole path for any other match. */
  uri: z.string().optional(),
  authority: z.string().optional(),
  /** `rewrite` may name groups as `\1`. */
  uriRegexRewrite: z.strictObject({ match: z.string().optional(), rewrite: z.string().optional() }).optional(),
});
export type HttpRewrite = z.infer<typeof HttpRewrite>;

export const HttpRetry = z.strictObject({
  /** Beyond the first try; 0 switches retries off. */
  attempts: Int32.optional(),
  /** Default: the route's timeout. */
  perTryTimeout: MillisecondDuration.optional(),
  /** Envoy's conditions, comma-separated; numbers are status codes. */
  retryOn: z.string().optional(),
  retryRemoteLocalities: z.boolean().optional(),
  /** Default true, except with consistent hash. */
  retryIgnorePreviousHosts: z.boolean().optional(),
  /** Base of the exponential back-off; default 25 ms. */
  backoff: MillisecondDuration.optional(),
});
export type HttpRetry = z.infer<typeof HttpRetry>;

export const CorsPolicy = z.strictObject({
  /** Deprecated for `allowOrigins`. */
  allowOrigin: Strings.optional(),
  allowOrigins: z.array(StringMatch).optional(),
  allowMethods: Strings.optional(),
  allowHeaders: Strings.optional(),
  exposeHeaders: Strings.optional(),
  maxAge: MillisecondDuration.optional(),
  allowCredentials: z.boolean().optional(),
  /** Preflights of other origins: FORWARD (the default) sends them on, IGNORE answers 200 without CORS headers. */
  unmatchedPreflights: z.enum(['UNSPECIFIED', 'FORWARD', 'IGNORE']).optional(),
});
export type CorsPolicy = z.infer<typeof CorsPolicy>;

export const HttpMirror = z.strictObject({
  destination: Destination,
  /** Default 100 %. */
  percentage: Percent.optional(),
});

/** Percentage absent = 0: nothing is injected. */
export const HttpFault = z
  .strictObject({
    delay: z
      .strictObject({
        percentage: Percent.optional(),
        /** Deprecated in Istio for `percentage`. */
        percent: z.number().int().optional(),
        fixedDelay: PositiveDuration.optional(),
        exponentialDelay: PositiveDuration.optional(),
      })
      .optional(),
    abort: z
      .strictObject({
        percentage: Percent.optional(),
        httpStatus: z.number().int().min(200).max(599).optional(),
        /** A name such as UNAVAILABLE. */
        grpcStatus: z.string().optional(),
        http2Error: z.string().optional(),
      })
      .optional(),
  })
  .refine((fault) => fault.delay !== undefined || fault.abort !== undefined, { error: 'give delay, abort or both' });
export type HttpFault = z.infer<typeof HttpFault>;

/** Only these two may stand next to `delegate`'s siblings; `namespace` default: the root's own. */
export const Delegate = z.strictObject({ name: z.string().optional(), namespace: z.string().optional() });
