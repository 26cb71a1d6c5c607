import { MeshError } from '../../../contract/errors.ts';

interface EngineFailure {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message?: string;
  readonly json?: { readonly message?: string };
}

const unreachable = new Set(['ECONNREFUSED', 'ENOENT', 'EACCES', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND']);

export const statusOf = (error: unknown): number | null => (error as EngineFailure).statusCode ?? null;
export const isAbsent = (error: unknown): boolean => statusOf(error) === 404;
/** The engine's answer to "do it" when it is done already, or under way. */
export const isDone = (error: unknown): boolean => [304, 404, 409].includes(statusOf(error) ?? 0);

/** The engine's own words, without dockerode's prefix. */
export function engineMessage(error: unknown): string {
  const failure = error as EngineFailure;
  return failure.json?.message ?? failure.message ?? String(error);
}

/** `what`: what was being done, as the beginning of a sentence ("The sidecar of orders could not be started"). */
export function toEngineError(what: string, error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  const { code } = error as EngineFailure;
  if (code !== undefined && unreachable.has(code)) {
    return new MeshError('ENGINE_UNAVAILABLE', `${what}: the container engine does not answer (${code}).`, {
      cause: error,
    });
  }
  return new MeshError('ENGINE_FAILED', `${what}: ${engineMessage(error)}`, { cause: error });
}
