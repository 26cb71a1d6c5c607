import type { EdgeRecorder } from '../connection.ts';
import type { HeadFields, HttpCodec, ResponseHead } from '../http/codec.ts';
import { composeResponseHead, type ResponseEdit, responseHeadRoom } from '../http/head-writer.ts';
import { bodyStallMs } from '../http/limits.ts';
import { writeAnswer } from '../http/local-answer.ts';
import { isHead } from '../http/request-method.ts';
import type { BodyForm, CancelReason, ClientStream, MeshAnswer, RequestSink } from '../http/streams.ts';
import { BodyReader, codingOf, type TakeBody } from './body-reader.ts';
import { bodyCoding, type HeadInfo, headInfo, type MuxErrorCode } from './frame.ts';
import { toReason } from './reset-codes.ts';
import { type MuxStream, type MuxStreamOwner, noOwner } from './stream.ts';

const emptyLine = Buffer.from('\r\n\r\n');

export interface ClientStreamParts {
  readonly codec: HttpCodec;
  readonly monotonicMs: () => number;
  /** Counts requests that were refused before there was an exchange. */
  readonly recorder: EdgeRecorder | null;
  /** The object may serve another stream. */
  readonly onFree: (client: MuxClientStream) => void;
}

/**
 * A request of another sidecar. Its head is parsed like any client's: that it came from a sidecar says who sent it, not that
 * it is well-formed. One object, with its sink, serves one stream after the other.
 */
export class MuxClientStream implements ClientStream, MuxStreamOwner {
  readonly protocol: 'http/1.1' | 'http/2';
  readonly takesChunked = true;
  readonly #parts: ClientStreamParts;
  readonly #body = new BodyReader();
  #sink: RequestSink | null = null;
  #stream: MuxStream | null = null;
  #headOnly = false;
  #tunnel = false;
  #isPaused = false;
  /** Received while paused. */
  #owedBytes = 0;
  /** Something of the request has come since the last tick. */
  #heard = false;
  #quietSinceMs = 0;

  /** `protocol`: what the client beyond the other sidecar speaks, for all streams that this object serves. */
  constructor(protocol: 'http/1.1' | 'http/2', parts: ClientStreamParts) {
    this.protocol = protocol;
    this.#parts = parts;
  }

  /** Once, before the first stream. */
  attach(sink: RequestSink): void {
    this.#sink = sink;
  }

  serve(stream: MuxStream): void {
    this.#stream = stream;
    this.#tunnel = false;
    this.#isPaused = false;
    this.#owedBytes = 0;
    this.#heard = true;
  }

  /** About once a second: the other sidecar must not leave us waiting for the rest of a body. */
  tick(nowMs: number): void {
    if (this.#heard || this.#isPaused || this.#body.done) {
      this.#heard = false;
      this.#quietSinceMs = nowMs;
    } else if (nowMs - this.#quietSinceMs >= bodyStallMs) {
      this.#sink?.bodyStalled();
    }
  }

