/** How a destination's endpoints share its traffic (Istio LoadBalancerSettings, LocalityLoadBalancerSetting). */
import { z } from 'zod';
import { AnyDuration, MillisecondDuration, StringMap, Strings, Uint32, Uint64 } from './api-fields.ts';

const ConsistentHash = z.strictObject({
  httpHeaderName: z.string().optional(),
  httpCookie: z
    .strictObject({
      name: z.string(),
      path: z.string().optional(),
      /** Absent: the cookie is never made here; 0s: a session cookie. */
      ttl: AnyDuration.optional(),
      attributes: z.array(z.strictObject({ name: z.string(), value: z.string().optional() })).optional(),
    })
    .optional(),
  useSourceIp: z.boolean().optional(),
  httpQueryParameterName: z.string().optional(),
  /** The default; minimumRingSize default 1024. */
  ringHash: z.strictObject({ minimumRingSize: Uint64.optional() }).optional(),
  /** tableSize default 65537. */
  maglev: z.strictObject({ tableSize: Uint64.optional() }).optional(),
  /** Deprecated for `ringHash`. */
  minimumRingSize: Uint64.optional(),
});
export type ConsistentHash = z.infer<typeof ConsistentHash>;

export const LocalityLbSetting = z.strictObject({
  /** `from` and `to` are `region/zone/sub-zone`, each part may be `*`; weights of one `to` sum up to 100. */
  distribute: z
    .array(z.strictObject({ from: z.string().optional(), to: z.record(z.string(), Uint32).optional() }))
    .optional(),
  failover: z.array(z.strictObject({ from: z.string().optional(), to: z.string().optional() })).optional(),
  /** Labels, or `label=value`; see policy/locality.ts. */
  failoverPriority: Strings.optional(),
  enabled: z.boolean().optional(),
});
export type LocalityLbSetting = z.infer<typeof LocalityLbSetting>;

const ZoneAwareLbSetting = z.strictObject({
  enabled: z.boolean().optional(),
  failover: z.array(z.strictObject({ from: z.string().optional(), to: z.string().optional() })).optional(),
  failoverPriority: Strings.optional(),
  minClusterSize: Uint32.min(1).optional(),
});

export const LoadBalancer = z.strictObject({
  /** Default LEAST_REQUEST. LEAST_CONN is its old name. */
  simple: z.enum(['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST']).optional(),
  consistentHash: ConsistentHash.optional(),
  localityLbSetting: LocalityLbSetting.optional(),
  zoneAwareLbSetting: ZoneAwareLbSetting.optional(),
  /** Deprecated for `warmup`. */
  warmupDurationSecs: MillisecondDuration.optional(),
  warmup: z
    .strictObject({
      duration: MillisecondDuration,
      /** Default 10. */
      minimumPercent: z.number().min(0).max(100).optional(),
      /** Default 1: linear. */
      aggression: z.number().min(0).optional(),
    })
    .optional(),
});
export type LoadBalancer = z.infer<typeof LoadBalancer>;

export const WorkloadLabels = z.strictObject({ matchLabels: StringMap.optional() });
