import { z } from 'zod';
import { SeenProtocol } from './protocol.ts';

/**
 * What a sidecar counted since its last report. Counters are deltas, `activeConnections` is a gauge. The outbound side
 * of an edge is reported by the caller's sidecar (Istio: reporter=source), the inbound side by the server's; the control
 * plane uses inbound figures only for callers that have no sidecar of their own.
 */
const Count = z.number().int().min(0);
const Sparse = z.array(z.tuple([Count, Count]));

export const EdgeKey = z.strictObject({
  direction: z.enum(['outbound', 'inbound']),
  /** The other end, as far as it is known: its service key, workload id, address and (mTLS) SPIFFE ID. */
  peerService: z.string().nullable(),
  peerWorkload: z.string().nullable(),
  peerAddress: z.string().nullable(),
  peerSpiffeId: z.string().nullable(),
  /** Service port that was asked for (outbound) or the application's port (inbound). */
  port: z.number().int().min(0).max(65_535),
  protocol: SeenProtocol,
  mtls: z.boolean(),
  /** Server name (SNI) of TLS that passes through to a peer outside the mesh. */
  serverName: z.string().optional(),
});
export type EdgeKey = z.infer<typeof EdgeKey>;

export const EdgeCounters = z.strictObject({
  key: EdgeKey,
  /** Finished requests (HTTP) by status class; `other` has no answer (client went away). */
  requests: z.strictObject({ '1xx': Count, '2xx': Count, '3xx': Count, '4xx': Count, '5xx': Count, other: Count }),
  /** Response flag -> count, for answers that the mesh made or changed (`FI`, `DI`, `UF`, `UH`, `NR` ...). */
  flags: z.record(z.string(), Count),
  /** Time from the first byte of the request to the last of the response, microseconds. TCP: empty. */
  latencyUs: Sparse,
  bytesSent: Count,
  bytesReceived: Count,
  connectionsOpened: Count,
  connectionsClosed: Count,
  activeConnections: Count,
});
export type EdgeCounters = z.infer<typeof EdgeCounters>;

/** A request as it happened, for "last requests"; at most a few per report and edge. */
export const RequestSample = z.strictObject({
  atMs: z.number(),
  service: z.string().nullable(),
  workload: z.string().nullable(),
  route: z.string().nullable(),
  method: z.string(),
  path: z.string(),
  status: z.number().int(),
  flags: z.string(),
  durationMs: z.number(),
  mtls: z.boolean(),
  /** As it was asked for; without port. */
  host: z.string().optional(),
  /** Service port that was asked for. */
  port: z.number().int().min(0).max(65_535).optional(),
  /** How often it was sent; 0: the sidecar answered by itself. */
  attempts: Count.optional(),
  /** Those that the rules of the service look at; never `cookie` or `authorization`. */
  headers: z.array(z.tuple([z.string(), z.string()])).optional(),
});
export type RequestSample = z.infer<typeof RequestSample>;

export const OverloadFigures = z.strictObject({
  /** `shed`: new requests are answered 503, flag `OM`; `refuse`: new connections are reset as well. */
  level: z.enum(['none', 'shed', 'refuse']),
  /** What there is too much of; `null` at level `none`. */
  reason: z.string().nullable(),
  shedRequests: Count,
  refusedConnections: Count,
  /** Gauges: requests under way, and bytes sent by one side that the other has not taken yet. */
  requests: Count,
  bufferedBytes: Count,
});
export type OverloadFigures = z.infer<typeof OverloadFigures>;

export const LeftOutEndpoint = z.strictObject({
  /** Service key. */
  service: z.string(),
  subset: z.string().nullable(),
  port: Count,
  /** Workload id, and its name. */
  endpoint: z.string(),
  name: z.string(),
  /** `ejected`: requests failed; `unhealthy`: it failed its health checks. */
  state: z.enum(['ejected', 'unhealthy']),
  reason: z.string(),
});
export type LeftOutEndpoint = z.infer<typeof LeftOutEndpoint>;

/** Datagrams of the network namespace, sidecar and loopback included. The kernel counts no bytes of UDP for those without privileges. */
export const UdpFigures = z.strictObject({ packetsSent: Count, packetsReceived: Count });
export type UdpFigures = z.infer<typeof UdpFigures>;

export const TelemetryReport = z.strictObject({
  fromMs: z.number(),
  toMs: z.number(),
  edges: z.array(EdgeCounters),
  samples: z.array(RequestSample),
  faults: z.array(z.strictObject({ id: z.string(), seen: Count, hits: Count })),
  process: z.strictObject({
    rssBytes: Count,
    cpuUs: Count,
    eventLoopLagMs: z.number(),
    connections: Count,
    /** Established connections of the namespace that do not pass this sidecar (opened before attach). */
    unseenConnections: Count.nullable(),
    overload: OverloadFigures.optional(),
    /** Endpoints that get no traffic, as outlier detection or health checks want it; absent: none. */
    leftOut: z.array(LeftOutEndpoint).optional(),
    /** Since the last report; absent: unknown (no Linux, or nothing is redirected here). */
    udp: UdpFigures.optional(),
  }),
});
export type TelemetryReport = z.infer<typeof TelemetryReport>;
