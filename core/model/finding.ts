import { z } from 'zod';

/**
 * Every kind of finding with its stable number. Numbers are never reused: MD01xx one file or resource by itself, MD02xx
 * resources against each other and against what runs, MD03xx what is kept and not applied.
 */
export const findingNumbers = {
  YAML: 'MD0101',
  UNKNOWN_KIND: 'MD0102',
  INVALID: 'MD0103',
  UNKNOWN_FIELD: 'MD0104',
  DUPLICATE: 'MD0105',
  NO_WEIGHT: 'MD0106',
  BAD_REGEX: 'MD0107',
  HEADER_CASE: 'MD0108',
  QUESTIONABLE: 'MD0109',
  DEPRECATED: 'MD0110',
  SHADOWED_ROUTE: 'MD0111',
  WRONG_VERSION: 'MD0112',
  UNKNOWN_HOST: 'MD0201',
  UNKNOWN_SUBSET: 'MD0202',
  CONFLICTING_HOST: 'MD0203',
  SHORT_HOST: 'MD0204',
  SCOPE_IGNORED: 'MD0205',
  MIXED_MTLS: 'MD0206',
  UNKNOWN_GATEWAY: 'MD0207',
  UNKNOWN_PORT: 'MD0208',
  PORT_PROTOCOL: 'MD0209',
  MTLS_CONFLICT: 'MD0210',
  TIMEOUT_BELOW_RETRIES: 'MD0211',
  EMPTY_SUBSET: 'MD0212',
  DUPLICATE_SUBSET: 'MD0213',
  UNKNOWN_DELEGATE: 'MD0214',
  UNUSED_POLICY: 'MD0215',
  MULTIPLE_SIDECARS: 'MD0216',
  REFERENCE_NOT_GRANTED: 'MD0217',
  RETRY_AMPLIFICATION: 'MD0218',
  CONFLICTING_GATEWAY: 'MD0219',
  UNKNOWN_NAMESPACE: 'MD0220',
  PORT_REQUIRED: 'MD0221',
  ROUTE_NOT_BOUND: 'MD0230',
  NO_CREDENTIAL: 'MD0231',
  NOT_SERVED: 'MD0232',
  BROKEN_CREDENTIAL: 'MD0233',
  GATEWAY_REACH: 'MD0234',
  NOT_APPLIED: 'MD0301',
} as const;

export type FindingCode = keyof typeof findingNumbers;

/**
 * Something to say about a resource. `error`: the resource is not used; `warning`: it is used, but probably not as it
 * was meant; `info`: a field is kept and exported, not applied here. Line and column count from 1.
 */
export const Finding = z.strictObject({
  code: z.enum(Object.keys(findingNumbers) as [FindingCode, ...FindingCode[]]),
  severity: z.enum(['error', 'warning', 'info']),
  file: z.string().nullable(),
  line: z.number().int().nullable(),
  column: z.number().int().nullable(),
  message: z.string(),
  hint: z.string(),
});
export type Finding = z.infer<typeof Finding>;

/** `mesh.yaml:9:7: MD0104 spec.rout is not a field of this API` */
export function describeFinding({ code, file, line, column, message }: Finding): string {
  const place = [file, line, column].filter((part) => part !== null).join(':');
  return `${place === '' ? '' : `${place}: `}${findingNumbers[code]} ${message}`;
}
