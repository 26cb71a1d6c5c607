/**
 * Field types that several APIs share, with the bounds of their schemas (protobuf types of Istio, CRD rules). What needs
 * more than one field to judge is in the `check-*` files.
 */
import { z } from 'zod';
import { parseDuration } from './duration.ts';

export const PortNumber = z.number().int().min(1).max(65_535);
/** A port field in which 0 means "not given" (protobuf's default). */
export const OptionalPortNumber = z.number().int().min(0).max(65_535);
export const Uint32 = z.number().int().min(0).max(4_294_967_295);
export const Int32 = z.number().int().min(-2_147_483_648).max(2_147_483_647);
export const NonNegative = z.number().int().min(0).max(2_147_483_647);
export const Uint64 = z.number().int().min(0);
export const StringMap = z.record(z.string(), z.string());
export const Strings = z.array(z.string());

/** At least 1 ms and whole milliseconds: what Istio takes wherever a duration acts. */
export const MillisecondDuration = z
  .string()
  .refine((text) => parseDuration(text) !== null, { error: 'is not a duration; write it like 400ms, 1.5s or 1h30m' })
  .refine((text) => (parseDuration(text) ?? 1) >= 1, { error: 'must be at least 1ms; leave it out for the default' })
  .refine((text) => Number.isInteger(parseDuration(text) ?? 0), { error: 'must be whole milliseconds' });

/** May be 0. */
export const AnyDuration = z
  .string()
  .refine((text) => parseDuration(text) !== null, { error: 'is not a duration; write it like 400ms, 1.5s or 1h30m' });

/** Gateway API's form (GEP-2257): up to four parts of at most five digits, no fraction. `0s` is allowed. */
export const GatewayDuration = z
  .string()
  .regex(/^([0-9]{1,5}(h|m|s|ms)){1,4}$/, 'is not a Gateway API duration; write it like 500ms, 10s or 1m30s');

/** Istio Percent: 0, or 0.0001 to 100. */
export const Percent = z.strictObject({
  value: z
    .number()
    .min(0)
    .max(100)
    .refine((value) => value === 0 || value >= 0.0001, { error: 'must be 0 or at least 0.0001' })
    .optional(),
});

/** Istio StringMatch as resources have it: `{}` asks for nothing (headers and query parameters: for presence). */
export const StringMatchOrAny = z.union(
  [
    z.strictObject({ exact: z.string() }),
    z.strictObject({ prefix: z.string() }),
    z.strictObject({ regex: z.string() }),
    z.strictObject({}),
  ],
  'give exactly one of exact, prefix and regex',
);
export type StringMatchOrAny = z.infer<typeof StringMatchOrAny>;
