import type { HeadFields, ResponseHead } from '../http/codec.ts';
import type { BodyForm, CancelReason, ClientStream, MeshAnswer, RequestSink } from '../http/streams.ts';
import { isOverfull } from '../wire/held-bytes.ts';
import { sendAnswer } from './mesh-answer.ts';
import { errorCode } from './protocol.ts';
import type { RequestLines } from './request-lines.ts';
import { toCode, toReason } from './reset-codes.ts';
import type { Http2Session } from './session.ts';
import type { Http2Stream, ResetOrigin, StreamOwner } from './stream.ts';
import { toConnectAnswer } from './tunnel-heads.ts';

/**
 * A request of an HTTP/2 client: what arrives on its stream goes to the sink, what the exchange answers goes back. It serves
 * one stream after the other of its connection, as what a sink keeps for a request costs more than the request.
 */
export class Http2ClientStream implements ClientStream, StreamOwner {
  readonly protocol = 'http/2';
  readonly takesChunked = false;
  isHead = false;
  isGrpc = false;
  sink: RequestSink | null = null;
  readonly #session: Http2Session;
  #stream: Http2Stream | null = null;
  #requestDone = false;
  #isTunnel = false;
  /** The client's side was over with its head. */
  #endedAtOnce = false;

  constructor(session: Http2Session) {
    this.#session = session;
  }

  begin(stream: Http2Stream, head: RequestLines, ended: boolean): void {
    this.#stream = stream;
    this.isHead = head.isHead;
    this.isGrpc = head.isGrpc;
    this.#requestDone = ended && !head.upgrade;
    this.#isTunnel = false;
    this.#endedAtOnce = ended;
    stream.owner = this;
    // What comes early belongs to the other protocol.
    if (head.upgrade) stream.pause();
  }

  /** The exchange is over; what still arrives goes nowhere. */
  finish(): void {
    const stream = this.#stream;
    this.#stream = null;
    if (stream === null) return;
    stream.owner = null;
    stream.endEarly();
  }

  // --- from the exchange -------------------------------------------------------------------------------------------

  sendInterim(bytes: Buffer, head: ResponseHead): void {
    if (this.#stream !== null) this.#session.respond(this.#stream, bytes, head, false);
  }

  sendHead(
    bytes: Buffer,
    head: ResponseHead,
    _form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    const stream = this.#stream;
    if (stream === null) return true;
    const hasBody = bodyEnd > bodyStart;
    this.#session.respond(stream, bytes, head, isLast && !hasBody);
    return hasBody ? this.#sendContent(bytes, bodyStart, bodyEnd, isLast) : true;
  }

  #sendContent(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    const stream = this.#stream;
    if (stream === null) return true;
    const goOn = stream.sendContent(bytes, start, end, isLast);
    if (!goOn && isOverfull()) this.#breakOff(stream);
    return goOn;
  }

  /** Too much waits, here as well. */
  #breakOff(stream: Http2Stream): void {
    this.#stream = null;
    stream.reset(errorCode.enhanceYourCalm);
    const { sink } = this;
    queueMicrotask(() => sink?.clientGone('overload'));
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    if (end > start) return this.#sendContent(bytes, start, end, isLast);
    if (isLast) this.#stream?.sendEnd();
    return true;
  }

  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    this.#stream?.sendTrailers(bytes, trailers);
  }

  answer(answer: MeshAnswer): void {
    if (this.#stream !== null) sendAnswer(this.#session, this.#stream, answer, this);
  }

  openTunnel(bytes: Buffer, head: ResponseHead): void {
    const stream = this.#stream;
    if (stream === null) return;
    const answer = toConnectAnswer(bytes, head);
    this.#session.respond(stream, answer.bytes, answer.head, false);
    this.#isTunnel = true;
    stream.resume();
    if (!this.#endedAtOnce) return;
    const { sink } = this;
    queueMicrotask(() => {
      if (this.#stream === stream) sink?.end();
    });
  }

  abort(reason: CancelReason): void {
    this.#stream?.reset(toCode(reason));
  }

  pauseRequest(): void {
    this.#stream?.pause();
  }

  resumeRequest(): void {
    this.#stream?.resume();
  }

  // --- from the stream ---------------------------------------------------------------------------------------------

  onHead(): void {
    throw new Error('a client sends no response');
  }

  onContent(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    this.#requestDone = stream.isLastContent && !this.#isTunnel;
    this.sink?.body(bytes, start, end, this.#requestDone);
  }

  onTrailers(_stream: Http2Stream, bytes: Buffer, trailers: HeadFields): void {
    this.sink?.trailers(bytes, trailers);
  }

  onEnd(): void {
    if (this.#requestDone) return;
    this.#requestDone = true;
    this.sink?.end();
  }

  onDrain(): void {
    this.sink?.clientDrained();
  }

  onReset(_stream: Http2Stream, code: number, origin: ResetOrigin): void {
    this.#stream = null;
    this.sink?.clientGone(toReason(code, origin));
  }
}
