/**
 * What a sidecar does with requests beyond choosing a destination, as it is told by the control plane: the compiled forms
 * of a VirtualService's actions and of a DestinationRule's traffic policy. Defaults are filled in where these are compiled
 * (snapshot/); what is absent here is not done.
 */
import { z } from 'zod';

const Pairs = z.array(z.tuple([z.string(), z.string()]));

/** Removed first, then set (replaces), then added (appends). Names are lower-case. */
export const HeaderOperations = z.strictObject({ remove: z.array(z.string()), set: Pairs, add: Pairs });
export type HeaderOperations = z.infer<typeof HeaderOperations>;

export const HeaderChanges = z.strictObject({
  request: HeaderOperations.optional(),
  response: HeaderOperations.optional(),
});
export type HeaderChanges = z.infer<typeof HeaderChanges>;

export const RewriteConfig = z.strictObject({
  /** Instead of the prefix that matched, or of the whole path after any other match. */
  uri: z.string().optional(),
  /** RE2 pattern, not anchored; `\1` in `by` is a group. */
  regex: z.strictObject({ pattern: z.string(), by: z.string() }).optional(),
  authority: z.string().optional(),
});
export type RewriteConfig = z.infer<typeof RewriteConfig>;

export const RedirectConfig = z.strictObject({
  status: z.number().int(),
  /** The whole path, or (`prefix`) what stands for the prefix that matched. */
  uri: z.string().optional(),
  prefix: z.string().optional(),
  authority: z.string().optional(),
  scheme: z.string().optional(),
  /** `default`: none is written; `request`: the one the request came to. */
  port: z.union([z.number().int(), z.enum(['default', 'request'])]).optional(),
});
export type RedirectConfig = z.infer<typeof RedirectConfig>;

export const DirectResponseConfig = z.strictObject({
  status: z.number().int(),
  /** Base64. */
  body: z.string(),
});
export type DirectResponseConfig = z.infer<typeof DirectResponseConfig>;

export const RetryConfig = z.strictObject({
  /** Beyond the first attempt. */
  attempts: z.number().int().min(0),
  /** Comma-separated conditions; see policy/retry-conditions.ts. */
  retryOn: z.string(),
  /** `null`: an attempt may take as long as the route. */
  perTryTimeoutMs: z.number().int().min(1).nullable(),
  backoffBaseMs: z.number().int().min(1),
  /** An attempt goes to an endpoint that has not been tried, if it can. */
  avoidPreviousHosts: z.boolean(),
});
export type RetryConfig = z.infer<typeof RetryConfig>;

export const CorsConfig = z.strictObject({
  origins: z.array(
    z.union([
      z.strictObject({ exact: z.string() }),
      z.strictObject({ prefix: z.string() }),
      z.strictObject({ regex: z.string() }),
    ]),
  ),
  allowMethods: z.string(),
  allowHeaders: z.string(),
  exposeHeaders: z.string(),
  maxAgeSeconds: z.number().int().nullable(),
  allowCredentials: z.boolean(),
  forwardUnmatchedPreflights: z.boolean(),
});
export type CorsConfig = z.infer<typeof CorsConfig>;

export const MirrorConfig = z.strictObject({
  service: z.string(),
  subset: z.string().nullable(),
  port: z.number().int().nullable(),
  percent: z.number().min(0).max(100),
});
export type MirrorConfig = z.infer<typeof MirrorConfig>;

const HashKey = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('header'), name: z.string() }),
  /** `ttlSeconds` `null`: a missing cookie is not made; 0: a session cookie. */
  z.strictObject({
    kind: z.literal('cookie'),
    name: z.string(),
    path: z.string(),
    ttlSeconds: z.number().int().nullable(),
  }),
  z.strictObject({ kind: z.literal('source-ip') }),
  z.strictObject({ kind: z.literal('query'), name: z.string() }),
]);
export type HashKey = z.infer<typeof HashKey>;

export const LoadBalancerConfig = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('least-request') }),
  z.strictObject({ kind: z.literal('round-robin') }),
  z.strictObject({ kind: z.literal('random') }),
  /** The address that was dialled. */
  z.strictObject({ kind: z.literal('passthrough') }),
  z.strictObject({
    kind: z.literal('hash'),
    key: HashKey,
    table: z.enum(['ring', 'maglev']),
    /** Least size of the ring, or size of the Maglev table. */
    size: z.number().int().min(1),
  }),
]);
export type LoadBalancerConfig = z.infer<typeof LoadBalancerConfig>;

