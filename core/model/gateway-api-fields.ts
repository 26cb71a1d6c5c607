/** Field types of the Gateway API (gateway.networking.k8s.io): references, header lists, names; bounds of its CRDs. */
import { z } from 'zod';
import { PortNumber } from './api-fields.ts';

const dns = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
export const SectionName = z.string().min(1).max(253).regex(dns, 'must be a name in lower case');
export const RouteHostname = z
  .string()
  .min(1)
  .max(253)
  .regex(
    /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be a host name in lower case, "*." allowed in front',
  );
export const PreciseHostname = z.string().min(1).max(253).regex(dns, 'must be a host name in lower case');
const Group = z
  .string()
  .max(253)
  .regex(/^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, 'must be an API group');
const KindName = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/, 'must be a kind');
/** Compose projects are namespaces here, so "_" and capitals are allowed. */
const NamespaceName = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-zA-Z0-9](?:[-_a-zA-Z0-9]*[a-zA-Z0-9])?$/, 'must be a namespace');
const ObjectName = z.string().min(1).max(253);

/** What a route is bound to: a Gateway (the default), or a Service (mesh). */
export const ParentRef = z.strictObject({
  group: Group.optional(),
  kind: KindName.optional(),
  name: ObjectName,
  namespace: NamespaceName.optional(),
  port: PortNumber.optional(),
  sectionName: SectionName.optional(),
});
export type ParentRef = z.infer<typeof ParentRef>;

const backendRef = {
  /** Default '': core. */
  group: Group.optional(),
  /** Default Service. */
  kind: KindName.optional(),
  name: ObjectName,
  namespace: NamespaceName.optional(),
  port: PortNumber.optional(),
};
const needsPort = (ref: { group?: string | undefined; kind?: string | undefined; port?: number | undefined }) =>
  !((ref.group ?? '') === '' && (ref.kind ?? 'Service') === 'Service') || ref.port !== undefined;
const portError = { error: 'needs a port, for it is a Service' };

export const BackendObjectRef = z.strictObject(backendRef).refine(needsPort, portError);
export type BackendObjectRef = z.infer<typeof BackendObjectRef>;

/** @param more fields next to the reference (filters) */
export const weightedBackendRef = <T extends z.ZodRawShape>(more: T) =>
  z
    .strictObject({
      ...backendRef,
      ...more,
      /** Default 1. */ weight: z.number().int().min(0).max(1_000_000).optional(),
    })
    .refine((ref) => needsPort(ref as { group?: string; kind?: string; port?: number }), portError);

export const LocalObjectRef = z.strictObject({ group: Group, kind: KindName, name: ObjectName });
export const SecretRef = z.strictObject({
  group: Group.optional(),
  kind: KindName.optional(),
  name: ObjectName,
  namespace: NamespaceName.optional(),
});
export const ObjectRef = z.strictObject({
  group: Group,
  kind: KindName,
  name: ObjectName,
  namespace: NamespaceName.optional(),
});
export const GrantFrom = z.strictObject({ group: Group, kind: KindName, namespace: NamespaceName });
export const GrantTo = z.strictObject({ group: Group, kind: KindName, name: ObjectName.optional() });
export const RouteKind = z.strictObject({ group: Group.optional(), kind: KindName });

export const HeaderName = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, 'must be a header name');
const HeaderValue = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[!-~]+([\t ]?[!-~]+)*$/, 'must be visible ASCII, with single blanks between');

const NamedValue = z.strictObject({ name: HeaderName, value: HeaderValue });
export const HeaderModifier = z.strictObject({
  set: z.array(NamedValue).max(16).optional(),
  add: z.array(NamedValue).max(16).optional(),
  remove: z
    .array(z.string())
    .max(16)
    .refine((names) => new Set(names).size === names.length, 'names a header twice')
    .optional(),
});
export type HeaderModifier = z.infer<typeof HeaderModifier>;

export const HeaderMatch = z.strictObject({
  type: z.enum(['Exact', 'RegularExpression']).optional(),
  name: HeaderName,
  value: HeaderValue,
});
export type HeaderMatch = z.infer<typeof HeaderMatch>;

export const RequestMirror = z
  .strictObject({
    backendRef: BackendObjectRef,
    percent: z.number().int().min(0).max(100).optional(),
    fraction: z
      .strictObject({ numerator: z.number().int().min(0), denominator: z.number().int().min(1).optional() })
      .refine(({ numerator, denominator = 100 }) => numerator <= denominator, { error: 'must not be more than 1' })
      .optional(),
  })
  .refine(({ percent, fraction }) => percent === undefined || fraction === undefined, {
    error: 'give percent or fraction',
  });

export const LabelSelector = z.strictObject({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z
    .array(z.strictObject({ key: z.string(), operator: z.string(), values: z.array(z.string()).optional() }))
    .optional(),
});

/** Same parents twice need different sections or ports. */
export const ParentRefs = z
  .array(ParentRef)
  .max(32)
  .refine(
    (refs) =>
      new Set(
        refs.map((ref) => JSON.stringify([ref.group, ref.kind, ref.name, ref.namespace, ref.port, ref.sectionName])),
      ).size === refs.length,
    {
      error: 'names one parent twice; tell them apart by sectionName or port',
    },
  );

/** A list in which each `type` comes once, except those that may repeat. */
export const oncePerType = (filters: readonly { readonly type: string }[], mayRepeat: readonly string[]): boolean =>
  filters.every(
    ({ type }, index) => mayRepeat.includes(type) || filters.findIndex((other) => other.type === type) === index,
  );
export const distinctNames = (rules: readonly { readonly name?: string | undefined }[]): boolean => {
  const names = rules.flatMap(({ name }) => name ?? []);
  return new Set(names).size === names.length;
};
