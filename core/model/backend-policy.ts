/**
 * Policies of the Gateway API that are attached to what is called (gateway.networking.k8s.io BackendTLSPolicy, and the
 * experimental XBackendTrafficPolicy). What they come to: snapshot/policies/backend-policies.ts.
 */
import { z } from 'zod';
import { GatewayDuration } from './api-fields.ts';
import { LocalObjectRef, PreciseHostname, RouteHostname, SectionName } from './gateway-api-fields.ts';
import { SessionPersistence } from './http-route.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

const TargetRef = z.strictObject({
  ...LocalObjectRef.shape,
  /** Name of a port; absent: all of them. */
  sectionName: SectionName.optional(),
});
export type BackendTargetRef = z.infer<typeof TargetRef>;

const keyOf = ({ group, kind, name, sectionName = '' }: BackendTargetRef) =>
  JSON.stringify([group, kind, name, sectionName]);
const isDistinct = (refs: readonly BackendTargetRef[]) => new Set(refs.map(keyOf)).size === refs.length;
const twice = { error: 'names one target twice; tell them apart by sectionName' };

const SubjectAltName = z
  .strictObject({
    type: z.enum(['Hostname', 'URI']),
    hostname: RouteHostname.optional(),
    uri: z
      .string()
      .regex(/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/\S+$/, 'must be a URI with its scheme')
      .optional(),
  })
  .refine(({ type, hostname, uri }) => (type === 'Hostname' ? hostname !== undefined && !uri : !!uri && !hostname), {
    error: 'must have the field that type names, and only that',
  });

export const BackendTLSPolicy = z.strictObject({
  apiVersion: z.enum([
    'gateway.networking.k8s.io/v1',
    'gateway.networking.k8s.io/v1alpha3',
    'gateway.networking.k8s.io/v1alpha2',
  ]),
  kind: z.literal('BackendTLSPolicy'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    targetRefs: z.array(TargetRef).min(1).max(16).refine(isDistinct, twice),
    validation: z
      .strictObject({
        /** The first counts: a ConfigMap with `ca.crt`. */
        caCertificateRefs: z.array(LocalObjectRef).max(8).optional(),
        wellKnownCACertificates: z.string().optional(),
        /** Server name to ask for. */
        hostname: PreciseHostname,
        subjectAltNames: z.array(SubjectAltName).max(5).optional(),
      })
      .refine(
        ({ caCertificateRefs = [], wellKnownCACertificates = '' }) =>
          caCertificateRefs.length > 0 !== (wellKnownCACertificates !== ''),
        { error: 'needs one of caCertificateRefs and wellKnownCACertificates' },
      ),
    options: z.record(z.string(), z.string()).optional(),
  }),
  status: Kept,
});
export type BackendTLSPolicy = z.infer<typeof BackendTLSPolicy>;

export const XBackendTrafficPolicy = z.strictObject({
  apiVersion: z.literal('gateway.networking.x-k8s.io/v1alpha1'),
  kind: z.literal('XBackendTrafficPolicy'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    targetRefs: z.array(LocalObjectRef).min(1).max(16),
    retryConstraint: z
      .strictObject({
        budget: z
          .strictObject({
            /** Retries in relation to requests; default 20. */
            percent: z.number().int().min(0).max(100).optional(),
            interval: GatewayDuration.optional(),
          })
          .optional(),
        /** Retries that may always be under way; default 10. */
        minRetryRate: z
          .strictObject({
            count: z.number().int().min(1).max(1_000_000).optional(),
            interval: GatewayDuration.optional(),
          })
          .optional(),
      })
      .optional(),
    sessionPersistence: SessionPersistence.optional(),
  }),
  status: Kept,
});
export type XBackendTrafficPolicy = z.infer<typeof XBackendTrafficPolicy>;
