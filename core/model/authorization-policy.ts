/** Istio AuthorizationPolicy (security/v1beta1/authorization_policy.proto): who may do what. */
import { z } from 'zod';
import { Strings } from './api-fields.ts';
import { policyTarget } from './policy-target.ts';
import { Kept, ResourceMetadata, securityApiVersion } from './resource-metadata.ts';

/** Each field and its `not` form; values of a field are ORed, fields are ANDed. */
const Source = z.strictObject({
  principals: Strings.optional(),
  notPrincipals: Strings.optional(),
  requestPrincipals: Strings.optional(),
  notRequestPrincipals: Strings.optional(),
  namespaces: Strings.optional(),
  notNamespaces: Strings.optional(),
  serviceAccounts: Strings.optional(),
  notServiceAccounts: Strings.optional(),
  ipBlocks: Strings.optional(),
  notIpBlocks: Strings.optional(),
  remoteIpBlocks: Strings.optional(),
  notRemoteIpBlocks: Strings.optional(),
  trustDomains: Strings.optional(),
  notTrustDomains: Strings.optional(),
});

const Operation = z.strictObject({
  hosts: Strings.optional(),
  notHosts: Strings.optional(),
  ports: Strings.optional(),
  notPorts: Strings.optional(),
  methods: Strings.optional(),
  notMethods: Strings.optional(),
  paths: Strings.optional(),
  notPaths: Strings.optional(),
});

const Condition = z.strictObject({ key: z.string(), values: Strings.optional(), notValues: Strings.optional() });
export type AuthorizationCondition = z.infer<typeof Condition>;

export const AuthorizationRule = z.strictObject({
  from: z.array(z.strictObject({ source: Source.optional() })).optional(),
  to: z.array(z.strictObject({ operation: Operation.optional() })).optional(),
  when: z.array(Condition).optional(),
});
export type AuthorizationRule = z.infer<typeof AuthorizationRule>;

export const AuthorizationPolicy = z.strictObject({
  apiVersion: securityApiVersion,
  kind: z.literal('AuthorizationPolicy'),
  metadata: ResourceMetadata,
  spec: z
    .strictObject({
      ...policyTarget,
      /** Absent with ALLOW: nothing is allowed. `[{}]`: everything. */
      rules: z.array(AuthorizationRule).max(512).optional(),
      /** Default ALLOW. Order: CUSTOM, DENY, ALLOW; AUDIT decides nothing. */
      action: z.enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']).optional(),
      provider: z.strictObject({ name: z.string().optional() }).optional(),
    })
    .optional(),
  status: Kept,
});
export type AuthorizationPolicy = z.infer<typeof AuthorizationPolicy>;
