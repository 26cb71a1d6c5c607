import type { HeadFields } from '../http/codec.ts';
import { allowance, holdBytes } from '../wire/held-bytes.ts';
import { errorCode, streamHighWaterBytes, streamWindow } from './protocol.ts';
import type { RequestLines } from './request-lines.ts';
import type { ResponseLines } from './response-lines.ts';

/** Who ended a stream before its time: the peer (RST_STREAM, GOAWAY) or the connection with all its streams. */
export type ResetOrigin = 'peer' | 'connection';

/** Who uses a stream. No callback runs inside a call to the stream itself. */
export interface StreamOwner {
  /** Client's side: a response's head, interim ones (1xx) included. */
  onHead(stream: Http2Stream, head: ResponseLines): void;
  /** Content; the buffer is not ours to keep. Counts as taken when the call returns, unless reading is paused. */
  onContent(stream: Http2Stream, bytes: Buffer, start: number, end: number): void;
  /** Always before `onEnd`. */
  onTrailers(stream: Http2Stream, bytes: Buffer, trailers: HeadFields): void;
  /** The peer has sent everything. */
  onEnd(stream: Http2Stream): void;
  /** What was queued has left after `sendContent` returned false. */
  onDrain(stream: Http2Stream): void;
  /**
   * The stream is gone before both sides had ended; nothing follows. `unprocessed`: the peer says that it has not looked at
   * the request (REFUSED_STREAM, GOAWAY), so that it may be sent again elsewhere whatever its method.
   */
  onReset(stream: Http2Stream, code: number, origin: ResetOrigin, unprocessed: boolean): void;
}

/** What a stream asks of its session. */
export interface StreamHost {
  /** Writes as much as windows and wire allow; END_STREAM when that was all and `isLast`. Returns the index after it. */
  writeContent(stream: Http2Stream, bytes: Buffer, start: number, end: number, isLast: boolean): number;
  writeTrailers(stream: Http2Stream, bytes: Buffer, trailers: HeadFields): void;
  /** Something is queued: call `flush` as soon as it can leave. */
  schedule(stream: Http2Stream): void;
  /** Content was taken by the consumer, or waits here for it (negative: no longer). */
  credit(stream: Http2Stream, octets: number): void;
  hold(octets: number): void;
  reset(stream: Http2Stream, code: number): void;
}

/** One request with its response. Made by the session only. */
export class Http2Stream {
  readonly id: number;
  owner: StreamOwner | null = null;
  /** Octets that may be sent; negative after the peer has made its initial window smaller. */
  sendWindow: number;
  receiveWindow: number;
  /** Content taken and not yet given back to the peer as window. */
  uncredited = 0;
  /** Octets of content still to come by `content-length`; -1: not announced. */
  contentLeft = -1;
  /** A final head was received (request's head on the server's side). */
  headReceived: boolean;
  /** The response has no content whatever its head says. */
  isHeadRequest = false;
  /** Client: the head that `onHead` was called with is all there is. */
  responseEnded = false;
  /** `endEarly` was called. */
  resetWhenEnded = false;
  /** During `onContent`: nothing but `onEnd` follows. */
  isLastContent = false;
  localEnded = false;
  remoteEnded = false;
  /** Nothing is sent or received any more. */
  closed = false;
  scheduled = false;
  readonly #host: StreamHost;
  /** Most streams never queue anything: lists are made when they are needed. */
  #queue: Buffer[] = nothing;
  #queueOffset = 0;
  #queuedBytes = 0;
  #endQueued = false;
  #trailers: KeptTrailers | null = null;
  #needsDrain = false;
  #paused = false;
  #delivering = false;
  #held: Buffer[] = nothing;
  #heldTrailers: KeptTrailers | null = null;
  #heldEnd = false;

  constructor(id: number, host: StreamHost, sendWindow: number, receiveWindow: number, headReceived: boolean) {
    this.id = id;
    this.#host = host;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.headReceived = headReceived;
  }

