import type { Socket } from 'node:net';
import { ConnectionLife } from '../upstream/connection-life.ts';
import { openWire } from '../wire/open-wire.ts';
import type { Wire, WireOwner } from '../wire/wire.ts';
import { createBodyScanner } from './body-scanner.ts';
import { sendChunk, sendChunkedTrailers, sendLastChunk } from './chunk-coding.ts';
import type { HeadFields, HttpCodec, RequestHead, ResponseHead } from './codec.ts';
import { composeRequestHead, requestHeadRoom } from './head-writer.ts';
import { maxInterimAnswers } from './limits.ts';
import { PartialBytes } from './partial-bytes.ts';
import { isHead } from './request-method.ts';
import { bodyKind, formOf, lostLoss, protocolLoss, reuseMs, staleLoss } from './response-framing.ts';
import type {
  BodyForm,
  CancelReason,
  RequestEdit,
  ResponseSink,
  ServerLoss,
  ServerStream,
  SessionOptions,
  UpstreamCarrier,
  UpstreamSession,
} from './streams.ts';

/** HTTP/1.1 towards servers: one request at a time per connection. */
export function createHttp1Carrier(codec: HttpCodec, alpn: string): UpstreamCarrier {
  return {
    alpn,
    plaintext: 'http/1.1',
    shared: false,
    takesChunked: true,
    createSession: (socket, options) => new UpstreamConnection(socket, codec, options),
  };
}

/**
 * A connection to an endpoint, and the request that it carries. While it carries none, bytes or a FIN that arrive end it:
 * bytes that no request asked for would be taken for the next answer.
 */
class UpstreamConnection implements UpstreamSession, ServerStream, WireOwner {
  readonly shared = false;
  readonly #wire: Wire;
  readonly #codec: HttpCodec;
  readonly #options: SessionOptions;
  readonly #body = createBodyScanner();
  readonly #partial = new PartialBytes();
  #sink: ResponseSink | null = null;
  readonly #life: ConnectionLife;
  #reusableUntilMs: number;
  #used = false;
  #retired = false;
  #closed = false;
  /** The server has sent its FIN, or something it must not. */
  #spent = false;
  #headOnly = false;
  #askedUpgrade = false;
  #encodes = false;
  #requestDone = false;
  /** A byte of the response has come. */
  #answered = false;
  #headDone = false;
  #interims = 0;
  #untilClose = false;
  #mayReuse = false;
  /** The server has answered and will close: it wants no more of the request's body. */
  #discards = false;
  #tunnel = false;
  #tunnelEnds = 0;

  constructor(socket: Socket, codec: HttpCodec, options: SessionOptions) {
    this.#codec = codec;
    this.#options = options;
    this.#life = new ConnectionLife(options.endpoint.pool, options.monotonicMs(), Number.POSITIVE_INFINITY);
    this.#reusableUntilMs = this.#life.ageLimitMs;
    socket.setNoDelay(true);
    options.recorder?.connectionOpened();
    this.#wire = options.openWire?.(this) ?? openWire(socket, this);
  }

  // --- session -----------------------------------------------------------------------------------------------------

  get active(): number {
    return this.#sink === null ? 0 : 1;
  }

  get usable(): boolean {
    return !this.#retired && !this.#spent && !this.#closed && this.#wire.writable;
  }

  get available(): boolean {
    return this.#sink === null && this.usable && this.#options.monotonicMs() < this.#reusableUntilMs;
  }

  get recorder() {
    return this.#options.recorder;
  }

  get reused(): boolean {
    return this.#used;
  }

