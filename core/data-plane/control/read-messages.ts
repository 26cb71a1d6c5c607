import type { ToSidecar } from '../../model/control-stream.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import { messageSchemas } from './message-schema.ts';
import { compileSchema, type SchemaCheck } from './schema-check.ts';

/** What a sidecar keeps over its own end. */
export interface SavedState {
  readonly formatVersion: 1;
  readonly config: SidecarConfig | null;
  readonly identity: {
    readonly keyPem: string;
    readonly chainPem: readonly string[];
    readonly trustBundlePem: readonly string[];
  } | null;
}

/** A value that is what it should be, or everything that is wrong with it in one line. */
export type Read<T> = { readonly value: T } | { readonly issues: string };

const checkToSidecar = compileSchema(messageSchemas.toSidecar);
const checkSavedState = compileSchema(messageSchemas.savedState);

/** A message of the control plane. */
export function readToSidecar(raw: unknown): Read<ToSidecar> {
  return read<ToSidecar>(checkToSidecar, raw);
}

export function readSavedState(raw: unknown): Read<SavedState> {
  return read<SavedState>(checkSavedState, raw);
}

function read<T>(check: SchemaCheck, raw: unknown): Read<T> {
  const issues = check(raw);
  if (issues.length === 0) return { value: raw as T };
  return { issues: issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ') };
}
