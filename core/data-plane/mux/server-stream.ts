import type { EdgeRecorder } from '../connection.ts';
import type { HeadFields, HttpCodec, RequestHead, ResponseHead } from '../http/codec.ts';
import { composeRequestHead, requestHeadRoom } from '../http/head-writer.ts';
import { isConnect, isHead } from '../http/request-method.ts';
import type { BodyForm, CancelReason, RequestEdit, ResponseSink, ServerStream } from '../http/streams.ts';
import { BodyReader, codingOf, type TakeBody } from './body-reader.ts';
import { bodyCoding, type HeadInfo, headInfo, type MuxErrorCode } from './frame.ts';
import { toReason } from './reset-codes.ts';
import { type MuxStream, type MuxStreamOwner, noOwner } from './stream.ts';

const noBytes = Buffer.alloc(0);

/** What a server stream needs of its session. */
interface StreamSource {
  readonly recorder: EdgeRecorder | null;
  readonly codec: HttpCodec;
  openStream(owner: MuxServerStream): MuxStream;
  rest(stream: MuxServerStream): void;
  unreserve(leaves: boolean): void;
}

/**
 * One request to another sidecar. What comes back is parsed as strictly as what any server answers. The object serves one
 * request after the other; one that has been a tunnel serves no more.
 */
export class MuxServerStream implements ServerStream, MuxStreamOwner {
  reused = false;
  readonly #upstream: StreamSource;
  #http2 = false;
  readonly #body = new BodyReader();
  /** `null` once the exchange has heard the last. */
  #sink: ResponseSink | null = null;
  #stream: MuxStream | null = null;
  #isReserved = false;
  #isOver = true;
  #headSeen = false;
  /** HEAD: the answer has no body whatever its head says. */
  #headOnly = false;
  /** Asked for, until the final head: the request's own direction stays open meanwhile. */
  #asked: 'upgrade' | 'connect' | null = null;
  #tunnel = false;
  #isPaused = false;
  /** Received while paused. */
  #owedBytes = 0;

  constructor(upstream: StreamSource) {
    this.#upstream = upstream;
  }

  begin(sink: ResponseSink, reused: boolean, http2: boolean): void {
    this.#sink = sink;
    this.reused = reused;
    this.#http2 = http2;
    this.#stream = null;
    this.#isReserved = true;
    this.#isOver = false;
    this.#headSeen = false;
    this.#headOnly = false;
    this.#asked = null;
    this.#isPaused = false;
    this.#owedBytes = 0;
  }

  /** What is left of the stream of the request before, `null` when it has ended on both sides. */
  get remainder(): MuxStream | null {
    return this.#stream === null || this.#stream.closed ? null : this.#stream;
  }

  get recorder(): EdgeRecorder | null {
    return this.#upstream.recorder;
  }

  // --- from the exchange -------------------------------------------------------------------------------------------