  /** Octets that wait for windows or the wire. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  // --- sending -----------------------------------------------------------------------------------------------------

  /** Sends content, a copy of which is kept as far as it cannot leave now. False: stop until `onDrain`. */
  sendContent(bytes: Buffer, start: number, end: number, isLast = false): boolean {
    if (this.closed || this.#endQueued) return true;
    let at = start;
    if (isLast) this.#endQueued = true;
    if (this.#queue.length === 0) at = this.#host.writeContent(this, bytes, start, end, isLast);
    if (at < end) {
      if (this.#queue === nothing) this.#queue = [];
      this.#queue.push(Buffer.from(bytes.subarray(at, end)));
      this.#queuedBytes += end - at;
      holdBytes(end - at);
      this.#host.schedule(this);
    }
    if (this.#queuedBytes === 0 || this.#queuedBytes < allowance(streamHighWaterBytes)) return true;
    this.#needsDrain = true;
    return false;
  }

  sendEnd(): void {
    if (this.closed || this.#endQueued) return;
    this.#endQueued = true;
    if (this.#queue.length === 0) this.#host.writeContent(this, noBytes, 0, 0, true);
  }

  /** Ends the stream with trailers. */
  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    if (this.closed || this.#endQueued) return;
    this.#endQueued = true;
    if (this.#queue.length === 0) this.#host.writeTrailers(this, bytes, trailers);
    else this.#trailers = keepTrailers(bytes, trailers);
  }

  /** Ends the stream at once in both directions. The owner hears no more of it. */
  reset(code: number): void {
    this.owner = null;
    if (!this.closed) this.#host.reset(this, code);
    this.drop();
  }

  /**
   * What the peer still sends is of no use: it is thrown away, and the stream is reset without an error as soon as our side
   * has ended (RFC 9113, 8.1).
   */
  endEarly(): void {
    this.#dropHeld();
    this.#paused = false;
    if (this.closed || this.remoteEnded) return;
    if (this.localEnded) this.reset(errorCode.noError);
    else this.resetWhenEnded = true;
  }

  /** For the session: writes what is queued, at most `limit` octets. True: more is left. */
  flush(limit: number): boolean {
    const chunk = this.#queue[0];
    if (chunk === undefined) return false;
    const from = this.#queueOffset;
    const to = Math.min(chunk.length, from + limit);
    const isLast = this.#endQueued && this.#trailers === null && this.#queue.length === 1 && to === chunk.length;
    const at = this.#host.writeContent(this, chunk, from, to, isLast);
    // It may have been the last of a stream that is reset when it has ended.
    if (this.#queue.length === 0) return false;
    this.#queuedBytes -= at - from;
    holdBytes(from - at);
    this.#queueOffset = at;
    if (at === chunk.length) {
      this.#queue.shift();
      this.#queueOffset = 0;
    }
    if (this.#queue.length > 0) return true;
    if (this.#trailers !== null) this.#host.writeTrailers(this, this.#trailers.bytes, this.#trailers.fields);
    this.#trailers = null;
    if (this.#needsDrain) {
      this.#needsDrain = false;
      this.owner?.onDrain(this);
    }
    return false;
  }

  /** `octets` of content have been taken; how many more the peer may send, 0: not worth a frame yet. */
  takeCredit(octets: number): number {
    this.uncredited += octets;
    if (this.uncredited < streamWindow / 2 || this.remoteEnded || this.closed) return 0;
    const back = this.uncredited;
    this.receiveWindow += back;
    this.uncredited = 0;
    return back;
  }

  // --- receiving ---------------------------------------------------------------------------------------------------

  /** What arrives from now on waits here, at most a window of it. */
  pause(): void {
    this.#paused = true;
  }

  /** What waits is handed over soon, never within this call. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#hasHeld && !this.#delivering) {
      this.#delivering = true;
      queueMicrotask(() => this.#deliver());
    }
  }

  takeContent(bytes: Buffer, start: number, end: number): void {
    if (this.owner === null || this.resetWhenEnded) {
      this.#host.credit(this, end - start);
    } else if (this.#paused || this.#hasHeld) {
      if (this.#held === nothing) this.#held = [];
      this.#held.push(Buffer.from(bytes.subarray(start, end)));
      holdBytes(end - start);
      this.#host.hold(end - start);
    } else {
      this.owner.onContent(this, bytes, start, end);
      this.#host.credit(this, end - start);
    }
  }

  /** Octets of a DATA frame that are no content: padding. */
  creditOverhead(octets: number): void {
    this.#host.credit(this, octets);
  }

  takeTrailers(bytes: Buffer, trailers: HeadFields): void {
    if (this.#paused || this.#hasHeld) this.#heldTrailers = keepTrailers(bytes, trailers);
    else this.owner?.onTrailers(this, bytes, trailers);
  }

  takeEnd(): void {
    if (this.#paused || this.#hasHeld) this.#heldEnd = true;
    else this.owner?.onEnd(this);
  }

  /** Forgets everything that waits in either direction. */
  drop(): void {
    this.closed = true;
    this.#queue = nothing;
    holdBytes(-this.#queuedBytes);
    this.#queuedBytes = 0;
    this.#trailers = null;
    this.#dropHeld();
  }

  #dropHeld(): void {
    for (const part of this.#held) {
      holdBytes(-part.length);
      this.#host.hold(-part.length);
    }
    this.#held = nothing;
    this.#heldTrailers = null;
    this.#heldEnd = false;
  }

  get #hasHeld(): boolean {
    return this.#held.length > 0 || this.#heldEnd;
  }

  #deliver(): void {
    this.#delivering = false;
    while (!this.#paused) {
      const part = this.#held.shift();
      if (part === undefined) break;
      holdBytes(-part.length);
      this.#host.hold(-part.length);
      this.isLastContent = false;
      this.owner?.onContent(this, part, 0, part.length);
      this.#host.credit(this, part.length);
    }
    if (this.#paused || !this.#heldEnd) return;
    const trailers = this.#heldTrailers;
    this.#heldEnd = false;
    this.#heldTrailers = null;
    if (trailers !== null) this.owner?.onTrailers(this, trailers.bytes, trailers.fields);
    this.owner?.onEnd(this);
  }
}

const noBytes = Buffer.alloc(0);
const nothing: Buffer[] = [];

interface KeptTrailers {
  readonly bytes: Buffer;
  readonly fields: HeadFields;
}

/** A copy of trailers that outlives the call. */
function keepTrailers(bytes: Buffer, trailers: HeadFields): KeptTrailers {
  const { fieldsStart: from, end, count } = trailers;
  const shift = (at: number) => at - from;
  const fields: HeadFields = {
    count,
    nameStart: trailers.nameStart.slice(0, count).map(shift),
    nameEnd: trailers.nameEnd.slice(0, count).map(shift),
    valueStart: trailers.valueStart.slice(0, count).map(shift),
    valueEnd: trailers.valueEnd.slice(0, count).map(shift),
    dropped: trailers.dropped.slice(0, count),
    fieldsStart: 0,
    end: end - from,
    minor: 1,
    contentLength: -1,
    chunked: false,
    close: false,
    keepAlive: false,
    upgrade: false,
  };
  return { bytes: Buffer.from(bytes.subarray(from, end)), fields };
}

/** What makes a request: the session hands it to whoever serves requests, who sets the stream's owner. */
export type RequestTaker = (stream: Http2Stream, head: RequestLines, ended: boolean) => void;
