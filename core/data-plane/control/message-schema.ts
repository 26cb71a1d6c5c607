import { toJSONSchema, z } from 'zod';
import { ToSidecar } from '../../model/control-stream.ts';
import { SidecarConfig } from '../../model/sidecar-config.ts';

/**
 * What the sidecar reads, as plain data. The build works these out once and puts the outcome in this file's place, so that
 * the shipped program carries no schema library: it would cost four megabytes of memory and a fifth of the start.
 */
const SavedState = z.strictObject({
  formatVersion: z.literal(1),
  config: SidecarConfig.nullable(),
  identity: z
    .strictObject({ keyPem: z.string(), chainPem: z.array(z.string()), trustBundlePem: z.array(z.string()) })
    .nullable(),
});

const options = { io: 'input', reused: 'ref', unrepresentable: 'throw' } as const;

export const messageSchemas: { readonly toSidecar: unknown; readonly savedState: unknown } = {
  toSidecar: toJSONSchema(ToSidecar, options),
  savedState: toJSONSchema(SavedState, options),
};
