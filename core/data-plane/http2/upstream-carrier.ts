import type { Socket } from 'node:net';
import type { EdgeRecorder } from '../connection.ts';
import type { HeadFields, RequestHead } from '../http/codec.ts';
import type {
  BodyForm,
  CancelReason,
  RequestEdit,
  ResponseSink,
  ServerStream,
  SessionOptions,
  UpstreamCarrier,
  UpstreamSession,
} from '../http/streams.ts';
import { ConnectionLife } from '../upstream/connection-life.ts';
import { openWire } from '../wire/open-wire.ts';
import type { WireOwner } from '../wire/wire.ts';
import { errorCode } from './protocol.ts';
import { describeReset, toCode, toReason } from './reset-codes.ts';
import type { ResponseLines } from './response-lines.ts';
import { Http2Session } from './session.ts';
import type { Http2Stream, ResetOrigin, StreamOwner } from './stream.ts';
import { proofOf, toUpgradeAnswer, upgradeOf } from './tunnel-heads.ts';

const noBytes = Buffer.alloc(0);
const unowned: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
/** A connection on which nothing has happened for this long is asked whether it still lives before it is trusted. */
const probeAfterMs = 30_000;
/** Without a request for this long the connection is closed. */
const idleCloseMs = 300_000;

/** Requests as streams of HTTP/2 connections, with prior knowledge in plaintext. Between sidecars they travel otherwise. */
export function createHttp2Carrier(): UpstreamCarrier {
  return {
    alpn: null,
    plaintext: 'http/2',
    shared: true,
    takesChunked: false,
    createSession: (socket, options) => new Http2UpstreamSession(socket, options),
  };
}

class Http2UpstreamSession implements UpstreamSession {
  readonly shared = true;
  readonly recorder: EdgeRecorder | null;
  readonly session: Http2Session;
  readonly #options: SessionOptions;
  /** Streams handed out whose head was not sent yet. */
  #reserved = 0;
  #used = false;
  #usedAtMs: number;
  #closed = false;
  readonly #life: ConnectionLife;
  #probedAtMs: number;

  constructor(socket: Socket, options: SessionOptions) {
    this.recorder = options.recorder;
    this.#options = options;
    this.#usedAtMs = this.#probedAtMs = options.monotonicMs();
    this.#life = new ConnectionLife(options.endpoint.pool, this.#usedAtMs, idleCloseMs);
    this.#life.requestsLeft = Math.min(this.#life.requestsLeft, options.requestLimit?.most ?? this.#life.requestsLeft);
    this.session = new Http2Session(options.openWire?.(unowned) ?? openWire(socket, unowned), {
      role: 'client',
      onGoaway: () => this.#closeIfUseless(),
      onRoom: () => options.onRoom(this),
      onClosed: () => this.#close(),
      monotonicMs: options.monotonicMs,
    });
    options.recorder?.connectionOpened();
    this.session.start(noBytes);
  }

  get active(): number {
    return this.session.streams.size + this.#reserved;
  }

  get available(): boolean {
    const { active } = this;
    return (
      this.session.canOpen &&
      active < this.session.peer.maxOpen &&
      active < this.#life.maxStreams &&
      this.#life.requestsLeft > 0
    );
  }

  get usable(): boolean {
    return this.session.usable;
  }

  open(sink: ResponseSink): ServerStream | null {
    if (!this.available) return null;
    const reused = this.#used;
    this.#used = true;
    this.#reserved += 1;
    this.#life.requestsLeft -= 1;
    return new Http2ServerStream(this, sink, reused);
  }

  /** The head of a stream that was handed out leaves, or never will. */
  unreserve(): void {
    this.#reserved -= 1;
    this.#usedAtMs = this.#options.monotonicMs();
  }

