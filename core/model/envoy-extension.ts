/** EnvoyFilter and WasmPlugin: patches and code for Envoy itself. Kept and exported as they are; nothing here runs them. */
import { z } from 'zod';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

export const EnvoyFilter = z.strictObject({
  apiVersion: z.literal('networking.istio.io/v1alpha3'),
  kind: z.literal('EnvoyFilter'),
  metadata: ResourceMetadata,
  spec: z.looseObject({}),
  status: Kept,
});
export type EnvoyFilter = z.infer<typeof EnvoyFilter>;

export const WasmPlugin = z.strictObject({
  apiVersion: z.literal('extensions.istio.io/v1alpha1'),
  kind: z.literal('WasmPlugin'),
  metadata: ResourceMetadata,
  spec: z.looseObject({
    url: z.string().min(1),
    sha256: z
      .string()
      .regex(/^([a-f0-9]{64})?$/, 'must be 64 hexadecimal digits in lower case')
      .optional(),
  }),
  status: Kept,
});
export type WasmPlugin = z.infer<typeof WasmPlugin>;
