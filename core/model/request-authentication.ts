/** Istio RequestAuthentication (security/v1beta1/request_authentication.proto): which tokens are valid. */
import { z } from 'zod';
import { MillisecondDuration, Strings } from './api-fields.ts';
import { policyTarget } from './policy-target.ts';
import { Kept, ResourceMetadata, securityApiVersion } from './resource-metadata.ts';

const NonEmpty = z.string().min(1, 'must not be empty');

export const JwtRule = z.strictObject({
  issuer: z.string().optional(),
  /** Any one of them suffices. */
  audiences: z.array(NonEmpty).optional(),
  jwksUri: z.string().optional(),
  /** Keys in the file itself (JSON Web Key Set). */
  jwks: z.string().optional(),
  fromHeaders: z.array(z.strictObject({ name: NonEmpty, prefix: z.string().optional() })).optional(),
  fromParams: z.array(NonEmpty).optional(),
  fromCookies: z.array(NonEmpty).optional(),
  outputPayloadToHeader: z.string().optional(),
  forwardOriginalToken: z.boolean().optional(),
  outputClaimToHeaders: z
    .array(z.strictObject({ header: z.string().regex(/^[-_A-Za-z0-9]+$/, 'must be a header name'), claim: NonEmpty }))
    .optional(),
  timeout: MillisecondDuration.optional(),
  spaceDelimitedClaims: Strings.optional(),
});
export type JwtRule = z.infer<typeof JwtRule>;

export const RequestAuthentication = z.strictObject({
  apiVersion: securityApiVersion,
  kind: z.literal('RequestAuthentication'),
  metadata: ResourceMetadata,
  /** Absent: nothing is asked for. */
  spec: z.strictObject({ ...policyTarget, jwtRules: z.array(JwtRule).optional() }).default({}),
  status: Kept,
});
export type RequestAuthentication = z.infer<typeof RequestAuthentication>;
