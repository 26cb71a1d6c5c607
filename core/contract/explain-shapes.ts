/** Single requests: those that happened, and why one goes where it goes. Fields are added, never renamed. */
import { z } from 'zod';
import { ClusterPolicy, RateLimitConfig, RetryConfig } from '../model/traffic-config.ts';

const Header = z.strictObject({ name: z.string().min(1).max(200), value: z.string().max(8_192) });

/** A request as it happened. Of headers only those that a rule of the service looks at. */
export const RecentRequest = z.strictObject({
  /** For `request.explain`; kept as long as the request is. */
  id: z.string(),
  atMs: z.number(),
  from: z.string(),
  to: z.string().nullable(),
  version: z.string().nullable(),
  route: z.string().nullable(),
  method: z.string(),
  path: z.string(),
  status: z.number().int(),
  flags: z.string(),
  durationMs: z.number(),
  mtls: z.boolean(),
  /** Name of the calling workload, whose sidecar tells; `null`: it is called from outside the mesh. */
  caller: z.string().nullable(),
  /** Host and port as they were asked for. */
  host: z.string().nullable(),
  port: z.number().int().nullable(),
  /** Name of the workload that it went to last; `null`: nowhere. */
  endpoint: z.string().nullable(),
  /** How often it was sent; 0: the sidecar answered by itself. */
  attempts: z.number().int().nullable(),
  headers: z.array(Header),
});
export type RecentRequest = z.infer<typeof RecentRequest>;

export const ExplainInput = z.union([
  z.strictObject({ id: z.string() }),
  z.strictObject({
    /** Calling workload, by name or id. */
    from: z.string().min(1),
    method: z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, 'give an HTTP method')
      .default('GET'),
    /** `http://payments:8080/api?x=1`; `http://` may be left out. */
    url: z.string().min(1).max(8_192),
    headers: z.array(Header).max(200).default([]),
  }),
]);

const ExplainedEndpoint = z.strictObject({
  id: z.string(),
  name: z.string(),
  address: z.string(),
  port: z.number().int(),
  version: z.string().nullable(),
  priority: z.number().int(),
  /** Whom mutual TLS is made with; `null`: plaintext. */
  spiffeId: z.string().nullable(),
});

const ExplainedDestination = z.strictObject({
  service: z.string(),
  subset: z.string().nullable(),
  port: z.number().int(),
  share: z.number(),
  endpoints: z.array(ExplainedEndpoint),
  /** Id of the endpoint that this draw takes; another draw may take another. */
  chosen: z.string().nullable(),
  chosenBy: z.string(),
  policy: ClusterPolicy,
});
export type ExplainedDestination = z.infer<typeof ExplainedDestination>;

export const Explanation = z.strictObject({
  caller: z.strictObject({ id: z.string(), name: z.string(), service: z.string() }),
  /**
   * Whose configuration this is: `in-force`: the caller's sidecar has acknowledged this revision; `pushed`: it has not
   * yet; `without-sidecar`: the caller is not attached, so nothing of this applies until it is.
   */
  config: z.strictObject({
    revision: z.number().int(),
    state: z.enum(['in-force', 'pushed', 'without-sidecar']),
    ackedRevision: z.number().int().nullable(),
  }),
  request: z.strictObject({
    method: z.string(),
    scheme: z.enum(['http', 'https']),
    host: z.string(),
    port: z.number().int(),
    path: z.string(),
    query: z.string(),
    headers: z.array(Header),
  }),
  /** Where the caller's sidecar takes it in. */
  listener: z.string(),
  service: z.string().nullable(),
  routes: z.array(
    z.strictObject({
      route: z.string(),
      outcome: z.enum(['matched', 'did not match', 'not reached']),
      reasons: z.array(z.string()),
    }),
  ),
  route: z.string().nullable(),
  outcome: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('forward'), destination: ExplainedDestination }),
    z.strictObject({
      kind: z.literal('answer'),
      status: z.number().int(),
      flag: z.string(),
      why: z.string(),
      location: z.string().nullable(),
    }),
    z.strictObject({
      kind: z.literal('connection'),
      route: z.string().nullable(),
      destination: ExplainedDestination,
    }),
    z.strictObject({ kind: z.literal('closed'), why: z.string() }),
    z.strictObject({ kind: z.literal('outside'), allowed: z.boolean() }),
  ]),
  path: z.string(),
  authority: z.string(),
  timeoutMs: z.number().nullable(),
  retries: RetryConfig.nullable(),
  rateLimits: z.array(RateLimitConfig),
  /** What the route draws from, with percent; one of it is the destination. */
  draw: z.array(z.strictObject({ service: z.string(), subset: z.string().nullable(), share: z.number() })),
  mirrors: z.array(z.string()),
  faults: z.array(z.strictObject({ id: z.string(), kind: z.string(), percent: z.number() })),
  /** What awaits it at the workload that was chosen; `null`: it is none of the mesh, or nothing is sent. */
  callee: z
    .strictObject({
      workload: z.string(),
      port: z.number().int(),
      protocol: z.string(),
      /** Of the port; `null`: it has no sidecar. */
      mtls: z.enum(['DISABLE', 'PERMISSIVE', 'STRICT']).nullable(),
      rateLimits: z.array(RateLimitConfig),
    })
    .nullable(),
  /** Endpoints of the destination that the caller's sidecar sends nothing to now, as it told last. */
  leftOut: z.array(z.strictObject({ id: z.string(), state: z.string(), reason: z.string() })),
  /** What the sidecar told of this request; `null` for a given one. */
  recorded: RecentRequest.nullable(),
});
export type Explanation = z.infer<typeof Explanation>;
