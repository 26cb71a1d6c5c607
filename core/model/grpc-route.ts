/** Gateway API GRPCRoute, TLSRoute and TCPRoute. */
import { z } from 'zod';
import {
  distinctNames,
  HeaderModifier,
  HeaderName,
  LocalObjectRef,
  oncePerType,
  ParentRefs,
  RequestMirror,
  RouteHostname,
  SectionName,
  weightedBackendRef,
} from './gateway-api-fields.ts';
import { SessionPersistence } from './http-route.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

const Filter = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('RequestHeaderModifier'), requestHeaderModifier: HeaderModifier }),
  z.strictObject({ type: z.literal('ResponseHeaderModifier'), responseHeaderModifier: HeaderModifier }),
  z.strictObject({ type: z.literal('RequestMirror'), requestMirror: RequestMirror }),
  z.strictObject({ type: z.literal('ExtensionRef'), extensionRef: LocalObjectRef }),
]);

const Filters = z
  .array(Filter)
  .max(16)
  .refine((filters) => oncePerType(filters, ['RequestMirror', 'ExtensionRef']), {
    error: 'has a filter twice that may be there once',
  });

const MethodMatch = z
  .strictObject({
    type: z.enum(['Exact', 'RegularExpression']).optional(),
    service: z.string().max(1024).optional(),
    method: z.string().max(1024).optional(),
  })
  .refine(({ service, method }) => service !== undefined || method !== undefined, { error: 'needs service or method' })
  .refine(
    ({ type = 'Exact', service }) =>
      type !== 'Exact' || service === undefined || /^\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$/i.test(service),
    {
      path: ['service'],
      error: 'must be a service as in its .proto file: shop.Cart',
    },
  )
  .refine(({ type = 'Exact', method }) => type !== 'Exact' || method === undefined || /^[A-Za-z_]\w*$/.test(method), {
    path: ['method'],
    error: 'must be a method as in its .proto file: AddItem',
  });

export const GrpcRouteMatch = z.strictObject({
  method: MethodMatch.optional(),
  headers: z
    .array(
      z.strictObject({
        type: z.enum(['Exact', 'RegularExpression']).optional(),
        name: HeaderName,
        value: z.string().min(1).max(4096),
      }),
    )
    .max(16)
    .optional(),
});
export type GrpcRouteMatch = z.infer<typeof GrpcRouteMatch>;

export const GRPCRoute = z.strictObject({
  apiVersion: z.literal('gateway.networking.k8s.io/v1'),
  kind: z.literal('GRPCRoute'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    parentRefs: ParentRefs.optional(),
    useDefaultGateways: z.enum(['All', 'None']).optional(),
    hostnames: z.array(RouteHostname).max(16).optional(),
    rules: z
      .array(
        z.strictObject({
          name: SectionName.optional(),
          matches: z.array(GrpcRouteMatch).max(64).optional(),
          filters: Filters.optional(),
          backendRefs: z
            .array(weightedBackendRef({ filters: Filters.optional() }))
            .max(16)
            .optional(),
          sessionPersistence: SessionPersistence.optional(),
        }),
      )
      .max(16)
      .refine(distinctNames, { error: 'has a name twice' })
      .optional(),
  }),
  status: Kept,
});
export type GRPCRoute = z.infer<typeof GRPCRoute>;

const l4Rules = z
  .array(z.strictObject({ name: SectionName.optional(), backendRefs: z.array(weightedBackendRef({})).min(1).max(16) }))
  .min(1)
  .max(1);

export const TLSRoute = z
  .strictObject({
    apiVersion: z.enum([
      'gateway.networking.k8s.io/v1',
      'gateway.networking.k8s.io/v1alpha2',
      'gateway.networking.k8s.io/v1alpha3',
    ]),
    kind: z.literal('TLSRoute'),
    metadata: ResourceMetadata,
    spec: z.strictObject({
      parentRefs: ParentRefs.optional(),
      useDefaultGateways: z.enum(['All', 'None']).optional(),
      /** SNI. */
      hostnames: z.array(RouteHostname).max(1024).optional(),
      rules: l4Rules,
    }),
    status: Kept,
  })
  .refine(({ apiVersion, spec }) => apiVersion.endsWith('/v1alpha2') || (spec.hostnames ?? []).length > 0, {
    path: ['spec', 'hostnames'],
    message: 'is needed: name the hosts that clients ask for by SNI',
  });
export type TLSRoute = z.infer<typeof TLSRoute>;

export const TCPRoute = z.strictObject({
  apiVersion: z.enum(['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1alpha2']),
  kind: z.literal('TCPRoute'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    parentRefs: ParentRefs.optional(),
    useDefaultGateways: z.enum(['All', 'None']).optional(),
    rules: l4Rules,
  }),
  status: Kept,
});
export type TCPRoute = z.infer<typeof TCPRoute>;