  /** A stream has ended. */
  released(): void {
    this.#usedAtMs = this.#options.monotonicMs();
    if (this.#life.requestsLeft <= 0 && this.active === 0) this.#endSpent();
    if (!this.usable) queueMicrotask(() => this.#closeIfUseless());
    else if (this.#life.maxStreams !== Number.POSITIVE_INFINITY) queueMicrotask(() => this.#options.onRoom(this));
  }

  /** The server has ended the connection without having looked at this stream, and at none behind it. */
  refused(stream: Http2Stream): void {
    if (this.session.goneAway) this.#options.requestLimit?.refusedAfter((stream.id - 1) / 2);
  }

  #endSpent(): void {
    if (!this.session.goneAway) this.#options.requestLimit?.carried();
    this.session.drain();
  }

  retire(): void {
    this.session.drain();
    this.#closeIfUseless();
  }

  destroy(): void {
    this.session.close('');
  }

  tick(nowMs: number): void {
    this.session.tick(nowMs);
    const silentMs = nowMs - this.#usedAtMs;
    const ping = this.#options.endpoint.pool?.http2KeepAlive;
    if (ping !== undefined && nowMs - this.#probedAtMs >= ping.intervalMs) {
      this.#probedAtMs = nowMs;
      this.session.probe(ping.timeoutMs);
    }
    if (nowMs >= this.#life.ageLimitMs) this.retire();
    else if (this.active === 0 && silentMs >= this.#life.idleMs) this.session.drain();
    else if (this.active > 0 && silentMs >= probeAfterMs) this.session.probe();
  }

  #closeIfUseless(): void {
    if (!this.usable && this.active === 0) this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.recorder?.connectionClosed();
    this.#options.onClosed(this);
  }
}

interface AskedTunnel {
  readonly protocol: string;
  readonly proof: string | null;
}

class Http2ServerStream implements ServerStream, StreamOwner {
  readonly reused: boolean;
  readonly #upstream: Http2UpstreamSession;
  #sink: ResponseSink | null;
  #stream: Http2Stream | null = null;
  #isReserved = true;
  #headSeen = false;
  /** A tunnel, until the answer has come. */
  #asked: AskedTunnel | null = null;
  #isTunnel = false;

  constructor(upstream: Http2UpstreamSession, sink: ResponseSink, reused: boolean) {
    this.#upstream = upstream;
    this.#sink = sink;
    this.reused = reused;
  }

  get recorder(): EdgeRecorder | null {
    return this.#upstream.recorder;
  }

  // --- from the exchange -------------------------------------------------------------------------------------------

  sendHead(
    bytes: Buffer,
    head: RequestHead,
    edit: RequestEdit,
    _form: BodyForm,
    body: Buffer,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    const { session } = this.#upstream;
    if (head.upgrade && !session.peer.seen) {
      // Only its settings say whether the server knows tunnels.
      session.peer.onceSeen(() => {
        if (this.#sink !== null) this.#open(bytes, head, edit, body, bodyStart, bodyEnd, isLast);
      });
      return true;
    }
    return this.#open(bytes, head, edit, body, bodyStart, bodyEnd, isLast);
  }

  #open(
    bytes: Buffer,
    head: RequestHead,
    edit: RequestEdit,
    body: Buffer,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    this.#unreserve();
    const { session } = this.#upstream;
    if (!session.canOpen) {
      queueMicrotask(() => this.onReset(null, errorCode.refusedStream, 'peer', true));
      return true;
    }
    const hasBody = bodyEnd > bodyStart;
    const isTunnel = head.upgrade && session.peer.takesConnectProtocol;
    this.#asked = isTunnel ? { protocol: upgradeOf(bytes, head), proof: proofOf(bytes, head) } : null;
    const ends = isLast && !hasBody && !isTunnel;
    const stream = session.open(bytes, head, edit, ends, this, this.#asked?.protocol ?? null);
    this.#stream = stream;
    return hasBody ? stream.sendContent(body, bodyStart, bodyEnd, isLast) : true;
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    if (end > start) return this.#stream?.sendContent(bytes, start, end, isLast) ?? true;
    if (isLast) this.#stream?.sendEnd();
    return true;
  }

  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    this.#stream?.sendTrailers(bytes, trailers);
  }

  pauseResponse(): void {
    this.#stream?.pause();
  }

  resumeResponse(): void {
    this.#stream?.resume();
  }

  cancel(reason: CancelReason): void {
    this.#sink = null;
    this.#unreserve();
    this.#stream?.reset(toCode(reason));
    this.#release();
  }

  // --- from the stream ---------------------------------------------------------------------------------------------

  onHead(stream: Http2Stream, head: ResponseLines): void {
    if (head.status < 200) {
      this.#sink?.onInterim(head.bytes, head);
      return;
    }
    this.#headSeen = true;
    if (this.#asked !== null && head.status < 300) {
      this.#openTunnel(head, this.#asked);
      return;
    }
    const isLast = stream.responseEnded;
    const sink = isLast ? this.#take() : this.#sink;
    sink?.onHead(head.bytes, head, head.bodyForm(isLast), head.end, head.end, isLast);
    if (isLast) this.#endRequest(stream);
  }

  #openTunnel(head: ResponseLines, { protocol, proof }: AskedTunnel): void {
    this.#isTunnel = true;
    const answer = toUpgradeAnswer(head.bytes, head, protocol, proof);
    this.#sink?.onTunnel(answer.bytes, answer.head);
  }

  onContent(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    if (this.#isTunnel) {
      this.#sink?.onBody(bytes, start, end, false);
      return;
    }
    const isLast = stream.isLastContent;
    const sink = isLast ? this.#take() : this.#sink;
    sink?.onBody(bytes, start, end, isLast);
    if (isLast) this.#endRequest(stream);
  }

  onTrailers(stream: Http2Stream, bytes: Buffer, trailers: HeadFields): void {
    this.#take()?.onTrailers(bytes, trailers);
    this.#endRequest(stream);
  }

  onEnd(stream: Http2Stream): void {
    if (this.#isTunnel) {
      this.#sink?.onBody(noBytes, 0, 0, true);
      return;
    }
    this.#take()?.onBody(noBytes, 0, 0, true);
    this.#endRequest(stream);
  }

  onDrain(): void {
    this.#sink?.onDrain();
  }

  onReset(stream: Http2Stream | null, code: number, origin: ResetOrigin, unprocessed: boolean): void {
    const sink = this.#take();
    if (stream !== null && unprocessed) this.#upstream.refused(stream);
    this.#release();
    if (sink === null) return;
    const stale = origin === 'connection' && this.reused && !this.#headSeen;
    sink.onLost({ reason: toReason(code, origin), message: describeReset(code, origin), unprocessed, stale });
  }

  #take(): ResponseSink | null {
    const sink = this.#sink;
    this.#sink = null;
    return sink;
  }

  /** The response is complete; what is left of the request is of no use to anybody (RFC 9113, 8.1). */
  #endRequest(stream: Http2Stream): void {
    if (!stream.closed && !stream.localEnded && stream.owner !== null) stream.reset(errorCode.cancel);
    this.#release();
  }

  #unreserve(): void {
    if (!this.#isReserved) return;
    this.#isReserved = false;
    this.#upstream.unreserve();
  }

  #release(): void {
    this.#stream = null;
    this.#upstream.released();
  }
}
