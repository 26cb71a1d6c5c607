/**
 * HTTP/2, RFC 9113, with a codec of our own: node:http2 is several times too slow for a proxy.
 *
 *   session   one connection, either role: life cycle, streams, flow control of what is sent
 *   stream    one request with its response
 *   block     the coded header fields of a head or of trailers
 *
 * The canonical head of a message is HTTP/1.1's (../http/codec.ts); blocks are decoded into it and coded from it, and what
 * HTTP/1.1 could not say without doubt is malformed here. A session owns its wire. It opens no connection, knows no routes and
 * starts no timers: `tick` is called about once a second.
 */
import type { HeadFields, RequestHead, ResponseHead } from '../http/codec.ts';
import { IdleTime } from '../http/idle-time.ts';
import { idleClientMs } from '../http/limits.ts';
import { isHead } from '../http/request-method.ts';
import type { RequestEdit } from '../http/streams.ts';
import { highWaterBytes, type Wire, type WireOwner } from '../wire/wire.ts';
import { answerTimeoutMs, Deadlines, lingerMs } from './deadlines.ts';
import { FloodGuard, floodCost, floodGain } from './flood-guard.ts';
import { FrameHandler } from './frame-handler.ts';
import type { FrameHost } from './frame-host.ts';
import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { greet } from './greeting.ts';
import { PeerSettings } from './peer-settings.ts';
import { errorCode, maxConcurrentStreams, maxWindow, nameOfError, preface, streamWindow } from './protocol.ts';
import { ReceiveCredit } from './receive-credit.ts';
import type { RequestLines } from './request-lines.ts';
import { Sender } from './sender.ts';
import type { SessionOptions } from './session-options.ts';
import { Http2Stream, type StreamHost, type StreamOwner } from './stream.ts';
import { StreamTable } from './stream-table.ts';

/** What a peer that does not read may make us queue. */
const maxQueuedBytes = 4 * highWaterBytes;
const pingPayload = Buffer.from('meshdesk');

export class Http2Session implements WireOwner, StreamHost, FrameHost {
  readonly isServer: boolean;
  readonly streams: StreamTable;
  readonly writer: FrameWriter;
  readonly peer = new PeerSettings();
  readonly flood: FloodGuard;
  readonly receiveCredit = new ReceiveCredit();
  stopped = false;
  readonly #wire: Wire;
  readonly #options: SessionOptions;
  readonly #handler = new FrameHandler(this);
  readonly #reader = new FrameReader(this.#handler);
  readonly #sender: Sender;
  #prefaceLeft: number;
  readonly #deadlines = new Deadlines();
  readonly #idle: IdleTime;
  #drain: 'no' | 'announced' | 'final' = 'no';
  /** The peer has said goodbye. */
  goneAway = false;
  #wasFull = false;
  #peerEnded = false;
  #closed = false;
  #reason = '';

  /** Takes the wire over; `start` follows. */
  constructor(wire: Wire, options: SessionOptions) {
    this.#wire = wire;
    this.#options = options;
    this.isServer = options.role === 'server';
    this.writer = new FrameWriter(wire);
    this.#sender = new Sender(this.writer);
    this.streams = new StreamTable(this.isServer);
    this.flood = new FloodGuard(options.monotonicMs);
    this.#prefaceLeft = this.isServer ? preface.length : 0;
    this.#idle = new IdleTime(idleClientMs, options.monotonicMs());
    wire.owner = this;
  }

  nowMs(): number {
    return this.#options.monotonicMs();
  }

  /** Sends the preface; `early` are bytes that were read before the session had the wire. */
  start(early: Buffer): void {
    greet(this.writer, this.isServer);
    this.#deadlines.awaitSettingsAck(this.nowMs());
    if (early.length > 0) this.onBytes(early, 0, early.length);
  }

  /** True when a request may be opened now (client). */
  get canOpen(): boolean {
    return (
      !this.stopped &&
      !this.goneAway &&
      this.#drain === 'no' &&
      this.#wire.writable &&
      this.streams.size < this.peer.maxOpen &&
      this.streams.nextId < maxWindow
    );
  }

  /** False when no request will ever be opened again. */
  get usable(): boolean {
    return !this.stopped && !this.goneAway && this.#wire.writable && this.streams.nextId < maxWindow;
  }

  // --- client ------------------------------------------------------------------------------------------------------

  /** Opens a request; only while `canOpen`. `protocol`: a tunnel for it (RFC 8441), where the server takes them. */
  open(
    bytes: Buffer,
    head: RequestHead,
    edit: RequestEdit,
    isLast: boolean,
    owner: StreamOwner,
    protocol: string | null = null,
  ): Http2Stream {
    const id = this.streams.nextId;
    this.streams.nextId += 2;
    const stream = new Http2Stream(id, this, this.peer.initialWindow, streamWindow, false);
    stream.owner = owner;
    stream.isHeadRequest = isHead(bytes, head);
    stream.localEnded = isLast;
    this.streams.add(stream);
    this.writer.request(id, bytes, head, edit, protocol, isLast);
    this.flood.earn(floodGain.answer);
    return stream;
  }

