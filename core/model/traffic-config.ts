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
  /** Every second retry goes to a priority that has not been tried, if it can. */
  remoteLocalities: z.boolean().optional(),
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

/** How endpoints are asked whether they are well; see policy/health-check.ts. */
export const HealthCheckConfig = z.strictObject({
  kind: z.enum(['http', 'grpc', 'tcp']),
  /** For `http`. */
  path: z.string(),
  /** For `grpc`; '': the server as a whole. */
  service: z.string(),
  /** `null`: where requests go. */
  port: z.number().int().min(1).max(65_535).nullable(),
  intervalMs: z.number().int().min(1),
  jitterPercent: z.number().min(0).max(100),
  timeoutMs: z.number().int().min(1),
  unhealthyThreshold: z.number().int().min(1),
  healthyThreshold: z.number().int().min(1),
});
export type HealthCheckConfig = z.infer<typeof HealthCheckConfig>;

/** TLS that a sidecar begins towards an endpoint of its own accord (Istio ClientTLSSettings SIMPLE and MUTUAL). */
export const UpstreamTlsConfig = z.strictObject({
  /** Server name to ask for; absent: the host of the service. */
  sni: z.string().optional(),
  /** Names one of which the certificate must have; `host`: the host of the service; `any`: the chain alone decides. */
  names: z.union([z.array(z.string()), z.enum(['host', 'any'])]),
  /** With a list of names: the certificate must be for the host of the service as well. */
  andHost: z.boolean().optional(),
  /** Roots to accept, by the name of their file (`SidecarConfig.files`); absent: those of the system. */
  caFile: z.string().optional(),
  /** With `keyFile`: what the client shows of itself. */
  certificateFile: z.string().optional(),
  keyFile: z.string().optional(),
  /** Revoked certificates. */
  crlFile: z.string().optional(),
  /** The roots or the list need not be there: a credential may do without. */
  optionalFiles: z.boolean().optional(),
  /** Any certificate is accepted. */
  insecure: z.boolean().optional(),
});
export type UpstreamTlsConfig = z.infer<typeof UpstreamTlsConfig>;

export const TcpKeepAliveConfig = z.strictObject({
  /** Silence before the first probe. Absent: 60 s. */
  timeMs: z.number().int().min(1).optional(),
  intervalMs: z.number().int().min(1).optional(),
  probes: z.number().int().min(1).optional(),
});
export type TcpKeepAliveConfig = z.infer<typeof TcpKeepAliveConfig>;

/** A CONNECT that goes ahead of each TCP connection (Istio TrafficPolicy.tunnel). */
export const TunnelConfig = z.strictObject({
  host: z.string(),
  port: z.number().int().min(1).max(65_535),
});
export type TunnelConfig = z.infer<typeof TunnelConfig>;

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
  /** Of connections without a request. Absent: 1 h. 0: never. */
  idleTimeoutMs: z.number().int().min(0).optional(),
  /** Of TCP connections without a byte. Absent: 1 h. 0: never. */
  tcpIdleTimeoutMs: z.number().int().min(0).optional(),
  /** A connection takes no new requests when it is as old as this; a TCP connection ends. Absent: no limit. */
  maxConnectionDurationMs: z.number().int().min(1).optional(),
  tcpKeepAlive: TcpKeepAliveConfig.optional(),
  /** Requests at a time on a connection of HTTP/2. Absent: as many as the server takes. */
  maxConcurrentStreams: z.number().int().min(1).optional(),
  /** A connection of HTTP/2 is asked this often whether it lives, and has so long to answer. */
  http2KeepAlive: z
    .strictObject({ intervalMs: z.number().int().min(1), timeoutMs: z.number().int().min(1) })
    .optional(),
  /** Instead of what the port declares. `client`: what the client speaks. */
  httpVersion: z.enum(['http/2', 'client']).optional(),
  tls: UpstreamTlsConfig.optional(),
  /** No TLS of ours, between sidecars neither. */
  plaintext: z.boolean().optional(),
  /** Header ahead of each connection that says where it comes from. */
  proxyProtocol: z.enum(['v1', 'v2']).optional(),
  tunnel: TunnelConfig.optional(),
});
export type ClusterPolicy = z.infer<typeof ClusterPolicy>;

/**
 * Priority (0 first) and weight of an endpoint for one source, by locality. Endpoints that are not listed: 0 and 1. The
 * localities of a priority share its traffic by their weights, the endpoints of a locality that of the locality.
 */
export const EndpointShare = z.strictObject({
  /** Workload id. */
  endpoint: z.string(),
  priority: z.number().int().min(0),
  /** Relative to the others of its locality; 0: gets nothing. */
  weight: z.number().min(0),
  /** Absent: the endpoints of a priority are one locality. */
  locality: z.string().optional(),
  /** Relative to the other localities of its priority. Absent: the sum of its endpoints' weights. */
  localityWeight: z.number().min(0).optional(),
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
  /** A bucket per value of this header (lower-case name), whatever `per` says. */
  header: z.string().optional(),
});
export type RateLimitConfig = z.infer<typeof RateLimitConfig>;

/** `subset` and `port` `null`: for all that no other entry is for. The most specific entry counts, alone. */
export const PolicyEntry = z.strictObject({
  subset: z.string().nullable(),
  port: z.number().int().nullable(),
  policy: ClusterPolicy,
  /** By locality. Absent: the shares of the service; empty: all endpoints alike. */
  shares: z.array(EndpointShare).optional(),
});
export type PolicyEntry = z.infer<typeof PolicyEntry>;

/** The policy for a subset and port: subset and port, subset, port, then the service's. Same empty object when there is none. */
export function policyOf(entries: readonly PolicyEntry[], subset: string | null, port: number): ClusterPolicy {
  return entryOf(entries, subset, port)?.policy ?? noPolicy;
}

/** The entry that counts; `null` when there is none. */
export function entryOf(entries: readonly PolicyEntry[], subset: string | null, port: number): PolicyEntry | null {
  let best: PolicyEntry | null = null;
  let rank = -1;
  for (const entry of entries) {
    if (entry.subset !== null && entry.subset !== subset) continue;
    if (entry.port !== null && entry.port !== port) continue;
    const specific = (entry.subset === null ? 0 : 2) + (entry.port === null ? 0 : 1);
    if (specific > rank) [best, rank] = [entry, specific];
  }
  return best;
}

const noPolicy: ClusterPolicy = {};
