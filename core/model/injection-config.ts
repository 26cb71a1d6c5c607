/** The run-time form of a FaultInjection: everything in numbers, ready to be decided upon (policy/decide-injection.ts). */
import { z } from 'zod';
import { HeaderOperations } from './traffic-config.ts';

const Ms = z.number().min(0);

export const DelayDistribution = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fixed'), ms: Ms }),
  z.strictObject({ kind: z.literal('uniform'), minMs: Ms, maxMs: Ms }),
  z.strictObject({ kind: z.literal('normal'), meanMs: Ms, deviationMs: Ms }),
  /** Ascending percentiles with their delay; straight lines between. */
  z.strictObject({
    kind: z.literal('percentiles'),
    points: z.array(z.strictObject({ percentile: z.number(), ms: Ms })).min(1),
  }),
]);
export type DelayDistribution = z.infer<typeof DelayDistribution>;

const Stream = z.enum(['upstream', 'downstream']);

export const InjectionAction = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('delay'), delay: DelayDistribution }),
  z.strictObject({
    kind: z.literal('abort'),
    /** 200 with a gRPC status. */
    httpStatus: z.number().int(),
    grpcStatus: z.number().int().min(0).max(16).nullable(),
    headers: z.record(z.string(), z.string()),
    body: z.string(),
  }),
  z.strictObject({ kind: z.literal('response-bandwidth'), bytesPerSecond: z.number().positive() }),
  z.strictObject({
    kind: z.literal('headers'),
    request: HeaderOperations.nullable(),
    response: HeaderOperations.nullable(),
  }),
  z.strictObject({
    kind: z.literal('body'),
    set: z.string().nullable(),
    replace: z.array(z.strictObject({ find: z.string(), with: z.string() })),
  }),
  z.strictObject({ kind: z.literal('truncate'), afterBytes: z.number().int().min(0) }),
  z.strictObject({ kind: z.literal('tcp-latency'), stream: Stream, latencyMs: Ms, jitterMs: Ms }),
  z.strictObject({ kind: z.literal('tcp-bandwidth'), stream: Stream, bytesPerSecond: z.number().min(0) }),
  z.strictObject({ kind: z.literal('tcp-slow-close'), stream: Stream, delayMs: Ms }),
  z.strictObject({ kind: z.literal('tcp-timeout'), stream: Stream, timeoutMs: Ms }),
  z.strictObject({ kind: z.literal('tcp-reset'), stream: Stream, afterMs: Ms }),
  z.strictObject({
    kind: z.literal('tcp-slicer'),
    stream: Stream,
    averageBytes: z.number().int().min(1),
    variationBytes: z.number().int().min(0),
    delayMs: Ms,
  }),
  z.strictObject({ kind: z.literal('tcp-limit-data'), stream: Stream, bytes: z.number().int().min(0) }),
  z.strictObject({ kind: z.literal('tcp-refuse') }),
  z.strictObject({ kind: z.literal('dns-nxdomain') }),
  z.strictObject({ kind: z.literal('dns-servfail') }),
  z.strictObject({ kind: z.literal('dns-delay'), delayMs: Ms }),
  z.strictObject({ kind: z.literal('identity-expired') }),
  z.strictObject({ kind: z.literal('identity-wrong-san'), spiffeId: z.string() }),
  z.strictObject({ kind: z.literal('identity-unknown-ca') }),
]);
export type InjectionAction = z.infer<typeof InjectionAction>;

export const InjectionTrigger = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('always') }),
  z.strictObject({ kind: z.literal('first'), count: z.number().int().min(1) }),
  z.strictObject({ kind: z.literal('every'), count: z.number().int().min(1) }),
  z.strictObject({ kind: z.literal('retries') }),
  /** From when the fault was switched on. */
  z.strictObject({ kind: z.literal('window'), fromMs: Ms, untilMs: Ms }),
]);
export type InjectionTrigger = z.infer<typeof InjectionTrigger>;

export const InjectionConfig = z.strictObject({
  id: z.string(),
  /** Destination service key. */
  service: z.string(),
  port: z.number().int().nullable(),
  route: z.string().nullable(),
  /** Requests that it is for; conditions as in a route's match. Empty: all. */
  match: z.array(z.record(z.string(), z.unknown())),
  action: InjectionAction,
  percent: z.number().min(0).max(100),
  trigger: InjectionTrigger,
  /** On and off in turns from `startAfterMs` on; `null`: on all the time. */
  schedule: z.strictObject({ startAfterMs: Ms, onMs: z.number().positive(), offMs: z.number().positive() }).nullable(),
  seed: z.number().int(),
  /** Control plane's wall clock, when it was switched on. */
  sinceMs: z.number(),
  /** `null`: until it is taken away or the lease lapses. */
  expiresAtMs: z.number().nullable(),
  /** `attempt` (default): inside every try. `request`: before the router, once; nothing of it is tried again (Istio). */
  layer: z.enum(['request', 'attempt']).optional(),
});
export type InjectionConfig = z.infer<typeof InjectionConfig>;
