/** Istio TrafficPolicy: load balancing, connection pool, outlier detection and TLS towards one destination. */
import { z } from 'zod';
import {
  AnyDuration,
  Int32,
  MillisecondDuration,
  OptionalPortNumber,
  PortNumber,
  Strings,
  Uint32,
} from './api-fields.ts';
import { LoadBalancer } from './load-balancer.ts';

const NonNegativeInt32 = Int32.min(0);

export const ConnectionPool = z.strictObject({
  tcp: z
    .strictObject({
      /** Default: no limit. */
      maxConnections: NonNegativeInt32.optional(),
      /** Default 10 s. */
      connectTimeout: MillisecondDuration.optional(),
      tcpKeepalive: z
        .strictObject({
          probes: Uint32.optional(),
          time: MillisecondDuration.optional(),
          interval: MillisecondDuration.optional(),
        })
        .optional(),
      maxConnectionDuration: MillisecondDuration.optional(),
      /** Default 1 h; 0s: never. */
      idleTimeout: AnyDuration.optional(),
    })
    .optional(),
  http: z
    .strictObject({
      http1MaxPendingRequests: NonNegativeInt32.optional(),
      http2MaxRequests: NonNegativeInt32.optional(),
      /** 0: no limit; 1 switches keep-alive off. */
      maxRequestsPerConnection: NonNegativeInt32.optional(),
      maxRetries: NonNegativeInt32.optional(),
      /** Default 1 h. */
      idleTimeout: MillisecondDuration.optional(),
      h2UpgradePolicy: z.enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']).optional(),
      useClientProtocol: z.boolean().optional(),
      maxConcurrentStreams: NonNegativeInt32.optional(),
      http2KeepAlive: z
        .strictObject({ interval: MillisecondDuration.optional(), timeout: MillisecondDuration.optional() })
        .optional(),
    })
    .optional(),
});
export type ConnectionPool = z.infer<typeof ConnectionPool>;

export const OutlierDetection = z.strictObject({
  /** Deprecated: consecutive gateway errors (502, 503, 504). */
  consecutiveErrors: Int32.optional(),
  splitExternalLocalOriginErrors: z.boolean().optional(),
  consecutiveLocalOriginFailures: Uint32.optional(),
  /** Default off. */
  consecutiveGatewayErrors: Uint32.optional(),
  /** Default 5; 0: off. */
  consecutive5xxErrors: Uint32.optional(),
  /** Default 10 s. */
  interval: MillisecondDuration.optional(),
  /** Default 30 s; the n-th ejection lasts n times as long. */
  baseEjectionTime: MillisecondDuration.optional(),
  /** Default 10. */
  maxEjectionPercent: z.number().int().min(0).max(100).optional(),
  minHealthPercent: z.number().int().min(0).max(100).optional(),
  outlierDetectionHttpErrorCodes: z.array(z.number().int().min(100).max(599)).optional(),
});
export type OutlierDetection = z.infer<typeof OutlierDetection>;

export const ClientTls = z.strictObject({
  /** `DISABLE` (also when absent) makes callers use plaintext; `ISTIO_MUTUAL` is what the mesh does by itself. */
  mode: z.enum(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']).optional(),
  clientCertificate: z.string().optional(),
  privateKey: z.string().optional(),
  caCertificates: z.string().optional(),
  caCrl: z.string().optional(),
  credentialName: z.string().optional(),
  subjectAltNames: Strings.optional(),
  sni: z.string().optional(),
  insecureSkipVerify: z.boolean().optional(),
});
export type ClientTls = z.infer<typeof ClientTls>;

const PortTrafficPolicy = z.strictObject({
  port: z.strictObject({ number: OptionalPortNumber.optional() }).optional(),
  loadBalancer: LoadBalancer.optional(),
  connectionPool: ConnectionPool.optional(),
  outlierDetection: OutlierDetection.optional(),
  tls: ClientTls.optional(),
});
export type PortTrafficPolicy = z.infer<typeof PortTrafficPolicy>;

export const TrafficPolicy = z.strictObject({
  loadBalancer: LoadBalancer.optional(),
  connectionPool: ConnectionPool.optional(),
  outlierDetection: OutlierDetection.optional(),
  tls: ClientTls.optional(),
  /** Take nothing over from the policy they stand in: what they omit falls to the defaults. */
  portLevelSettings: z.array(PortTrafficPolicy).optional(),
  tunnel: z
    .strictObject({ protocol: z.string().optional(), targetHost: z.string(), targetPort: PortNumber })
    .optional(),
  proxyProtocol: z.strictObject({ version: z.enum(['V1', 'V2']).optional() }).optional(),
  retryBudget: z
    .strictObject({
      /** Default 20. */
      percent: z.number().min(0).max(100).optional(),
      /** Default 3. */
      minRetryConcurrency: Uint32.optional(),
      budgetInterval: AnyDuration.optional(),
    })
    .optional(),
});
export type TrafficPolicy = z.infer<typeof TrafficPolicy>;
