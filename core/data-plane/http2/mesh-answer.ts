import { createHttpCodec } from '../http/head-parser.ts';
import { writeAnswer } from '../http/local-answer.ts';
import type { MeshAnswer } from '../http/streams.ts';
import { errorCode } from './protocol.ts';
import type { Http2Session } from './session.ts';
import type { Http2Stream } from './stream.ts';

const codec = createHttpCodec();

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

export interface AnswerTo {
  readonly isHead: boolean;
  readonly isGrpc: boolean;
}

/**
 * An answer of the mesh's own. A gRPC client gets what Envoy gives it: status 200 and, in a head that is all there is, the
 * gRPC status and a message.
 */
export function sendAnswer(session: Http2Session, stream: Http2Stream, answer: MeshAnswer, to: AnswerTo): void {
  const bytes = to.isGrpc ? writeGrpcAnswer(answer) : writeAnswer({ ...answer, connection: null, headOnly: to.isHead });
  if (codec.parseResponse(bytes, 0, bytes.length) !== 'complete') {
    // A header that a rule adds does not fit into a head.
    stream.reset(errorCode.internalError);
    return;
  }
  const { end } = codec.response;
  session.respond(stream, bytes, codec.response, end === bytes.length);
  if (end < bytes.length) stream.sendContent(bytes, end, bytes.length, true);
}

function writeGrpcAnswer(answer: MeshAnswer): Buffer {
  const { status, flag, body, headers = [] } = answer;
  const grpcStatus = answer.grpcStatus ?? (status === 200 ? 0 : (grpcStatuses[status] ?? unknown));
  let head = `HTTP/1.1 200 OK\r\nserver: meshdesk\r\ncontent-type: application/grpc\r\ngrpc-status: ${grpcStatus}\r\n`;
  const message = encodeMessage(body.trimEnd());
  if (message !== '') head += `grpc-message: ${message}\r\n`;
  if (flag !== '') head += `x-mesh-error: ${flag}\r\n`;
  for (const [name, value] of headers) if (name !== 'content-type') head += `${name}: ${value}\r\n`;
  return Buffer.from(`${head}\r\n`, 'latin1');
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