  sendHead(
    bytes: Buffer,
    head: RequestHead,
    edit: RequestEdit,
    form: BodyForm,
    body: Buffer,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    this.#unreserve(true);
    const stream = this.#upstream.openStream(this);
    this.#headOnly = isHead(bytes, head);
    this.#asked = isConnect(bytes, head) ? 'connect' : head.upgrade ? 'upgrade' : null;
    const inline = Math.min(bodyEnd - bodyStart, stream.inlineRoom);
    const start = stream.reserveHead(requestHeadRoom(head, edit) + inline);
    const headEnd = composeRequestHead(stream.output, start, bytes, head, edit, false);
    const end = headEnd + body.copy(stream.output, headEnd, bodyStart, bodyStart + inline);
    const info = headInfo(codingOf(form), false, this.#http2);
    const fin = isLast && this.#asked === null && inline === bodyEnd - bodyStart;
    if (!stream.commitHead(info, start, headEnd, end, fin)) {
      // It was available a moment ago; the session has ended or drains since.
      queueMicrotask(() => this.onReset('refused', 'the connection takes no requests any more', 'session'));
      return true;
    }
    this.#stream = stream;
    if (inline === bodyEnd - bodyStart) return true;
    return stream.send(body, bodyStart + inline, bodyEnd, isLast && this.#asked === null);
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    const stream = this.#stream;
    if (stream === null) return true;
    const fin = isLast && this.#asked === null;
    if (end > start) return stream.send(bytes, start, end, fin);
    if (fin) stream.end();
    return true;
  }

  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    this.#stream?.sendTrailers(bytes, trailers);
  }

  pauseResponse(): void {
    this.#isPaused = true;
  }

  resumeResponse(): void {
    this.#isPaused = false;
    const owed = this.#owedBytes;
    this.#owedBytes = 0;
    this.#stream?.consumed(owed);
  }

  cancel(reason: CancelReason): void {
    this.#sink = null;
    this.#unreserve(false);
    this.#stream?.reset(reason);
    this.#rest();
  }

  // --- from the stream ---------------------------------------------------------------------------------------------

  onHead(info: HeadInfo, bytes: Buffer, start: number, headEnd: number, end: number, fin: boolean): void {
    const { codec } = this.#upstream;
    const sink = this.#sink;
    if (sink === null) {
      this.#stream?.consumed(end - headEnd);
      return;
    }
    if (codec.parseResponse(bytes, start, headEnd) !== 'complete' || codec.response.end !== headEnd) {
      this.#break('the other sidecar sent no valid response');
      return;
    }
    const head = codec.response;
    if (info.interim) {
      if (head.status >= 200 || head.status === 101) this.#break('a final response that says it is interim');
      else sink.onInterim(bytes, head);
      return;
    }
    this.#headSeen = true;
    if (this.#isTunnel(head)) this.#openTunnel(sink, bytes, head, headEnd, end);
    else this.#takeHead(sink, info, bytes, head, headEnd, end, fin);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.#note(end - start);
    if (this.#sink === null) return;
    if (this.#tunnel) this.#sink.onBody(bytes, start, end, false);
    else if (!this.#body.read(bytes, start, end, this.#take)) this.#break('more bytes than the response has');
    else this.#passDecodedTrailers();
  }

  onTrailers(bytes: Buffer, start: number, end: number): void {
    if (this.#sink === null) return;
    if (this.#tunnel || !this.#body.endWithTrailers()) this.#break('trailers that the response cannot have');
    else this.#passTrailers(bytes, start, end);
  }

  onEnd(): void {
    if (this.#tunnel) this.#sink?.onBody(noBytes, 0, 0, true);
    else if (!this.#body.end(this.#take)) this.#lose('lost', 'the response ended in the middle', false, false);
  }

  onDrain(): void {
    this.#sink?.onDrain();
  }

  onReset(code: MuxErrorCode, reason: string, origin: 'peer' | 'session'): void {
    const stale = origin === 'session' && this.reused && !this.#headSeen;
    this.#lose(toReason(code), reason, code === 'refused' && !this.#headSeen, stale);
  }

  // --- the response ------------------------------------------------------------------------------------------------

  #isTunnel(head: ResponseHead): boolean {
    if (this.#asked === 'upgrade') return head.status === 101 && head.upgrade;
    return this.#asked === 'connect' && head.status >= 200 && head.status < 300;
  }

  #openTunnel(sink: ResponseSink, bytes: Buffer, head: ResponseHead, headEnd: number, end: number): void {
    this.#tunnel = true;
    this.#asked = null;
    this.#note(end - headEnd);
    sink.onTunnel(bytes, head);
    if (end > headEnd) this.#sink?.onBody(bytes, headEnd, end, false);
  }

  #takeHead(
    sink: ResponseSink,
    info: HeadInfo,
    bytes: Buffer,
    head: ResponseHead,
    headEnd: number,
    end: number,
    fin: boolean,
  ): void {
    const bodiless = this.#headOnly || head.status === 204 || head.status === 304;
    const form = bodiless && info.body === bodyCoding.none ? 'none' : BodyReader.formOf(info.body, head);
    const unframed = form === 'none' && !bodiless && (head.chunked || head.contentLength > 0);
    if (form === null || unframed || (bodiless && form !== 'none') || head.status === 101) {
      this.#break('a response whose head and frames contradict each other');
      return;
    }
    const decode = form === 'chunked' && !sink.takesChunked;
    this.#body.begin(form, head, decode);
    if (this.#asked !== null) {
      // No tunnel after all: nothing more goes there.
      this.#asked = null;
      this.#stream?.end();
    }
    const sees = decode ? 'plain' : form;
    if (end === headEnd) {
      const isLast = form === 'none' || (fin && form === 'plain');
      if (isLast && form === 'plain') this.#body.endWithTrailers();
      const taker = isLast ? this.#finish() : sink;
      taker?.onHead(bytes, head, sees, headEnd, headEnd, isLast);
      return;
    }
    this.#note(end - headEnd);
    this.#takeBodyBehind(sink, bytes, head, sees, headEnd, end, fin);
  }

  /** The first span goes on with the head; others, which only chunks have, after it. */
  #takeBodyBehind(
    sink: ResponseSink,
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    headEnd: number,
    end: number,
    fin: boolean,
  ): void {
    let first = true;
    const whole = this.#body.read(bytes, headEnd, end, (from, start, to, isLast) => {
      const ends = isLast || (form === 'plain' && fin && !this.#body.done && to === end);
      const taker = ends ? this.#finish() : this.#sink;
      if (!first) taker?.onBody(from, start, to, ends);
      else if (start === to) taker?.onHead(bytes, head, form, headEnd, headEnd, ends);
      else taker?.onHead(bytes, head, form, start, to, ends);
      first = false;
    });
    if (!whole) this.#break('more bytes than the response has');
    // Nothing but the beginning of a chunk.
    else if (first) sink.onHead(bytes, head, form, headEnd, headEnd, false);
    this.#passDecodedTrailers();
  }

  #passDecodedTrailers(): void {
    const { trailers } = this.#body;
    if (trailers !== null) this.#passTrailers(trailers, 0, trailers.length);
  }

  #passTrailers(bytes: Buffer, start: number, end: number): void {
    if (this.#sink === null) return;
    const trailers = this.#upstream.codec.parseTrailers(bytes, start, end);
    if (trailers === null) this.#break('trailers that are not fit to be sent on');
    else this.#finish()?.onTrailers(bytes, trailers);
  }

  readonly #take: TakeBody = (bytes, start, end, isLast) => {
    const sink = isLast ? this.#finish() : this.#sink;
    sink?.onBody(bytes, start, end, isLast);
  };

  #note(bytes: number): void {
    if (this.#isPaused && this.#sink !== null) this.#owedBytes += bytes;
    else this.#stream?.consumed(bytes);
  }

  // --- endings -----------------------------------------------------------------------------------------------------

  /** The response is complete; what is left of the request is of no use to anybody. */
  #finish(): ResponseSink | null {
    const sink = this.#sink;
    this.#sink = null;
    const stream = this.#stream;
    if (stream !== null && !stream.localDone) stream.reset('cancelled');
    this.#rest();
    return sink;
  }

  #break(message: string): void {
    this.#stream?.reset('protocol');
    this.#lose('protocol', message, false, false);
  }

  #lose(reason: CancelReason, message: string, unprocessed: boolean, stale: boolean): void {
    const sink = this.#sink;
    this.#sink = null;
    this.#stream?.reset(reason);
    this.#rest();
    sink?.onLost({ reason, message, unprocessed, stale });
  }

  /** Nothing of this request concerns anybody any more; its stream may still end by itself. */
  #rest(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#stream !== null) this.#stream.owner = noOwner;
    if (!this.#tunnel) this.#upstream.rest(this);
  }

  #unreserve(leaves: boolean): void {
    if (!this.#isReserved) return;
    this.#isReserved = false;
    this.#upstream.unreserve(leaves);
  }
}
