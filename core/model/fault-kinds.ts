/**
 * Every kind of fault that a FaultInjection may hold, from L4 to gRPC. `percentage` is of requests (HTTP, DNS) or of
 * connections (TCP: toxiproxy's toxicity, drawn when a connection opens). TCP kinds are toxiproxy's toxics, with its
 * published semantics (toxics/*.go): sizes in bytes, rates in KB/s.
 */
import { z } from 'zod';
import { AnyDuration, NonNegative, StringMap, Strings } from './api-fields.ts';
import { PositiveDuration, parseDuration } from './duration.ts';
import { grpcStatusCode } from './grpc-status.ts';

const Percentage = z.strictObject({ value: z.number().min(0).max(100) });
const KibibytesPerSecond = z.number().int().min(1);

const ms = (text: string | undefined) => parseDuration(text ?? '0s') ?? 0;

/** One of the four distributions. */
const Delay = z
  .strictObject({
    percentage: Percentage,
    fixedDelay: PositiveDuration.optional(),
    uniformDelay: z.strictObject({ min: AnyDuration, max: PositiveDuration }).optional(),
    /** Never below 0. */
    normalDelay: z.strictObject({ mean: PositiveDuration, deviation: AnyDuration }).optional(),
    /** Latency at percentiles, as monitoring shows it; straight lines between. */
    percentileDelay: z
      .strictObject({
        p50: AnyDuration,
        p75: AnyDuration.optional(),
        p90: AnyDuration.optional(),
        p95: AnyDuration.optional(),
        p99: AnyDuration.optional(),
        p100: AnyDuration.optional(),
      })
      .optional(),
  })
  .refine(
    (delay) =>
      [delay.fixedDelay, delay.uniformDelay, delay.normalDelay, delay.percentileDelay].filter(
        (one) => one !== undefined,
      ).length === 1,
    {
      error: 'give exactly one of fixedDelay, uniformDelay, normalDelay and percentileDelay',
    },
  )
  .refine(({ uniformDelay: range }) => range === undefined || ms(range.min) <= ms(range.max), {
    error: 'has a min above its max',
  })
  .refine(({ percentileDelay: steps }) => steps === undefined || isRising(Object.entries(steps)), {
    error: 'has percentiles that fall',
  });

function isRising(steps: readonly (readonly [string, string | undefined])[]): boolean {
  const sorted = [...steps].sort(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1))).map(([, value]) => ms(value));
  return sorted.every((value, index) => index === 0 || value >= (sorted[index - 1] ?? 0));
}

const Abort = z
  .strictObject({
    percentage: Percentage,
    httpStatus: z.number().int().min(200).max(599).optional(),
    /** A name such as UNAVAILABLE; HTTP 200 with the status in its headers on the wire. */
    grpcStatus: z
      .string()
      .refine((name) => grpcStatusCode(name) !== null, {
        error: 'is no gRPC status; write its name in capitals: UNAVAILABLE',
      })
      .optional(),
    headers: StringMap.optional(),
    body: z.string().optional(),
  })
  .refine(({ httpStatus, grpcStatus }) => (httpStatus === undefined) !== (grpcStatus === undefined), {
    error: 'give exactly one of httpStatus and grpcStatus',
  });

const HeaderChange = z.strictObject({
  set: StringMap.optional(),
  add: StringMap.optional(),
  remove: Strings.optional(),
});

export const HttpFaultKinds = {
  delay: Delay,
  abort: Abort,
  /** Per response. */
  responseBandwidth: z.strictObject({ percentage: Percentage, kibPerSecond: KibibytesPerSecond }),
  headers: z
    .strictObject({ percentage: Percentage, request: HeaderChange.optional(), response: HeaderChange.optional() })
    .refine(({ request, response }) => request !== undefined || response !== undefined, {
      error: 'give request, response or both',
    }),
  /** Of the response: another body, or text replaced in it. */
  body: z
    .strictObject({
      percentage: Percentage,
      set: z.string().optional(),
      replace: z
        .array(z.strictObject({ find: z.string().min(1), with: z.string() }))
        .min(1)
        .optional(),
    })
    .refine(({ set, replace }) => (set === undefined) !== (replace === undefined), {
      error: 'give exactly one of set and replace',
    }),
  /** The response ends after so many bytes of its body, by a reset. */
  truncate: z.strictObject({ percentage: Percentage, afterBytes: NonNegative }),
} as const;

