import type { HeadFields } from '../http/codec.ts';
import { composeTrailers } from '../http/head-writer.ts';
import { holdBytes } from '../wire/held-bytes.ts';
import {
  flag,
  frameType,
  type HeadInfo,
  headerBytes,
  headPreludeBytes,
  type MuxErrorCode,
  toErrorNumber,
  toInfoOctet,
  writeHeader,
} from './frame.ts';
import { dataOctet, type Outbox, quantumBytes } from './outbox.ts';
import type { PeerSettings } from './settings.ts';

/** Who uses a stream. No callback runs inside a call to the stream, `reset` included; buffers are valid during the call only. */
export interface MuxStreamOwner {
  /**
   * A head, `bytes[start, headEnd)`, and the body bytes that came in the same frame, `[headEnd, end)`, which count as
   * received data (see `consumed`). `fin`: nothing follows; `onEnd` is called as well.
   */
  onHead(info: HeadInfo, bytes: Buffer, start: number, headEnd: number, end: number, fin: boolean): void;
  /** Body bytes, as coded; call `stream.consumed` for them when they have gone on. */
  onData(bytes: Buffer, start: number, end: number): void;
  /** Field lines as HTTP/1.1 writes them, with the empty line at the end; not parsed yet. */
  onTrailers(bytes: Buffer, start: number, end: number): void;
  /** The peer sends no more on this stream; the other direction lives on. */
  onEnd(): void;
  /** What was sent has left the stream's queue after a call returned false. */
  onDrain(): void;
  /** Ended early, by the peer (or for a rule that it broke) or with the session. Nothing follows. */
  onReset(code: MuxErrorCode, reason: string, origin: 'peer' | 'session'): void;
}

/** What a stream needs of its session. */
export interface StreamSession {
  readonly outbox: Outbox;
  readonly peer: PeerSettings;
  /** Gives a stream that sends its first head a number and a place among the open ones. */
  admit(stream: MuxStream): boolean;
  /** Both directions have ended, or it was reset. */
  forget(stream: MuxStream): void;
  /** `bytes` of what was received on it have been taken. */
  credit(stream: MuxStream, bytes: number): void;
  /** Called when more is queued than before, to keep the bound. */
  checkQueue(): void;
}

/** Body bytes that fit behind a head, in its frame. */
export const maxInlineBytes = 16 * 1024;

/** One request and its answer. Made by `MuxSession.open` on the client side, by the session itself on the server side. */
export class MuxStream {
  readonly #session: StreamSession;
  owner: MuxStreamOwner;
  /** 0 until the first head is sent. */
  id = 0;
  localDone = false;
  remoteDone = false;
  closed = false;
  /** The peer's head has come, interim ones not counted. */
  headDone = false;
  /** For the outbox: waits for its turn. */
  hasTurn = false;
  /** Bytes the peer lets us send. */
  sendWindow: number;
  /** Bytes we let the peer send. */
  receiveWindow = 0;
  /** Taken by the owner and not announced to the peer yet. */
  unannounced = 0;
  /** Received and not taken yet. */
  unconsumed = 0;
  /** What the receive window is brought back to. */
  windowTarget = 0;
  /** Nothing in it: the shared empty one, as most streams never wait. */
  #queue: Buffer[] = noQueue;
  #queuedBytes = 0;
  #trailers: Buffer | null = null;
  #finWaits = false;
  #wantsDrain = false;

