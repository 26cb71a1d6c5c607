/** Gateway API HTTPRoute (gateway.networking.k8s.io/v1, httproute_types.go); its own precedence, see snapshot/routes/gateway-routes.ts. */
import { z } from 'zod';
import { GatewayDuration, PortNumber } from './api-fields.ts';
import { parseDuration } from './duration.ts';
import {
  distinctNames,
  HeaderMatch,
  HeaderModifier,
  HeaderName,
  LocalObjectRef,
  oncePerType,
  ParentRefs,
  PreciseHostname,
  RequestMirror,
  RouteHostname,
  SectionName,
  weightedBackendRef,
} from './gateway-api-fields.ts';
import { re2Problem } from './re2.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

const PathModifier = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ReplaceFullPath'), replaceFullPath: z.string().max(1024) }),
  z.strictObject({ type: z.literal('ReplacePrefixMatch'), replacePrefixMatch: z.string().max(1024) }),
]);

const RequestRedirect = z.strictObject({
  scheme: z.enum(['http', 'https']).optional(),
  hostname: PreciseHostname.optional(),
  path: PathModifier.optional(),
  port: PortNumber.optional(),
  /** Default 302. */
  statusCode: z.union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)]).optional(),
});

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;
const aloneIfAny = (values: readonly string[]) => values.length < 2 || !values.includes('*');
const isSet = (items: readonly string[]): boolean => new Set(items).size === items.length;
const twice = { error: 'has an entry twice' };
const alone = { error: '"*" must stand alone' };

const Cors = z.strictObject({
  allowOrigins: z
    .array(
      z
        .string()
        .max(253)
        .regex(
          /^\*$|^https?:\/\/((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?$/,
          'must be an origin such as https://*.example.com',
        ),
    )
    .max(64)
    .refine(aloneIfAny, alone)
    .refine(isSet, twice)
    .optional(),
  allowMethods: z
    .array(z.enum([...methods, '*']))
    .max(9)
    .refine(aloneIfAny, alone)
    .refine(isSet, twice)
    .optional(),
  allowHeaders: z.array(HeaderName).max(64).refine(aloneIfAny, alone).refine(isSet, twice).optional(),
  exposeHeaders: z.array(HeaderName).max(64).refine(isSet, twice).optional(),
  allowCredentials: z.boolean().optional(),
  /** Seconds, default 5. */
  maxAge: z.number().int().min(1).optional(),
});

/** `type` names the one field that is there. */
const Filter = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('RequestHeaderModifier'), requestHeaderModifier: HeaderModifier }),
  z.strictObject({ type: z.literal('ResponseHeaderModifier'), responseHeaderModifier: HeaderModifier }),
  z.strictObject({ type: z.literal('RequestMirror'), requestMirror: RequestMirror }),
  z.strictObject({ type: z.literal('RequestRedirect'), requestRedirect: RequestRedirect }),
  z.strictObject({
    type: z.literal('URLRewrite'),
    urlRewrite: z.strictObject({ hostname: PreciseHostname.optional(), path: PathModifier.optional() }),
  }),
  z.strictObject({ type: z.literal('CORS'), cors: Cors }),
  z.strictObject({ type: z.literal('ExtensionRef'), extensionRef: LocalObjectRef }),
  z.strictObject({
    type: z.literal('ExternalAuth'),
    externalAuth: z.looseObject({ protocol: z.enum(['HTTP', 'GRPC']) }),
  }),
]);
export type HttpRouteFilter = z.infer<typeof Filter>;

const Filters = z
  .array(Filter)
  .max(16)
  .refine((filters) => oncePerType(filters, ['RequestMirror', 'ExtensionRef', 'ExternalAuth']), {
    error: 'has a filter twice that may be there once',
  })
  .refine(
    (filters) =>
      !(['RequestRedirect', 'URLRewrite'] as const).every((type) => filters.some((filter) => filter.type === type)),
    {
      error: 'has RequestRedirect and URLRewrite',
    },
  );

/** What exact and prefix paths must look like: no `//`, no dot segments, no encoded slash, no fragment. */
function isPlainPath(value: string): boolean {
  return (
    value.startsWith('/') &&
    !/\/\/|\/\.{1,2}(?:\/|$)|%2f|#/i.test(value) &&
    /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/.test(value)
  );
}