  /** The exchange is over. What is left of the request is of no use to anybody; queued parts of the answer still leave. */
  finish(): void {
    const stream = this.#stream;
    if (stream === null) return;
    this.#stream = null;
    // Queued parts of the answer may still be leaving.
    stream.owner = noOwner;
    if (!stream.closed && !stream.remoteDone && !this.#body.done) stream.reset('cancelled');
    this.#parts.onFree(this);
  }

  // --- from the exchange -------------------------------------------------------------------------------------------

  sendInterim(bytes: Buffer, head: ResponseHead): void {
    this.#respond(headInfo(bodyCoding.none, true, this.#isHttp2), bytes, head, 'none', 0, 0, false);
  }

  sendHead(
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    const info = headInfo(codingOf(form), false, this.#isHttp2);
    return this.#respond(info, bytes, head, form, bodyStart, bodyEnd, isLast);
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    if (end > start) return this.#stream?.send(bytes, start, end, isLast) ?? true;
    if (isLast) this.#stream?.end();
    return true;
  }

  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    this.#stream?.sendTrailers(bytes, trailers);
  }

  answer({ status, flag, body, headers }: MeshAnswer): void {
    const bytes = writeAnswer({ status, flag, body, headers, connection: null, headOnly: this.#headOnly });
    const headEnd = bytes.indexOf(emptyLine) + emptyLine.length;
    const hasBody = bytes.length > headEnd;
    const info = headInfo(hasBody ? bodyCoding.asHead : bodyCoding.none, false, this.#isHttp2);
    this.#stream?.sendHead(info, bytes, 0, headEnd, bytes.length, true);
  }

  openTunnel(bytes: Buffer, head: ResponseHead): void {
    this.#tunnel = true;
    this.#respond(headInfo(bodyCoding.plain, false, false), bytes, head, 'plain', 0, 0, false);
  }

  abort(reason: CancelReason): void {
    this.#stream?.reset(reason);
  }

  pauseRequest(): void {
    this.#isPaused = true;
  }

  resumeRequest(): void {
    this.#isPaused = false;
    const owed = this.#owedBytes;
    this.#owedBytes = 0;
    this.#stream?.consumed(owed);
  }

  // --- from the stream ---------------------------------------------------------------------------------------------

  onHead(info: HeadInfo, bytes: Buffer, start: number, headEnd: number, end: number, fin: boolean): void {
    const { codec, monotonicMs } = this.#parts;
    const sink = this.#sink;
    const stream = this.#stream;
    if (sink === null || stream === null) return;
    this.#headOnly = false;
    this.#body.begin('none', codec.request, false);
    const result = codec.parseRequest(bytes, start, headEnd);
    if (result !== 'complete' || codec.request.end !== headEnd) {
      this.#refuse(result === 'refused' ? codec.refusal : badHead);
      return;
    }
    const head = codec.request;
    const form = BodyReader.formOf(info.body, head);
    if (info.interim || form === null || (form === 'none' && (head.chunked || head.contentLength > 0))) {
      this.#refuse(badFraming);
      return;
    }
    this.#headOnly = isHead(bytes, head);
    sink.begin(bytes, head, form, monotonicMs());
    const decode = form === 'chunked' && !sink.takesChunked;
    this.#body.begin(form, head, decode);
    if (end > headEnd) {
      this.#note(end - headEnd);
      this.#startWithBody(sink, bytes, headEnd, end, fin);
    } else {
      const isLast = form === 'none' || (form === 'plain' && fin);
      if (isLast && form === 'plain') this.#body.endWithTrailers();
      sink.start(bytes, headEnd, headEnd, isLast);
    }
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.#heard = true;
    this.#note(end - start);
    const sink = this.#sink;
    if (sink === null) return;
    if (this.#tunnel) sink.body(bytes, start, end);
    else if (!this.#body.read(bytes, start, end, this.#take)) sink.refuseBody('more bytes than it says');
    else this.#passDecodedTrailers();
  }

  onTrailers(bytes: Buffer, start: number, end: number): void {
    if (this.#tunnel || !this.#body.endWithTrailers()) this.#sink?.refuseBody('trailers that it cannot have');
    else this.#passTrailers(bytes, start, end);
  }

  onEnd(): void {
    if (this.#tunnel) this.#sink?.end();
    else if (!this.#body.end(this.#take)) this.#sink?.refuseBody('an end in the middle of its body');
  }

  onDrain(): void {
    this.#sink?.clientDrained();
  }

  onReset(code: MuxErrorCode): void {
    this.#sink?.clientGone(toReason(code));
  }

  // --- the request -------------------------------------------------------------------------------------------------

  #startWithBody(sink: RequestSink, bytes: Buffer, headEnd: number, end: number, fin: boolean): void {
    let first = true;
    const stream = this.#stream;
    const ends = fin && end > headEnd;
    const whole = this.#body.read(bytes, headEnd, end, (from, start, to, isLast) => {
      // The exchange may have ended with the first part.
      if (this.#stream !== stream) return;
      if (!first) {
        if (to > start) sink.body(from, start, to, isLast);
        else if (isLast) sink.end();
        return;
      }
      first = false;
      const isPlainEnd = ends && this.#body.endWithTrailers();
      if (to > start) sink.start(from, start, to, isLast || isPlainEnd);
      else sink.start(bytes, headEnd, headEnd, isLast);
    });
    if (this.#stream !== stream) return;
    if (!whole && first) sink.refuseBody('more bytes than it says');
    else if (!whole) sink.refuseBody('a broken chunked coding');
    // Nothing but the beginning of a chunk.
    else if (first) sink.start(bytes, headEnd, headEnd, false);
    this.#passDecodedTrailers();
  }

  #passDecodedTrailers(): void {
    const { trailers } = this.#body;
    if (trailers !== null) this.#passTrailers(trailers, 0, trailers.length);
  }

  #passTrailers(bytes: Buffer, start: number, end: number): void {
    const trailers = this.#parts.codec.parseTrailers(bytes, start, end);
    if (trailers === null) {
      this.#sink?.refuseBody('trailers that are not fit to be sent on');
      return;
    }
    this.#sink?.trailers(bytes, trailers);
    this.#sink?.end();
  }

  readonly #take: TakeBody = (bytes, start, end, isLast) => {
    if (end > start) this.#sink?.body(bytes, start, end, isLast);
    else if (isLast) this.#sink?.end();
  };

  /** A request that cannot be understood; there is no exchange for it. */
  #refuse({ status, reason }: { readonly status: number; readonly reason: string }): void {
    this.answer({ status, flag: 'DPE', body: `the request has ${reason}\n` });
    this.#parts.recorder?.request(status, 'DPE', 0);
    this.finish();
  }

  // --- the answer --------------------------------------------------------------------------------------------------

  get #isHttp2(): boolean {
    return this.protocol === 'http/2';
  }

  #respond(
    info: HeadInfo,
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    const stream = this.#stream;
    if (stream === null || stream.closed) return true;
    const inline = Math.min(bodyEnd - bodyStart, stream.inlineRoom);
    const start = stream.reserveHead(responseHeadRoom(head) + inline);
    const headEnd = composeResponseHead(stream.output, start, bytes, head, toEdit(head, form));
    const end = headEnd + bytes.copy(stream.output, headEnd, bodyStart, bodyStart + inline);
    const whole = inline === bodyEnd - bodyStart;
    stream.commitHead(info, start, headEnd, end, isLast && whole);
    return whole || stream.send(bytes, bodyStart + inline, bodyEnd, isLast);
  }

  #note(bytes: number): void {
    if (this.#isPaused) this.#owedBytes += bytes;
    else this.#stream?.consumed(bytes);
  }
}

const badHead = { status: 400, reason: 'a head that ends before its frame says' };
const badFraming = { status: 400, reason: 'a head and frames that contradict each other' };

const framed: ResponseEdit = { connection: null, framing: true, chunked: false };
const unframed: ResponseEdit = { connection: null, framing: false, chunked: false };
const switching: ResponseEdit = { connection: 'upgrade', framing: false, chunked: false };

/** RFC 9110 section 8.6, RFC 9112 section 6.1: 1xx and 204 have no framing, nor has a body that has lost its coding. */
function toEdit(head: ResponseHead, form: BodyForm): ResponseEdit {
  if (head.status === 101) return switching;
  return form === 'plain' || head.status < 200 || head.status === 204 ? unframed : framed;
}