  constructor(session: StreamSession, owner: MuxStreamOwner) {
    this.#session = session;
    this.owner = owner;
    this.sendWindow = session.peer.initialWindowBytes;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** For the outbox: something may be sent now. */
  get canSend(): boolean {
    if (this.closed) return false;
    if (this.#queuedBytes > 0) return this.sendWindow > 0;
    return this.#finWaits || this.#trailers !== null;
  }

  /**
   * Sends a head and, behind it in the same frame, body bytes `[headEnd, end)`: at most `maxInlineBytes`, the window
   * permitting (`inlineRoom`). False: the session takes no new stream any more, or the head is too large for the peer.
   */
  sendHead(info: HeadInfo, bytes: Buffer, start: number, headEnd: number, end = headEnd, fin = false): boolean {
    const at = this.reserveHead(end - start);
    const { output } = this.#session.outbox;
    bytes.copy(output, at, start, end);
    return this.commitHead(info, at, at + headEnd - start, at + end - start, fin);
  }

  /** Room to compose a head and a small body in place, `size` bytes of `output` from the returned index. */
  reserveHead(size: number): number {
    return this.#session.outbox.reserve(headerBytes + headPreludeBytes + size) + headerBytes + headPreludeBytes;
  }

  get output(): Buffer {
    return this.#session.outbox.output;
  }

  /** Body bytes that may go behind a head now. */
  get inlineRoom(): number {
    return Math.min(maxInlineBytes, this.sendWindow);
  }

  /** Sends what was composed from `start`, the index that `reserveHead` gave. See `sendHead`. */
  commitHead(info: HeadInfo, start: number, headEnd: number, end: number, fin: boolean): boolean {
    const { outbox, peer } = this.#session;
    const length = headPreludeBytes + end - start;
    if (this.closed || this.localDone || length > peer.maxFrameBytes) return false;
    if (this.id === 0 && !this.#session.admit(this)) return false;
    const { output } = outbox;
    const headLength = headEnd - start;
    let at = start - headerBytes - headPreludeBytes;
    at = writeHeader(output, at, fin ? frameType.head | flag.fin : frameType.head, length, this.id);
    output[at] = toInfoOctet(info);
    output[at + 1] = headLength >>> 16;
    output[at + 2] = headLength >>> 8;
    output[at + 3] = headLength;
    outbox.commit(end);
    this.sendWindow -= end - headEnd;
    if (fin) this.#endLocal();
    this.#session.checkQueue();
    return true;
  }

  /** Takes a copy of what cannot leave at once. False: stop until `onDrain`. */
  send(bytes: Buffer, start: number, end: number, fin = false): boolean {
    if (this.closed || this.localDone || this.#finWaits) return true;
    const { outbox } = this.#session;
    let at = start;
    while (at < end && this.sendWindow > 0 && this.#queuedBytes === 0 && outbox.hasRoom) {
      const to = Math.min(end, at + quantumBytes, at + this.sendWindow);
      const last = fin && to === end;
      outbox.frame(dataOctet(last), this.id, bytes, at, to);
      this.sendWindow -= to - at;
      at = to;
      if (last) this.#endLocal();
    }
    if (at < end) this.#enqueue(Buffer.from(bytes.subarray(at, end)));
    if (fin && !this.localDone) this.end();
    return this.#mayGoOn();
  }

  /** Ends this direction with trailers. */
  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    const block = Buffer.alloc(trailers.end - trailers.fieldsStart);
    this.sendTrailerBlock(block, 0, composeTrailers(block, 0, bytes, trailers));
  }

  /** The same with field lines as they travel: as HTTP/1.1 writes them, with the empty line at the end. */
  sendTrailerBlock(bytes: Buffer, start: number, end: number): void {
    if (this.closed || this.localDone || this.#finWaits) return;
    if (this.#queuedBytes > 0) {
      this.#trailers = Buffer.from(bytes.subarray(start, end));
      this.#finWaits = true;
      return;
    }
    this.#session.outbox.frame(frameType.trailers | flag.fin, this.id, bytes, start, end);
    this.#endLocal();
  }

  /** Nothing more is sent on this stream. */
  end(): void {
    if (this.closed || this.localDone || this.#finWaits) return;
    if (this.#queuedBytes > 0) {
      this.#finWaits = true;
      return;
    }
    this.#session.outbox.frame(dataOctet(true), this.id, noBytes, 0, 0);
    this.#endLocal();
  }

  /** Ends both directions at once and frees what was queued. The owner hears nothing more. */
  reset(code: MuxErrorCode): void {
    if (this.closed) return;
    const wasOpened = this.id !== 0;
    this.close();
    if (wasOpened) this.#session.outbox.numbers(frameType.reset, this.id, toErrorNumber(code));
  }

  /** `bytes` of what was received have gone on: the peer may send as many again. */
  consumed(bytes: number): void {
    if (bytes > 0) this.#session.credit(this, bytes);
  }

  // --- for session and outbox --------------------------------------------------------------------------------------

  /** The peer allows more. */
  widen(bytes: number): void {
    this.sendWindow += bytes;
    if (this.canSend) this.#session.outbox.enqueue(this);
  }

  /** Frees everything; no frame is sent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#session.outbox.waitingBytes -= this.#queuedBytes;
    holdBytes(-this.#queuedBytes);
    this.#queuedBytes = 0;
    this.#queue = noQueue;
    this.#trailers = null;
    this.#finWaits = false;
    this.#session.forget(this);
  }

  /** Sends one frame of what waits, at most `most` bytes. */
  sendQuantum(most: number): void {
    if (this.closed || !this.canSend) return;
    const { outbox } = this.#session;
    if (this.#queuedBytes > 0) this.#sendQueued(Math.min(most, this.sendWindow));
    if (this.#queuedBytes <= quantumBytes) this.#tellDrain();
    if (this.#queuedBytes > 0) return;
    const trailers = this.#trailers;
    if (trailers !== null) {
      this.#trailers = null;
      outbox.frame(frameType.trailers | flag.fin, this.id, trailers, 0, trailers.length);
      this.#endLocal();
    } else if (this.#finWaits && !this.localDone) {
      outbox.frame(dataOctet(true), this.id, noBytes, 0, 0);
      this.#endLocal();
    }
  }

  #sendQueued(most: number): void {
    const { outbox } = this.#session;
    const size = Math.min(most, this.#queuedBytes);
    const header = outbox.reserve(headerBytes + size);
    const { output } = outbox;
    const start = header + headerBytes;
    let at = start;
    while (at < start + size) {
      const chunk = this.#queue[0] ?? noBytes;
      const count = chunk.copy(output, at, 0, Math.min(chunk.length, start + size - at));
      at += count;
      if (count === chunk.length) this.#queue.shift();
      else this.#queue[0] = chunk.subarray(count);
    }
    this.sendWindow -= size;
    this.#queuedBytes -= size;
    outbox.waitingBytes -= size;
    holdBytes(-size);
    const last = this.#queuedBytes === 0 && this.#finWaits && this.#trailers === null;
    writeHeader(output, header, dataOctet(last), size, this.id);
    outbox.commit(at);
    if (last) this.#endLocal();
  }

  #enqueue(copy: Buffer): void {
    const { outbox } = this.#session;
    if (this.#queue === noQueue) this.#queue = [];
    this.#queue.push(copy);
    this.#queuedBytes += copy.length;
    outbox.waitingBytes += copy.length;
    holdBytes(copy.length);
    if (this.sendWindow > 0) outbox.enqueue(this);
    this.#session.checkQueue();
  }

  #mayGoOn(): boolean {
    if (this.closed || this.#queuedBytes === 0) return true;
    this.#wantsDrain = true;
    return false;
  }

  /** Later, as no callback runs inside a call of its owner. */
  #tellDrain(): void {
    if (!this.#wantsDrain || this.localDone) return;
    this.#wantsDrain = false;
    process.nextTick(() => {
      if (!this.closed && !this.localDone) this.owner.onDrain();
    });
  }

  #endLocal(): void {
    this.localDone = true;
    this.#finWaits = false;
    if (this.remoteDone) this.close();
  }
}

const noBytes = Buffer.alloc(0);
const noQueue: Buffer[] = [];

/** Of a stream that nobody listens to: not yet, or no more. */
export const noOwner: MuxStreamOwner = {
  onHead: () => undefined,
  onData: () => undefined,
  onTrailers: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onReset: () => undefined,
};
