import {
  firstOptionalType,
  flag,
  frameType,
  type HeadInfo,
  headPreludeBytes,
  MuxError,
  type MuxErrorCode,
  readUint24,
  readUint32,
  toErrorCode,
  toErrorNumber,
  toHeadInfo,
  typeMask,
} from './frame.ts';
import { expectLength, type FrameSink } from './frame-reader.ts';
import { type GoAway, readGoAway } from './go-away.ts';
import { largestWindowBytes, type MuxLimits, RateLimit } from './limits.ts';
import type { Outbox } from './outbox.ts';
import { type PeerSettings, readSettings } from './settings.ts';
import type { MuxStream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

/** What received frames do to their session. */
export interface ReceivingSession {
  readonly role: 'client' | 'server';
  readonly limits: MuxLimits;
  readonly outbox: Outbox;
  readonly table: StreamTable;
  readonly receiving: boolean;
  readonly greeted: boolean;
  /** The peer's first frame. */
  greet(settings: PeerSettings): void;
  /** A stream that the peer opened. */
  accept(id: number, info: HeadInfo): MuxStream;
  leave(goAway: GoAway): void;
}

/** Frames of the peer, each checked against the state of its stream; throws `MuxError` when a rule is broken. */
export class Receiver implements FrameSink {
  readonly #session: ReceivingSession;
  readonly #monotonicMs: () => number;
  readonly #resets: RateLimit;
  readonly #pings: RateLimit;
  readonly #idleFrames: RateLimit;

  constructor(session: ReceivingSession, monotonicMs: () => number) {
    const nowMs = monotonicMs();
    this.#session = session;
    this.#monotonicMs = monotonicMs;
    this.#resets = new RateLimit(session.limits.resets, nowMs);
    this.#pings = new RateLimit(session.limits.pings, nowMs);
    this.#idleFrames = new RateLimit(session.limits.idleFrames, nowMs);
  }

  get receiving(): boolean {
    return this.#session.receiving;
  }

  // --- frames ------------------------------------------------------------------------------------------------------

  onFrame(octet: number, stream: number, bytes: Buffer, start: number, end: number): void {
    const type = octet & typeMask;
    if (!this.#session.greeted && type !== frameType.settings) {
      throw new MuxError('protocol', 'a frame before SETTINGS');
    }
    switch (type) {
      case frameType.head:
        this.#receiveHead((octet & flag.fin) !== 0, stream, bytes, start, end);
        return;
      case frameType.window:
        this.#receiveWindow(stream, bytes, start, end);
        return;
      case frameType.trailers:
        this.#receiveTrailers(octet, stream, bytes, start, end);
        return;
      case frameType.reset:
        expectLength('RESET', end - start, 4);
        this.#receiveReset(stream, toErrorCode(readUint32(bytes, start)));
        return;
      case frameType.settings:
        this.#receiveSettings(stream, bytes, start, end);
        return;
      case frameType.goAway:
        this.#receiveGoAway(stream, bytes, start, end);
        return;
      case frameType.ping:
        this.#receivePing(octet, stream, bytes, start, end);
        return;
      default:
        if (type < firstOptionalType) throw new MuxError('protocol', `a frame of the unknown type ${type}`);
        this.#noteIdleFrame();
    }
  }

  onDataPart(octet: number, id: number, bytes: Buffer, start: number, end: number, last: boolean): void {
    if (!this.#session.greeted) throw new MuxError('protocol', 'a frame before SETTINGS');
    const fin = last && (octet & flag.fin) !== 0;
    const stream = this.#session.table.find(id, 'DATA');
    if (stream === null) {
      if (last) this.#noteIdleFrame();
      return;
    }
    if (!stream.headDone) throw new MuxError('protocol', `DATA before HEAD on stream ${id}`);
    if (stream.remoteDone) throw new MuxError('protocol', `DATA after FIN on stream ${id}`);
    if (end > start) {
      if (!this.#account(stream, end - start)) return;
      stream.owner.onData(bytes, start, end);
    } else if (!fin) {
      this.#noteIdleFrame();
    }
    if (fin) this.#endRemote(stream);
  }

  #receiveHead(fin: boolean, id: number, bytes: Buffer, start: number, end: number): void {
    const info = toHeadInfo(bytes[start] ?? 0xff);
    const headStart = start + headPreludeBytes;
    const headEnd = headStart + readUint24(bytes, start + 1);
    if (end < headStart || headEnd > end || headEnd === headStart || info === null) {
      throw new MuxError('protocol', `a malformed HEAD on stream ${id}`);
    }
    const stream = this.#session.role === 'server' ? this.#accept(id, info) : this.#session.table.find(id, 'HEAD');
    if (stream === null) {
      this.#noteIdleFrame();
      return;
    }
    if (stream.remoteDone) throw new MuxError('protocol', `HEAD after FIN on stream ${id}`);
    if (stream.headDone) throw new MuxError('protocol', `two final heads on stream ${id}`);
    if (info.interim && (fin || headEnd < end)) throw new MuxError('protocol', 'an interim HEAD with a body or FIN');
    stream.headDone = !info.interim;
    if (headEnd < end && !this.#account(stream, end - headEnd)) return;
    stream.owner.onHead(info, bytes, headStart, headEnd, end, fin);
    if (fin) this.#endRemote(stream);
  }

  /** A new stream, or `null` when it was refused. */
  #accept(id: number, info: HeadInfo): MuxStream | null {
    const { table, limits, outbox } = this.#session;
    if (id <= table.last) throw new MuxError('protocol', `HEAD for stream ${id} after ${table.last}`);
    if (table.size < limits.maxStreams && table.ledger.bufferedBytes <= limits.maxBufferedBytes) {
      const stream = this.#session.accept(id, info);
      return stream.closed ? null : stream;
    }
    table.last = id;
    this.#noteReset();
    outbox.numbers(frameType.reset, id, toErrorNumber('refused'));
    return null;
  }

  #receiveTrailers(octet: number, id: number, bytes: Buffer, start: number, end: number): void {
    if ((octet & flag.fin) === 0) throw new MuxError('protocol', 'TRAILERS without FIN');
    const stream = this.#session.table.find(id, 'TRAILERS');
    if (stream === null) {
      this.#noteIdleFrame();
      return;
    }
    if (stream.remoteDone || !stream.headDone) {
      throw new MuxError('protocol', `TRAILERS ${stream.headDone ? 'after FIN' : 'before HEAD'} on stream ${id}`);
    }
    stream.owner.onTrailers(bytes, start, end);
    this.#endRemote(stream);
  }

  #receiveWindow(id: number, bytes: Buffer, start: number, end: number): void {
    expectLength('WINDOW', end - start, 4);
    const more = readUint32(bytes, start);
    const stream = this.#session.table.find(id, 'WINDOW');
    if (stream === null || more === 0) {
      this.#noteIdleFrame();
      return;
    }
    if (stream.sendWindow + more > largestWindowBytes) {
      throw new MuxError('flow-control', `a window above 2^31 - 1 bytes on stream ${id}`);
    }
    stream.widen(more);
  }

  #receiveReset(id: number, code: MuxErrorCode): void {
    const stream = this.#session.table.find(id, 'RESET');
    if (this.#session.role === 'server' || stream === null) this.#noteReset();
    if (stream === null) return;
    stream.close();
    stream.owner.onReset(code, `the peer ended the stream: ${code}`, 'peer');
  }

  #receiveSettings(id: number, bytes: Buffer, start: number, end: number): void {
    if (this.#session.greeted) throw new MuxError('protocol', 'SETTINGS twice');
    expectSession('SETTINGS', id);
    this.#session.greet(readSettings(bytes, start, end));
  }

  #receiveGoAway(id: number, bytes: Buffer, start: number, end: number): void {
    expectSession('GOAWAY', id);
    this.#noteIdleFrame();
    this.#session.leave(readGoAway(bytes, start, end));
  }

  #receivePing(octet: number, id: number, bytes: Buffer, start: number, end: number): void {
    expectSession('PING', id);
    expectLength('PING', end - start, 8);
    if (!this.#pings.take(this.#monotonicMs)) throw new MuxError('overload', 'too many PING frames');
    if ((octet & flag.ack) === 0) this.#session.outbox.frame(frameType.ping | flag.ack, 0, bytes, start, end);
  }

  #endRemote(stream: MuxStream): void {
    if (stream.closed) return;
    // Before the owner hears of it, so that it may end the stream in its turn.
    stream.remoteDone = true;
    stream.owner.onEnd();
    if (stream.localDone) stream.close();
  }

  /** False when the stream was reset for it. */
  #account(stream: MuxStream, bytes: number): boolean {
    const code = this.#session.table.ledger.receive(stream, bytes);
    if (code === null) return true;
    this.#noteReset();
    stream.reset(code);
    const reason = code === 'overload' ? 'too much waits to be taken' : 'the peer ignored the window';
    stream.owner.onReset(code, reason, 'peer');
    return false;
  }

  #noteReset(): void {
    if (!this.#resets.take(this.#monotonicMs)) throw new MuxError('overload', 'too many RESET frames');
  }

  #noteIdleFrame(): void {
    if (!this.#idleFrames.take(this.#monotonicMs)) throw new MuxError('overload', 'too many frames without use');
  }
}

function expectSession(name: string, stream: number): void {
  if (stream !== 0) throw new MuxError('protocol', `${name} on stream ${stream}`);
}