  open(sink: ResponseSink): ServerStream | null {
    if (this.#sink !== null || !this.usable) return null;
    this.#sink = sink;
    this.#requestDone = false;
    this.#answered = false;
    this.#headDone = false;
    this.#interims = 0;
    this.#untilClose = false;
    this.#mayReuse = false;
    this.#discards = false;
    return this;
  }

  retire(): void {
    this.#retired = true;
    if (this.#sink === null) this.destroy();
  }

  destroy(): void {
    this.#wire.destroy();
  }

  tick(nowMs: number): void {
    if (this.#sink === null && nowMs >= this.#reusableUntilMs) this.destroy();
  }

  // --- request -----------------------------------------------------------------------------------------------------

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
    const wire = this.#wire;
    const encodes = form === 'plain';
    this.#encodes = encodes;
    this.#headOnly = isHead(bytes, head);
    this.#askedUpgrade = head.upgrade;
    const at = wire.reserve(requestHeadRoom(head, edit));
    const goOn = wire.commit(composeRequestHead(wire.output, at, bytes, head, edit, encodes));
    if (bodyEnd === bodyStart && !isLast) return goOn;
    if (bodyEnd === bodyStart && form === 'none') {
      this.#requestDone = true;
      return goOn;
    }
    return this.sendBody(body, bodyStart, bodyEnd, isLast);
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    const wire = this.#wire;
    if (this.#sink === null || this.#discards) return true;
    let goOn = true;
    if (this.#encodes) goOn = sendChunk(wire, bytes, start, end);
    else if (end > start) goOn = wire.send(bytes, start, end);
    if (!isLast) return goOn;
    if (this.#tunnel) this.#endTunnelSide(() => wire.end());
    else if (this.#encodes) goOn = sendLastChunk(wire);
    this.#requestDone = true;
    return goOn;
  }

  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    if (this.#sink === null || !this.#encodes) return;
    sendChunkedTrailers(this.#wire, bytes, trailers);
    this.#requestDone = true;
  }

  pauseResponse(): void {
    this.#wire.pause();
  }

  resumeResponse(): void {
    this.#wire.resume();
  }

  cancel(reason: CancelReason): void {
    if (this.#sink === null) return;
    this.#sink = null;
    this.#spent = true;
    if (this.#tunnel && reason !== 'cancelled') this.#wire.reset();
    else this.#wire.destroy();
  }

  // --- wire --------------------------------------------------------------------------------------------------------

  onBytes(bytes: Buffer, start: number, end: number): void {
    const sink = this.#sink;
    if (sink === null) {
      this.#spent = true;
      this.destroy();
      return;
    }
    this.#answered = true;
    if (this.#tunnel) {
      sink.onBody(bytes, start, end, false);
    } else if (this.#headDone) {
      this.#relayBody(sink, bytes, start, end);
    } else if (this.#partial.size > 0) {
      this.#partial.append(bytes, start, end);
      const partial = this.#partial;
      if (partial.isWorthATry) this.#readHeads(sink, partial.bytes, partial.start, partial.end);
    } else {
      this.#readHeads(sink, bytes, start, end);
    }
  }

  onEnd(): void {
    this.#spent = true;
    const sink = this.#sink;
    if (sink === null) {
      this.destroy();
    } else if (this.#tunnel) {
      this.#endTunnelSide(() => sink.onBody(noBytes, 0, 0, true));
    } else if (this.#headDone && this.#untilClose) {
      this.#release(false);
      sink.onBody(noBytes, 0, 0, true);
    } else {
      this.#lose(sink);
    }
  }

  onDrain(): void {
    this.#sink?.onDrain();
  }

  onClose(error: Error | null): void {
    this.#closed = true;
    this.#spent = true;
    const sink = this.#sink;
    this.#sink = null;
    this.#partial.clear();
    this.#options.recorder?.connectionClosed();
    this.#options.onClosed(this);
    if (sink !== null) sink.onLost(this.#toLoss(error !== null));
  }

  // --- response ----------------------------------------------------------------------------------------------------

  #readHeads(sink: ResponseSink, bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const result = this.#codec.parseResponse(bytes, at, end);
      if (result === 'incomplete') {
        this.#partial.keepTried(bytes, at, end);
        return;
      }
      const head = this.#codec.response;
      if (result === 'refused' || (head.status === 101 && !(this.#askedUpgrade && head.upgrade))) {
        this.#breakOff(sink);
        return;
      }
      at = head.end;
      if (head.status === 101) {
        this.#openTunnel(sink, bytes, head, end);
        return;
      }
      if (head.status >= 200) {
        this.#readFinal(sink, bytes, head, end);
        return;
      }
      this.#interims += 1;
      if (this.#interims > maxInterimAnswers) {
        this.#breakOff(sink);
        return;
      }
      sink.onInterim(bytes, head);
      // It may have been given up on the way.
      if (this.#sink !== sink) return;
    }
    this.#partial.clear();
  }

  #readFinal(sink: ResponseSink, bytes: Buffer, head: ResponseHead, end: number): void {
    const body = this.#body;
    const kind = bodyKind(head, this.#headOnly);
    const decode = kind === 'chunked' && !sink.takesChunked;
    this.#headDone = true;
    this.#untilClose = kind === 'until-close';
    this.#mayReuse = !this.#untilClose && (head.minor === 1 ? !head.close : head.keepAlive);
    const { endpoint, monotonicMs } = this.#options;
    const keptMs = Math.min(reuseMs(head, endpoint.target.tls !== null), this.#life.idleMs);
    this.#reusableUntilMs = Math.min(monotonicMs() + keptMs, this.#life.ageLimitMs);
    body.begin(kind, Math.max(0, head.contentLength), decode);
    const from = head.end;
    const to = body.scan(bytes, from, end);
    if (to < 0) {
      this.#breakOff(sink);
      return;
    }
    const isDone = body.done;
    const form = formOf(kind, decode);
    const { spans, spanCount, trailers } = body;
    const isLast = isDone && spanCount <= 2 && trailers === null;
    const held = this.#partial.size > 0;
    if (isDone) this.#release(to === end);
    if (spanCount === 0) sink.onHead(bytes, head, form, from, from, isLast);
    else sink.onHead(bytes, head, form, spans[0] ?? from, spans[1] ?? from, isLast);
    if (!isLast) this.#relaySpans(sink, bytes, 2, isDone);
    if (!isDone && !this.#requestDone && !this.#mayReuse && this.#sink === sink) {
      this.#discards = true;
      sink.onDrain();
    }
    if (held) this.#partial.clear();
  }

  #relayBody(sink: ResponseSink, bytes: Buffer, start: number, end: number): void {
    const to = this.#body.scan(bytes, start, end);
    if (to < 0) {
      this.#breakOff(sink);
      return;
    }
    const isDone = this.#body.done;
    if (isDone) this.#release(to === end);
    this.#relaySpans(sink, bytes, 0, isDone);
  }

  /** `isDone`: the connection has been released; what is left is told to the sink of the request that it carried. */
  #relaySpans(sink: ResponseSink, bytes: Buffer, from: number, isDone: boolean): void {
    const { spans, spanCount, trailers } = this.#body;
    const last = isDone && trailers === null ? spanCount - 2 : -1;
    for (let index = from; index < spanCount; index += 2) {
      if (!isDone && this.#sink !== sink) return;
      sink.onBody(bytes, spans[index] ?? 0, spans[index + 1] ?? 0, index === last);
    }
    if (!isDone) return;
    if (trailers !== null) this.#relayTrailers(sink, trailers);
    else if (last < from) sink.onBody(bytes, 0, 0, true);
  }

  #relayTrailers(sink: ResponseSink, trailers: Buffer): void {
    const fields = this.#codec.parseTrailers(trailers, 0, trailers.length);
    if (fields === null) sink.onBody(trailers, 0, 0, true);
    else sink.onTrailers(trailers, fields);
  }

  #openTunnel(sink: ResponseSink, bytes: Buffer, head: ResponseHead, end: number): void {
    if (!this.#requestDone) {
      this.#breakOff(sink);
      return;
    }
    this.#tunnel = true;
    this.#encodes = false;
    this.#spent = true;
    const from = head.end;
    const held = this.#partial.size > 0;
    sink.onTunnel(bytes, head);
    if (from < end && this.#sink === sink) sink.onBody(bytes, from, end, false);
    if (held) this.#partial.clear();
  }

  /** One direction of the tunnel has ended; with the second one the connection is nobody's any more. */
  #endTunnelSide(tell: () => void): void {
    this.#tunnelEnds += 1;
    if (this.#tunnelEnds === 2) this.#sink = null;
    tell();
  }

  // --- the end of a request ----------------------------------------------------------------------------------------

  /** The response is complete. `clean`: nothing came after it, which would belong to no request. */
  #release(clean: boolean): void {
    this.#sink = null;
    this.#used = true;
    this.#life.requestsLeft -= 1;
    this.#wire.resume();
    if (this.#life.requestsLeft <= 0 || !clean || !this.#requestDone || !this.#mayReuse) this.#spent = true;
    if (this.usable) this.#options.onRoom(this);
    else this.destroy();
  }

  #lose(sink: ResponseSink): void {
    const loss = this.#toLoss(false);
    this.#sink = null;
    this.destroy();
    sink.onLost(loss);
  }

  #breakOff(sink: ResponseSink): void {
    this.#sink = null;
    this.#spent = true;
    this.destroy();
    sink.onLost(protocolLoss);
  }

  /**
   * A server that closes a kept connection while a request is on its way sends its FIN first. A reset without one is an
   * answer to the request, and nobody may take it for less.
   */
  #toLoss(wasReset: boolean): ServerLoss {
    return this.#used && !this.#answered && !wasReset ? staleLoss : lostLoss;
  }
}

const noBytes = Buffer.alloc(0);