export const OutlierConfig = z.strictObject({
  consecutive5xx: z.number().int().min(0),
  consecutiveGatewayErrors: z.number().int().min(0),
  consecutiveLocalOriginFailures: z.number().int().min(0).nullable(),
  intervalMs: z.number().int().min(1),
  baseEjectionMs: z.number().int().min(1),
  maxEjectionMs: z.number().int().min(1),
  maxEjectionPercent: z.number().min(0).max(100),
  /** Panic threshold; 0: never. */
  minHealthPercent: z.number().min(0).max(100),
  /** Statuses that count as errors; absent: 500 and up. */
  errorCodes: z.array(z.number().int()).optional(),
});
export type OutlierConfig = z.infer<typeof OutlierConfig>;

export const WarmUpConfig = z.strictObject({
  durationMs: z.number().int().min(1),
  minimumPercent: z.number().min(0).max(100),
  aggression: z.number().min(0),
});
export type WarmUpConfig = z.infer<typeof WarmUpConfig>;

/** Policy towards the endpoints of a service, or of one of its subsets, on one port or on all. Everything absent: Istio's default. */
export const ClusterPolicy = z.strictObject({
  loadBalancer: LoadBalancerConfig.optional(),
  warmUp: WarmUpConfig.optional(),
  outlier: OutlierConfig.optional(),
  /** Absent: no limit. */
  maxConnections: z.number().int().min(1).optional(),
  maxPendingRequests: z.number().int().min(0).optional(),
  maxRequests: z.number().int().min(1).optional(),
  maxRetries: z.number().int().min(0).optional(),
  retryBudget: z.strictObject({ percent: z.number(), minRetryConcurrency: z.number().int() }).optional(),
  /** Absent: no limit; 1: a connection per request. */
  maxRequestsPerConnection: z.number().int().min(1).optional(),
  /** Absent: 10 s. */
  connectTimeoutMs: z.number().int().min(1).optional(),
  /** Absent: 1 h. 0: never. */
  idleTimeoutMs: z.number().int().min(0).optional(),
});
export type ClusterPolicy = z.infer<typeof ClusterPolicy>;

/** Priority (0 first) and weight of an endpoint for one source, by locality. Endpoints that are not listed: 0 and 1. */
export const EndpointShare = z.strictObject({
  /** Workload id. */
  endpoint: z.string(),
  priority: z.number().int().min(0),
  /** Relative to the others of its priority; 0: gets nothing. */
  weight: z.number().min(0),
});
export type EndpointShare = z.infer<typeof EndpointShare>;

/** Local token bucket: `burst` tokens at first, `requests` more per interval. */
export const RateLimitConfig = z.strictObject({
  id: z.string(),
  requests: z.number().int().min(1),
  intervalMs: z.number().positive(),
  burst: z.number().int().min(1),
  /** `client`: a bucket per calling workload or address. */
  per: z.enum(['workload', 'client']),
});
export type RateLimitConfig = z.infer<typeof RateLimitConfig>;

/** `subset` and `port` `null`: for all that no other entry is for. The most specific entry counts, alone. */
export const PolicyEntry = z.strictObject({
  subset: z.string().nullable(),
  port: z.number().int().nullable(),
  policy: ClusterPolicy,
});
export type PolicyEntry = z.infer<typeof PolicyEntry>;

/** The policy for a subset and port: subset and port, subset, port, then the service's. Same empty object when there is none. */
export function policyOf(entries: readonly PolicyEntry[], subset: string | null, port: number): ClusterPolicy {
  let best: PolicyEntry | null = null;
  let rank = -1;
  for (const entry of entries) {
    if (entry.subset !== null && entry.subset !== subset) continue;
    if (entry.port !== null && entry.port !== port) continue;
    const specific = (entry.subset === null ? 0 : 2) + (entry.port === null ? 0 : 1);
    if (specific > rank) [best, rank] = [entry, specific];
  }
  return best?.policy ?? noPolicy;
}

const noPolicy: ClusterPolicy = {};
