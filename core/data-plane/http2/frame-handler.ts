import { BlockReader } from './block-reader.ts';
import { ControlFrames } from './control-frames.ts';
import { floodCost, floodGain } from './flood-guard.ts';
import type { FrameHost } from './frame-host.ts';
import type { FrameSink } from './frame-reader.ts';
import type { HeadLines } from './head-lines.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { errorCode, flag, frameType } from './protocol.ts';
import { RequestLines } from './request-lines.ts';
import { ResponseLines, TrailerLines } from './response-lines.ts';
import { learnSensitive } from './sensitive-fields.ts';
import type { Http2Stream } from './stream.ts';

// Decoding is synchronous and a head is used up before the next block: all sessions share these.
const request = new RequestLines();
const response = new ResponseLines();
const trailers = new TrailerLines();

/** What each frame of the peer means, RFC 9113 sections 5 and 6. */
export class FrameHandler implements FrameSink {
  readonly #host: FrameHost;
  readonly #decoder = new HpackDecoder();
  readonly block = new BlockReader();
  readonly #control: ControlFrames;
  /** Stream of the DATA frame under way; `null`: its content is ignored. */
  #dataStream: Http2Stream | null = null;
  #dataEnds = false;
  /** Octets of the frame that no consumer sees. */
  #dataOverhead = 0;

  constructor(host: FrameHost) {
    this.#host = host;
    this.#control = new ControlFrames(host);
  }

  get stopped(): boolean {
    return this.#host.stopped;
  }

  refuseFrame(code: number, rule: string): void {
    this.#host.fail(code, rule);
  }

  beginFrame(type: number, flags: number, stream: number, length: number): void {
    const host = this.#host;
    if (!this.#control.settingsSeen && (type !== frameType.settings || (flags & flag.ack) !== 0)) {
      host.fail(errorCode.protocolError, 'a first frame other than SETTINGS');
    } else if (this.block.stream !== 0 && (type !== frameType.continuation || stream !== this.block.stream)) {
      host.fail(errorCode.protocolError, 'a frame within a header block');
    } else if (type === frameType.data) {
      this.#beginData(flags, stream, length);
    }
  }

  takeFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case frameType.headers:
        this.#takeHeaders(flags, stream, bytes, start, end);
        break;
      case frameType.continuation:
        this.#takeContinuation(flags, bytes, start, end);
        break;
      case frameType.windowUpdate:
        this.#control.windowUpdate(stream, bytes, start, end - start);
        break;
      case frameType.rstStream:
        this.#control.reset(stream, bytes, start, end - start);
        break;
      case frameType.settings:
        this.#control.settings(flags, stream, bytes, start, end);
        break;
      case frameType.ping:
        this.#control.ping(flags, stream, bytes, start, end - start);
        break;
      case frameType.goaway:
        this.#control.goaway(stream, bytes, start, end - start);
        break;
      case frameType.priority:
        this.#control.priority(stream, end - start);
        break;
      case frameType.pushPromise:
        // A client must not push, and we have forbidden it to servers.
        this.#host.fail(errorCode.protocolError, 'PUSH_PROMISE although push is disabled');
        break;
      default:
        this.#control.spend(floodCost.unknown, 'too many frames of unknown types');
    }
  }

  // --- content -----------------------------------------------------------------------------------------------------

  #beginData(flags: number, id: number, length: number): void {
    const host = this.#host;
    this.#dataStream = null;
    this.#dataEnds = (flags & flag.endStream) !== 0;
    this.#dataOverhead = length;
    const standing = id === 0 ? 'idle' : host.streams.standing(id);
    if (standing === 'idle') {
      host.fail(errorCode.protocolError, 'DATA on a stream that is idle');
      return;
    }
    if (!host.receiveCredit.receive(length)) {
      host.fail(errorCode.flowControlError, 'more than the connection window');
      return;
    }
    if (standing === 'closed') {
      host.fail(errorCode.streamClosed, 'DATA on a stream that is closed');
      return;
    }
    if (length === 0 && !this.#dataEnds) this.#control.spend(floodCost.emptyFrame, 'too many empty frames');
    else host.flood.earn(floodGain.content);
    const stream = host.streams.get(id);
    if (stream === undefined) return;
    if (stream.remoteEnded) {
      host.failStream(stream, errorCode.streamClosed);
      return;
    }
    if (!stream.headReceived) {
      host.failStream(stream, errorCode.protocolError);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      host.failStream(stream, errorCode.flowControlError);
      return;
    }
    this.#dataStream = stream;
  }

  takeData(bytes: Buffer, start: number, end: number, isFrameEnd: boolean): void {
    const stream = this.#dataStream;
    if (stream === null || stream.closed) return;
    if (stream.contentLeft >= 0) {
      stream.contentLeft -= end - start;
      if (stream.contentLeft < 0) {
        this.#host.failStream(stream, errorCode.protocolError);
        return;
      }
    }
    this.#dataOverhead -= end - start;
    stream.isLastContent = isFrameEnd && this.#dataEnds && stream.contentLeft <= 0;
    stream.takeContent(bytes, start, end);
  }

  endData(): void {
    const stream = this.#dataStream;
    this.#dataStream = null;
    const host = this.#host;
    if (stream !== null && !stream.closed) {
      if (this.#dataEnds) this.#endStream(stream);
      else if (this.#dataOverhead > 0) stream.creditOverhead(this.#dataOverhead);
    }
    const octets = host.receiveCredit.take();
    if (octets > 0 && !host.stopped) host.writer.windowUpdate(0, octets);
  }

  #endStream(stream: Http2Stream): void {
    if (stream.contentLeft > 0) this.#host.failStream(stream, errorCode.protocolError);
    else this.#host.endRemote(stream);
  }

  // --- header blocks -----------------------------------------------------------------------------------------------

  #takeHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const host = this.#host;
    if (id === 0) {
      host.fail(errorCode.protocolError, 'HEADERS on stream 0');
      return;
    }
    let from = start;
    let to = end;
    if ((flags & flag.padded) !== 0) {
      if (from >= to) {
        host.fail(errorCode.frameSizeError, 'a padded frame without a pad length');
        return;
      }
      to -= bytes[from] ?? 0;
      from += 1;
    }
    if ((flags & flag.priority) !== 0) from += 5;
    if (from > to) {
      const isShort = (flags & flag.priority) !== 0 && end - start < 5;
      host.fail(isShort ? errorCode.frameSizeError : errorCode.protocolError, 'padding longer than its frame');
      return;
    }
    const endStream = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) !== 0) {
      this.#takeBlock(id, endStream, bytes, from, to);
      return;
    }
    this.block.begin(id, endStream, host.nowMs());
    this.#addToBlock(bytes, from, to);
  }

  #addToBlock(bytes: Buffer, start: number, end: number): void {
    const limit = this.block.add(bytes, start, end);
    if (limit !== '') this.#host.fail(errorCode.enhanceYourCalm, limit);
  }

  #takeContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
    if (this.block.stream === 0) {
      this.#host.fail(errorCode.protocolError, 'CONTINUATION without a header block');
      return;
    }
    this.#addToBlock(bytes, start, end);
    if ((flags & flag.endHeaders) === 0 || this.#host.stopped) return;
    const { stream, endStream } = this.block;
    const block = this.block.take();
    this.#takeBlock(stream, endStream, block, 0, block.length);
  }

  #takeBlock(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const host = this.#host;
    const stream = host.streams.get(id);
    const standing = host.streams.standing(id);
    const isNew = standing === 'idle' && host.isServer && id % 2 === 1;
    const lines = isNew ? request : stream === undefined || stream.headReceived ? trailers : response;
    if (!this.#decode(lines, bytes, start, end)) return;
    if (isNew) {
      this.#takeRequest(id, endStream);
      return;
    }
    if (standing === 'idle') {
      host.fail(errorCode.protocolError, 'HEADERS on a stream that is idle');
      return;
    }
    if (standing === 'closed') {
      host.fail(errorCode.streamClosed, 'HEADERS on a stream that is closed');
      return;
    }
    if (stream === undefined) return;
    if (stream.remoteEnded) {
      host.failStream(stream, errorCode.streamClosed);
      return;
    }
    if (lines === response) this.#takeResponse(stream, endStream);
    else this.#takeTrailers(stream, endStream);
  }

  /** Every block is decoded, wanted or not: the table of both sides must stay the same. */
  #decode(lines: HeadLines, bytes: Buffer, start: number, end: number): boolean {
    lines.reset();
    const failure = this.#decoder.decode(bytes, start, end, lines);
    if (failure !== '') {
      this.#host.fail(errorCode.compressionError, failure);
      return false;
    }
    lines.finish();
    for (const name of lines.sensitiveNames) learnSensitive(name);
    return true;
  }

  #takeRequest(id: number, endStream: boolean): void {
    const host = this.#host;
    host.streams.lastOpened = id;
    if (endStream && request.contentLength > 0) request.malformed = 'content-length without content';
    if (request.malformed !== '') {
      this.#control.spend(floodCost.refused, 'too many malformed requests');
      if (!host.stopped) host.refuseStream(id, errorCode.protocolError);
      return;
    }
    host.flood.earn(floodGain.request);
    host.takeRequest(id, request, endStream);
  }

  #takeResponse(stream: Http2Stream, endStream: boolean): void {
    const host = this.#host;
    if (response.malformed !== '' || response.tooLarge) {
      host.failStream(stream, errorCode.protocolError);
      return;
    }
    const { status } = response;
    if (status < 200) {
      if (endStream) {
        host.failStream(stream, errorCode.protocolError);
        return;
      }
      this.#control.spend(floodCost.emptyFrame, 'too many interim responses');
      if (!host.stopped) stream.owner?.onHead(stream, response);
      return;
    }
    stream.headReceived = true;
    const isBodiless = stream.isHeadRequest || status === 204 || status === 304;
    stream.contentLeft = isBodiless ? 0 : response.contentLength;
    if (endStream && stream.contentLeft > 0) {
      host.failStream(stream, errorCode.protocolError);
      return;
    }
    stream.responseEnded = endStream;
    stream.owner?.onHead(stream, response);
    if (endStream && !stream.closed) host.endRemote(stream);
  }

  #takeTrailers(stream: Http2Stream, endStream: boolean): void {
    const host = this.#host;
    if (!endStream || trailers.malformed !== '' || trailers.tooLarge || stream.contentLeft > 0) {
      host.failStream(stream, errorCode.protocolError);
      return;
    }
    stream.takeTrailers(trailers.bytes, trailers);
    if (!stream.closed) host.endRemote(stream);
  }
}
