/** gRPC status codes by name (grpc.github.io/grpc/core/md_doc_statuscodes.html). */
const names = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
] as const;

/** Number of a status; `null` when there is none of this name. */
export function grpcStatusCode(name: string): number | null {
  const code = (names as readonly string[]).indexOf(name);
  return code === -1 ? null : code;
}
