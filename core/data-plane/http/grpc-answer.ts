import type { MeshAnswer } from './streams.ts';

/** gRPC status for an HTTP status, as Envoy's local replies and the gRPC specification (http-grpc-status-mapping) have it. */
const grpcStatuses: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};
const unknown = 2;

/**
 * The answer as a gRPC client gets it from Envoy: status 200 and, in a head that is all there is, the gRPC status and a
 * message.
 */
export function toGrpcAnswer(answer: MeshAnswer): MeshAnswer {
  const { status, flag, body, headers = [] } = answer;
  const grpcStatus = answer.grpcStatus ?? grpcStatuses[status] ?? unknown;
  const message = encodeMessage(body.trimEnd());
  const own: (readonly [string, string])[] = [
    ['content-type', 'application/grpc'],
    ['grpc-status', String(grpcStatus)],
    ...(message === '' ? [] : [['grpc-message', message] as const]),
  ];
  return { status: 200, flag, body: '', headers: [...own, ...headers.filter(([name]) => name !== 'content-type')] };
}

/** `application/grpc`, alone or followed by `+`, `;` or a blank; not `application/grpc-web`. */
export function isGrpcType(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:$|[+; ])/i.test(contentType);
}

/** Percent-encoding of gRPC's Status-Message: everything but printable ASCII, and the percent sign. */
function encodeMessage(text: string): string {
  let encoded = '';
  for (const octet of Buffer.from(text, 'latin1')) {
    const isPlain = octet >= 32 && octet <= 126 && octet !== 37;
    encoded += isPlain ? String.fromCharCode(octet) : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded.trim();
}