  // --- server ------------------------------------------------------------------------------------------------------

  /** Sends a response's head, interim ones (1xx) included. */
  respond(stream: Http2Stream, bytes: Buffer, head: ResponseHead, isLast: boolean): void {
    if (stream.closed || stream.localEnded) return;
    this.writer.response(stream.id, bytes, head, isLast);
    this.flood.earn(floodGain.answer);
    if (isLast) this.#endLocal(stream);
  }

  /** No new requests; the connection ends when those under way are done. The client is told in time to open another. */
  drain(): void {
    if (this.#drain !== 'no' || this.stopped) return;
    if (!this.isServer) {
      this.#drain = 'final';
      this.#endIfDone();
      return;
    }
    this.#drain = 'announced';
    this.writer.goaway(maxWindow, errorCode.noError, '');
    this.writer.ping(pingPayload, 0, false);
    this.#deadlines.awaitPong(this.nowMs(), lingerMs);
  }

  /** Ends the connection with all its streams. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#reason = reason;
    this.#wire.destroy();
  }

  /** About once a second. */
  tick(nowMs: number): void {
    if (this.#closed) return;
    if (this.#deadlines.closeOverdue(nowMs)) this.#wire.destroy();
    if (this.stopped) return;
    if (this.#peerEnded) this.#endStuck();
    if (this.isServer && this.#idle.isOver(nowMs, this.streams.size > 0, this.streams.lastOpened)) this.drain();
    const { block } = this.#handler;
    if (block.stream !== 0 && nowMs - block.sinceMs > answerTimeoutMs) {
      this.fail(errorCode.protocolError, 'a header block that does not end');
    } else if (this.#deadlines.settingsOverdue(nowMs)) {
      this.fail(errorCode.settingsTimeout, 'SETTINGS that are not acknowledged');
    } else if (this.#deadlines.pongOverdue(nowMs)) {
      if (this.#drain === 'announced') this.pong(pingPayload, 0);
      else this.fail(errorCode.noError, 'a PING that is not answered');
    }
  }

  /** Asks whether the peer is still there; it has `answerTimeoutMs`, or as long as said. */
  probe(withinMs = answerTimeoutMs): void {
    if (this.#deadlines.awaitsPong || this.stopped) return;
    this.writer.ping(pingPayload, 0, false);
    this.#deadlines.awaitPong(this.nowMs(), withinMs);
  }

  // --- wire --------------------------------------------------------------------------------------------------------

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.stopped) return;
    let at = start;
    while (this.#prefaceLeft > 0 && at < end) {
      if (bytes[at] !== preface[preface.length - this.#prefaceLeft]) {
        this.fail(errorCode.protocolError, 'no HTTP/2 connection preface');
        return;
      }
      this.#prefaceLeft -= 1;
      at += 1;
    }
    this.#reader.read(bytes, at, end);
    if (this.#wire.queuedBytes > maxQueuedBytes) this.close('a peer that does not read what it asks for');
  }

  onEnd(): void {
    this.#peerEnded = true;
    this.#endStuck();
  }

  #endStuck(): void {
    this.streams.loseStuck(errorCode.cancel, this.writer.flowing);
    this.#endIfDone();
  }

  onDrain(): void {
    this.writer.flowing = true;
    this.#sender.pump();
  }

  onClose(error: Error | null): void {
    this.#closed = true;
    this.stopped = true;
    this.#sender.stopped = true;
    if (this.#reason === '' && error !== null) this.#reason = error.message;
    this.streams.loseAll(errorCode.cancel);
    this.#options.onClosed(this.#reason);
  }

  // --- for streams -------------------------------------------------------------------------------------------------

  writeContent(stream: Http2Stream, bytes: Buffer, start: number, end: number, isLast: boolean): number {
    const at = this.#sender.write(stream, bytes, start, end, isLast);
    if (isLast && at === end) this.#endLocal(stream);
    return at;
  }

  writeTrailers(stream: Http2Stream, bytes: Buffer, trailers: HeadFields): void {
    this.writer.trailers(stream.id, bytes, trailers);
    this.#endLocal(stream);
  }

  schedule(stream: Http2Stream): void {
    this.#sender.schedule(stream);
  }

  credit(stream: Http2Stream, octets: number): void {
    const back = stream.takeCredit(octets);
    if (back > 0) this.writer.windowUpdate(stream.id, back);
  }

  hold(octets: number): void {
    this.receiveCredit.hold(octets);
    if (octets > 0 || this.stopped) return;
    const back = this.receiveCredit.take();
    if (back > 0) this.writer.windowUpdate(0, back);
  }

  reset(stream: Http2Stream, code: number): void {
    this.streams.rememberReset(stream.id);
    if (!this.stopped) this.writer.rstStream(stream.id, code);
    this.#remove(stream);
  }

  // --- for the frame handler ---------------------------------------------------------------------------------------

  fail(code: number, rule: string): void {
    if (this.stopped) return;
    this.stopped = true;
    this.#sender.stopped = true;
    this.#reason = `${nameOfError(code)}: ${rule}`;
    this.writer.goaway(this.streams.lastOpened, code, rule);
    this.#finish();
    // Silence is a loss; everything else, what the peer says is no HTTP/2.
    const isLoss = code === errorCode.noError || code === errorCode.settingsTimeout;
    this.streams.loseAll(isLoss ? errorCode.cancel : code);
  }

  refuseStream(id: number, code: number): void {
    this.streams.rememberReset(id);
    this.writer.rstStream(id, code);
  }

  failStream(stream: Http2Stream, code: number): void {
    if (!this.flood.spend(floodCost.refused)) {
      this.fail(errorCode.enhanceYourCalm, 'too many streams that break the rules');
      return;
    }
    this.reset(stream, code);
    this.streams.lose(stream, code, 'connection', false);
  }

  takeRequest(id: number, head: RequestLines, ended: boolean): void {
    if (this.#drain === 'final' || this.#peerEnded || this.streams.size >= maxConcurrentStreams) {
      if (this.flood.spend(floodCost.refused)) this.refuseStream(id, errorCode.refusedStream);
      else this.fail(errorCode.enhanceYourCalm, 'too many requests at a time');
      return;
    }
    const stream = new Http2Stream(id, this, this.peer.initialWindow, streamWindow, true);
    stream.isHeadRequest = head.isHead;
    stream.contentLeft = ended ? 0 : head.contentLength;
    stream.remoteEnded = ended;
    this.streams.add(stream);
    this.#options.onRequest?.(stream, head, ended);
  }

  endRemote(stream: Http2Stream): void {
    stream.remoteEnded = true;
    if (stream.localEnded) this.#remove(stream);
    stream.takeEnd();
  }

  resetByPeer(stream: Http2Stream, code: number): void {
    this.#remove(stream);
    this.streams.lose(stream, code, 'peer', code === errorCode.refusedStream);
  }

  goawayByPeer(lastStream: number, code: number): void {
    const isFirst = !this.goneAway;
    this.goneAway = true;
    if (code !== errorCode.noError) this.#reason = `the peer ended the connection: ${nameOfError(code)}`;
    if (!this.isServer) {
      for (const stream of this.streams.all()) {
        if (stream.id > lastStream) {
          this.#remove(stream);
          this.streams.lose(stream, errorCode.refusedStream, 'peer', true);
        }
      }
      if (isFirst) this.#options.onGoaway?.();
    }
    this.#endIfDone();
  }

  settingsChanged(windowChange: number): void {
    this.writer.encoder.setLimit(this.peer.headerTableBytes);
    this.writer.settingsAck();
    if (windowChange !== 0 && !this.#sender.growAll(this.streams.all(), windowChange)) {
      this.fail(errorCode.flowControlError, 'a stream window above 2^31-1');
      return;
    }
    this.#wasFull ||= !this.isServer && this.streams.size > 0;
    this.#tellRoom();
  }

  settingsAcked(): void {
    this.#deadlines.settingsAcked();
  }

  pong(bytes: Buffer, start: number): void {
    if (bytes.compare(pingPayload, 0, 8, start, start + 8) !== 0) return;
    this.#deadlines.ponged();
    if (this.#drain !== 'announced') return;
    this.#drain = 'final';
    this.writer.goaway(this.streams.lastOpened, errorCode.noError, '');
    this.#endIfDone();
  }

  windowGrown(stream: Http2Stream | null, octets: number): void {
    if (stream !== null) {
      stream.sendWindow += octets;
      if (stream.queuedBytes > 0) this.schedule(stream);
    } else if (!this.#sender.grow(octets)) {
      this.fail(errorCode.flowControlError, 'a connection window above 2^31-1');
      return;
    }
    this.#sender.pump();
  }

  // --- within ------------------------------------------------------------------------------------------------------

  #endLocal(stream: Http2Stream): void {
    stream.localEnded = true;
    if (stream.remoteEnded) this.#remove(stream);
    else if (stream.resetWhenEnded) stream.reset(errorCode.noError);
  }

  #remove(stream: Http2Stream): void {
    stream.closed = true;
    this.#wasFull ||= this.streams.size >= this.peer.maxOpen;
    this.streams.delete(stream.id);
    this.#tellRoom();
    this.#endIfDone();
  }

  #tellRoom(): void {
    if (!this.#wasFull || !this.canOpen) return;
    this.#wasFull = false;
    this.#options.onRoom?.();
  }

  #endIfDone(): void {
    const isOver = this.#drain === 'final' || this.#peerEnded || (this.goneAway && !this.isServer);
    if (isOver && this.streams.size === 0 && !this.stopped) this.#finish();
  }

  /** FIN after what is queued; then a while to read it, as a reset could overtake it. */
  #finish(): void {
    this.stopped = true;
    this.#sender.stopped = true;
    this.#wire.end();
    this.#deadlines.closeSoon(this.nowMs());
  }
}
