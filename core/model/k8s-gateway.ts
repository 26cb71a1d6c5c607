/** Gateway API Gateway, GatewayClass and ReferenceGrant. Istio has a Gateway too: apiVersion tells them apart. */
import { z } from 'zod';
import { PortNumber } from './api-fields.ts';
import {
  GrantFrom,
  GrantTo,
  LabelSelector,
  LocalObjectRef,
  ObjectRef,
  RouteHostname,
  RouteKind,
  SecretRef,
  SectionName,
} from './gateway-api-fields.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

const gatewayApiVersion = z.enum(['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1']);

const Validation = z.strictObject({
  validation: z
    .strictObject({
      caCertificateRefs: z.array(ObjectRef).min(1).max(16),
      mode: z.enum(['AllowValidOnly', 'AllowInsecureFallback']).optional(),
    })
    .optional(),
});

const Listener = z
  .strictObject({
    name: SectionName,
    hostname: RouteHostname.optional(),
    port: PortNumber,
    /** HTTP, HTTPS, TLS, TCP, UDP. */
    protocol: z
      .string()
      .min(1)
      .max(255)
      .regex(
        /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$/,
        'must be a protocol',
      ),
    tls: z
      .strictObject({
        /** Default Terminate. */
        mode: z.enum(['Terminate', 'Passthrough']).optional(),
        certificateRefs: z.array(SecretRef).max(64).optional(),
        options: z.record(z.string(), z.string()).optional(),
      })
      .refine(
        ({ mode = 'Terminate', certificateRefs = [], options = {} }) =>
          mode !== 'Terminate' || certificateRefs.length + Object.keys(options).length > 0,
        {
          error: 'needs certificateRefs or options to terminate TLS',
        },
      )
      .optional(),
    allowedRoutes: z
      .strictObject({
        namespaces: z
          .strictObject({ from: z.enum(['All', 'Selector', 'Same']).optional(), selector: LabelSelector.optional() })
          .optional(),
        kinds: z.array(RouteKind).max(8).optional(),
      })
      .optional(),
  })
  .refine(({ protocol, tls }) => !['HTTP', 'TCP', 'UDP'].includes(protocol) || tls === undefined, {
    error: 'has tls, which this protocol has not',
  })
  .refine(({ protocol, tls }) => protocol !== 'HTTPS' || (tls?.mode ?? 'Terminate') === 'Terminate', {
    error: 'must terminate TLS for HTTPS',
  })
  .refine(({ protocol, tls }) => protocol !== 'TLS' || tls !== undefined, { error: 'needs tls for TLS' })
  .refine(({ protocol, hostname }) => !['TCP', 'UDP'].includes(protocol) || hostname === undefined, {
    error: 'has a hostname, which this protocol has not',
  });
export type GatewayListener = z.infer<typeof Listener>;

const distinct = (listeners: readonly GatewayListener[], key: (listener: GatewayListener) => string) =>
  new Set(listeners.map(key)).size === listeners.length;

export const K8sGateway = z.strictObject({
  apiVersion: gatewayApiVersion,
  kind: z.literal('Gateway'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    gatewayClassName: z.string().min(1).max(253),
    listeners: z
      .array(Listener)
      .min(1)
      .max(64)
      .refine((listeners) => distinct(listeners, ({ name }) => name), { error: 'has a name twice' })
      .refine(
        (listeners) =>
          distinct(listeners, ({ port, protocol, hostname }) => JSON.stringify([port, protocol, hostname ?? ''])),
        {
          error: 'has a combination of port, protocol and hostname twice',
        },
      ),
    addresses: z
      .array(z.strictObject({ type: z.string().min(1).max(253).optional(), value: z.string().max(253).optional() }))
      .max(16)
      .optional(),
    infrastructure: z
      .strictObject({
        labels: z.record(z.string(), z.string()).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
        parametersRef: LocalObjectRef.optional(),
      })
      .optional(),
    allowedListeners: z
      .strictObject({
        namespaces: z
          .strictObject({
            from: z.enum(['All', 'Selector', 'Same', 'None']).optional(),
            selector: LabelSelector.optional(),
          })
          .optional(),
      })
      .optional(),
    defaultScope: z.enum(['All', 'None']).optional(),
    tls: z
      .strictObject({
        backend: z.strictObject({ clientCertificateRef: SecretRef.optional() }).optional(),
        frontend: z
          .strictObject({
            default: Validation,
            perPort: z
              .array(z.strictObject({ port: PortNumber, tls: Validation }))
              .max(64)
              .optional(),
          })
          .optional(),
      })
      .optional(),
  }),
  status: Kept,
});
export type K8sGateway = z.infer<typeof K8sGateway>;

export const GatewayClass = z.strictObject({
  apiVersion: gatewayApiVersion,
  kind: z.literal('GatewayClass'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    controllerName: z
      .string()
      .min(1)
      .max(253)
      .regex(
        /^[a-z0-9][-a-z0-9.]*\/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/,
        'must be a name such as istio.io/gateway-controller',
      ),
    description: z.string().max(64).optional(),
    parametersRef: ObjectRef.optional(),
  }),
  status: Kept,
});
export type GatewayClass = z.infer<typeof GatewayClass>;

/** Lets routes of other namespaces refer to services (or secrets) of its own. */
export const ReferenceGrant = z.strictObject({
  apiVersion: gatewayApiVersion,
  kind: z.literal('ReferenceGrant'),
  metadata: ResourceMetadata,
  spec: z.strictObject({ from: z.array(GrantFrom).min(1).max(16), to: z.array(GrantTo).min(1).max(16) }),
  status: Kept,
});
export type ReferenceGrant = z.infer<typeof ReferenceGrant>;
