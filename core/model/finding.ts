import { z } from 'zod';

/**
 * Something to say about a resource. `error`: the resource is not used; `warning`: it is used, but probably not as it
 * was meant; `info`: a field is kept and exported, not applied here. Line and column count from 1.
 */
export const Finding = z.strictObject({
  code: z.enum([
    'YAML',
    'UNKNOWN_KIND',
    'INVALID',
    'DUPLICATE',
    'NOT_APPLIED',
    'UNKNOWN_HOST',
    'UNKNOWN_SUBSET',
    'CONFLICTING_HOST',
    'NO_WEIGHT',
    'HEADER_CASE',
    'SHORT_HOST',
    'SCOPE_IGNORED',
    'MIXED_MTLS',
  ]),
  severity: z.enum(['error', 'warning', 'info']),
  file: z.string().nullable(),
  line: z.number().int().nullable(),
  column: z.number().int().nullable(),
  message: z.string(),
  hint: z.string(),
});
export type Finding = z.infer<typeof Finding>;