const toxic = <T extends z.ZodRawShape>(attributes: T) =>
  z.strictObject({
    percentage: Percentage.optional(),
    /** `downstream` (default): from the server to the client. */
    stream: z.enum(['upstream', 'downstream']).optional(),
    ...attributes,
  });

/** Exactly one key. */
const oneOf = <T extends z.ZodRawShape>(shape: T, what: string) =>
  z.strictObject(shape).refine((value) => Object.keys(value).length === 1, { error: `give exactly one of ${what}` });

export const TcpFault = oneOf(
  {
    latency: toxic({ latency: PositiveDuration, jitter: AnyDuration.optional() }).optional(),
    bandwidth: toxic({ kbPerSecond: NonNegative }).optional(),
    slowClose: toxic({ delay: PositiveDuration }).optional(),
    /** Data is dropped; the connection closes after `timeout`, 0s: never. */
    timeout: toxic({ timeout: AnyDuration }).optional(),
    /** RST once the first data has come and `timeout` has passed. */
    resetPeer: toxic({ timeout: AnyDuration.optional() }).optional(),
    slicer: toxic({
      averageBytes: NonNegative.min(1),
      variationBytes: NonNegative.optional(),
      delay: AnyDuration.optional(),
    }).optional(),
    limitData: toxic({ bytes: NonNegative }).optional(),
    /** New connections are refused, open ones closed. */
    refuse: z.strictObject({ percentage: Percentage.optional() }).optional(),
  },
  'latency, bandwidth, slowClose, timeout, resetPeer, slicer, limitData and refuse',
);
export type TcpFault = z.infer<typeof TcpFault>;

/** What `from` is answered when it looks up `to`. */
export const DnsFault = oneOf(
  {
    nxdomain: z.strictObject({ percentage: Percentage.optional() }).optional(),
    servfail: z.strictObject({ percentage: Percentage.optional() }).optional(),
    delay: z.strictObject({ percentage: Percentage.optional(), fixedDelay: PositiveDuration }).optional(),
  },
  'nxdomain, servfail and delay',
);
export type DnsFault = z.infer<typeof DnsFault>;

/** What happens to the workloads of `to`; pause ends with the fault. */
export const WorkloadFault = oneOf(
  { pause: z.strictObject({}).optional(), kill: z.strictObject({}).optional(), restart: z.strictObject({}).optional() },
  'pause, kill and restart',
);
export type WorkloadFault = z.infer<typeof WorkloadFault>;

/** What `to` shows as its certificate. */
export const IdentityFault = oneOf(
  {
    expiredCertificate: z.strictObject({}).optional(),
    wrongSan: z.strictObject({ spiffeId: z.string().startsWith('spiffe://').optional() }).optional(),
    unknownCa: z.strictObject({}).optional(),
  },
  'expiredCertificate, wrongSan and unknownCa',
);
export type IdentityFault = z.infer<typeof IdentityFault>;

/** When a request (or connection) counts at all; the percentage is drawn among those. Absent: always. */
export const FaultTrigger = oneOf(
  {
    /** The first so many. */
    first: z.number().int().min(1).optional(),
    /** Every k-th: the k-th, the 2k-th ... */
    every: z.number().int().min(1).optional(),
    /** Only tries after the first. */
    retriesOnly: z.literal(true).optional(),
    /** From and until, counted from when the fault was switched on. */
    window: z.strictObject({ from: AnyDuration, until: AnyDuration }).optional(),
  },
  'first, every, retriesOnly and window',
);
export type FaultTrigger = z.infer<typeof FaultTrigger>;

/** On for `on`, off for `off`, over and over. */
export const FaultSchedule = z.strictObject({
  startAfter: AnyDuration.optional(),
  on: PositiveDuration,
  off: PositiveDuration,
});
export type FaultSchedule = z.infer<typeof FaultSchedule>;
