import { toGrpcAnswer } from '../http/grpc-answer.ts';
import { createHttpCodec } from '../http/head-parser.ts';
import { writeAnswer } from '../http/local-answer.ts';
import type { MeshAnswer } from '../http/streams.ts';
import { errorCode } from './protocol.ts';
import type { Http2Session } from './session.ts';
import type { Http2Stream } from './stream.ts';

const codec = createHttpCodec();

export interface AnswerTo {
  readonly isHead: boolean;
  readonly isGrpc: boolean;
}

/**
 * An answer of the mesh's own. A gRPC client gets what Envoy gives it: status 200 and, in a head that is all there is, the
 * gRPC status and a message.
 */
export function sendAnswer(session: Http2Session, stream: Http2Stream, answer: MeshAnswer, to: AnswerTo): void {
  const bytes = writeAnswer({ ...(to.isGrpc ? toGrpcAnswer(answer) : answer), connection: null, headOnly: to.isHead });
  if (codec.parseResponse(bytes, 0, bytes.length) !== 'complete') {
    // A header that a rule adds does not fit into a head.
    stream.reset(errorCode.internalError);
    return;
  }
  const { end } = codec.response;
  session.respond(stream, bytes, codec.response, end === bytes.length);
  if (end < bytes.length) stream.sendContent(bytes, end, bytes.length, true);
}