const PathMatch = z
  .strictObject({
    type: z.enum(['Exact', 'PathPrefix', 'RegularExpression']).optional(),
    value: z.string().max(1024).optional(),
  })
  .refine(({ type = 'PathPrefix', value = '/' }) => type === 'RegularExpression' || isPlainPath(value), {
    error: 'must be a path: "/" first, no "//", no "." or ".." segments, no encoded slash',
  })
  .refine(({ type, value = '/' }) => type !== 'RegularExpression' || re2Problem(value) === null, {
    error: 'is no RE2 expression',
  });

export const HttpRouteMatch = z.strictObject({
  path: PathMatch.optional(),
  headers: z.array(HeaderMatch).max(16).optional(),
  queryParams: z
    .array(
      z.strictObject({
        type: z.enum(['Exact', 'RegularExpression']).optional(),
        name: HeaderName,
        value: z.string().min(1).max(1024),
      }),
    )
    .max(16)
    .optional(),
  method: z.enum(methods).optional(),
});
export type HttpRouteMatch = z.infer<typeof HttpRouteMatch>;

export const SessionPersistence = z.strictObject({
  sessionName: z.string().max(128).optional(),
  absoluteTimeout: GatewayDuration.optional(),
  idleTimeout: GatewayDuration.optional(),
  type: z.enum(['Cookie', 'Header']).optional(),
  cookieConfig: z.strictObject({ lifetimeType: z.enum(['Permanent', 'Session']).optional() }).optional(),
});

const Rule = z
  .strictObject({
    name: SectionName.optional(),
    /** Absent: every path. */
    matches: z.array(HttpRouteMatch).max(64).optional(),
    filters: Filters.optional(),
    backendRefs: z
      .array(weightedBackendRef({ filters: Filters.optional() }))
      .max(16)
      .optional(),
    timeouts: z
      .strictObject({ request: GatewayDuration.optional(), backendRequest: GatewayDuration.optional() })
      .refine(({ request = '0s', backendRequest = '0s' }) => isWithin(request, backendRequest), {
        error: 'has a backendRequest that is longer than request',
      })
      .optional(),
    retry: z
      .strictObject({
        codes: z.array(z.number().int().min(400).max(599)).optional(),
        attempts: z.number().int().min(1).optional(),
        backoff: GatewayDuration.optional(),
      })
      .optional(),
    sessionPersistence: SessionPersistence.optional(),
  })
  .refine((rule) => !(rule.backendRefs?.length && rule.filters?.some(({ type }) => type === 'RequestRedirect')), {
    error: 'has backendRefs next to RequestRedirect',
  })
  .refine(prefixRewriteHasPrefix, { error: 'replaces a prefix, so it needs exactly one match, by PathPrefix' });
export type HttpRouteRule = z.infer<typeof Rule>;

/** 0s is "no timeout", which is longer than any. */
function isWithin(request: string, backendRequest: string): boolean {
  const whole = parseDuration(request) ?? 0;
  return whole === 0 || (parseDuration(backendRequest) ?? 0) <= whole;
}

function prefixRewriteHasPrefix(rule: {
  filters?: HttpRouteFilter[] | undefined;
  matches?: HttpRouteMatch[] | undefined;
}): boolean {
  const replacesPrefix = (rule.filters ?? []).some((filter) => {
    const path =
      filter.type === 'URLRewrite'
        ? filter.urlRewrite.path
        : filter.type === 'RequestRedirect'
          ? filter.requestRedirect.path
          : undefined;
    return path?.type === 'ReplacePrefixMatch';
  });
  const { matches = [{}] } = rule;
  return !replacesPrefix || (matches.length === 1 && (matches[0]?.path?.type ?? 'PathPrefix') === 'PathPrefix');
}

export const HTTPRoute = z.strictObject({
  apiVersion: z.enum(['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1']),
  kind: z.literal('HTTPRoute'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    parentRefs: ParentRefs.optional(),
    useDefaultGateways: z.enum(['All', 'None']).optional(),
    hostnames: z.array(RouteHostname).max(16).optional(),
    rules: z.array(Rule).min(1).max(16).refine(distinctNames, { error: 'has a name twice' }).optional(),
  }),
  status: Kept,
});
export type HTTPRoute = z.infer<typeof HTTPRoute>;
