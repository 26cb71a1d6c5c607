import { type HeadFields, headLimits, type RequestHead, type ResponseHead } from '../http/codec.ts';
import { equalsIgnoringCase, toOctets } from '../http/octets.ts';
import type { RequestEdit } from '../http/streams.ts';
import { maxReserveBytes, type Wire } from '../wire/wire.ts';
import { blockBound, HpackEncoder } from './hpack-encoder.ts';
import { flag, frameHeaderBytes, frameType, maxFrameBytes } from './protocol.ts';

const name = {
  method: Buffer.from(':method'),
  scheme: Buffer.from(':scheme'),
  path: Buffer.from(':path'),
  authority: Buffer.from(':authority'),
  status: Buffer.from(':status'),
  te: Buffer.from('te'),
  protocol: Buffer.from(':protocol'),
  requestId: Buffer.from('x-request-id'),
};
const value = { http: Buffer.from('http'), trailers: Buffer.from('trailers'), connect: Buffer.from('CONNECT') };
const word = {
  transferEncoding: toOctets('transfer-encoding'),
  upgrade: toOctets('upgrade'),
  http2Settings: toOctets('http2-settings'),
  webSocketKey: toOctets('sec-websocket-key'),
};
const requestIdBytes = 64;
/** A rewritten target or host; the router keeps them within what a head may have. */
const texts = Buffer.allocUnsafeSlow(headLimits.edited.bytes);
const blocks = Buffer.allocUnsafeSlow(maxReserveBytes);

/** Composes frames in place, where the wire will send them from. */
export class FrameWriter {
  readonly encoder = new HpackEncoder();
  readonly #wire: Wire;
  /** What the peer takes; we never use more than the default, so that content of many streams mixes. */
  readonly #maxFrame = maxFrameBytes;
  /** False while the wire asks to wait. */
  flowing = true;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  raw(bytes: Buffer): void {
    this.flowing = this.#wire.send(bytes, 0, bytes.length) && this.flowing;
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    const length = pairs.length * 6;
    let at = this.#begin(length, frameType.settings, 0, 0);
    for (const [id, number] of pairs) {
      this.#wire.output.writeUInt16BE(id, at);
      this.#wire.output.writeUInt32BE(number, at + 2);
      at += 6;
    }
    this.#commit(at);
  }

  settingsAck(): void {
    this.#commit(this.#begin(0, frameType.settings, flag.ack, 0));
  }

  ping(payload: Buffer, start: number, isAck: boolean): void {
    const at = this.#begin(8, frameType.ping, isAck ? flag.ack : 0, 0);
    payload.copy(this.#wire.output, at, start, start + 8);
    this.#commit(at + 8);
  }

  rstStream(stream: number, code: number): void {
    const at = this.#begin(4, frameType.rstStream, 0, stream);
    writeNumber(this.#wire.output, at, code);
    this.#commit(at + 4);
  }

  windowUpdate(stream: number, octets: number): void {
    const at = this.#begin(4, frameType.windowUpdate, 0, stream);
    writeNumber(this.#wire.output, at, octets);
    this.#commit(at + 4);
  }

  goaway(lastStream: number, code: number, debug: string): void {
    const at = this.#begin(8 + debug.length, frameType.goaway, 0, 0);
    const { output } = this.#wire;
    writeNumber(output, at, lastStream);
    writeNumber(output, at + 4, code);
    output.write(debug, at + 8, 'latin1');
    this.#commit(at + 8 + debug.length);
  }

  data(stream: number, bytes: Buffer, start: number, end: number, isLast: boolean): void {
    const at = this.#begin(end - start, frameType.data, isLast ? flag.endStream : 0, stream);
    bytes.copy(this.#wire.output, at, start, end);
    this.#commit(at + end - start);
  }

  /** `protocol`: asked for with CONNECT (RFC 8441); `null`: an ordinary request. */
  request(
    stream: number,
    bytes: Buffer,
    head: RequestHead,
    edit: RequestEdit,
    protocol: string | null,
    isLast: boolean,
  ): void {
    const { hostIndex } = head;
    const added = (edit.target?.length ?? 0) + (edit.host?.length ?? 0) + requestIdBytes;
    const at = this.#wire.reserve(blockRoom(head.end - head.start + added, head.count)) + frameHeaderBytes;
    const { encoder } = this;
    encoder.begin(this.#wire.output, at);
    if (protocol === null) {
      encoder.field(name.method, 0, name.method.length, bytes, head.start, head.methodEnd);
    } else {
      encoder.field(name.method, 0, name.method.length, value.connect, 0, value.connect.length);
      this.#encodeText(name.protocol, protocol);
    }
    encoder.field(name.scheme, 0, name.scheme.length, value.http, 0, value.http.length);
    if (edit.target !== null) this.#encodeText(name.path, edit.target);
    else encoder.field(name.path, 0, name.path.length, bytes, head.targetStart, head.targetEnd);
    if (edit.host !== null) {
      this.#encodeText(name.authority, edit.host);
    } else if (hostIndex >= 0) {
      const start = head.valueStart[hostIndex] ?? 0;
      encoder.field(name.authority, 0, name.authority.length, bytes, start, head.valueEnd[hostIndex] ?? 0);
    }
    this.#encodeLines(bytes, head, hostIndex, protocol !== null);
    const { requestId } = edit;
    if (requestId !== null) encoder.field(name.requestId, 0, name.requestId.length, requestId, 0, requestId.length);
    if (head.teTrailers) encoder.field(name.te, 0, 2, value.trailers, 0, value.trailers.length);
    this.#commitBlock(stream, at, encoder.end(), isLast);
  }

  #encodeText(field: Buffer, text: string): void {
    const length = texts.write(text, 'latin1');
    this.encoder.field(field, 0, field.length, texts, 0, length);
  }

  response(stream: number, bytes: Buffer, head: ResponseHead, isLast: boolean): void {
    const at = this.#wire.reserve(blockRoom(head.end - head.start, head.count)) + frameHeaderBytes;
    const { encoder } = this;
    encoder.begin(this.#wire.output, at);
    const start = head.start + 'HTTP/1.1 '.length;
    encoder.field(name.status, 0, name.status.length, bytes, start, start + 3);
    this.#encodeLines(bytes, head, -1);
    this.#commitBlock(stream, at, encoder.end(), isLast);
  }

  trailers(stream: number, bytes: Buffer, fields: HeadFields): void {
    const at = this.#wire.reserve(blockRoom(fields.end - fields.fieldsStart, fields.count)) + frameHeaderBytes;
    this.encoder.begin(this.#wire.output, at);
    this.#encodeLines(bytes, fields, -1);
    this.#commitBlock(stream, at, this.encoder.end(), true);
  }

  #encodeLines(bytes: Buffer, head: HeadFields, except: number, isConnect = false): void {
    const { nameStart, nameEnd, valueStart, valueEnd, dropped } = head;
    for (let index = 0; index < head.count; index += 1) {
      if (index === except || dropped[index] === 1) continue;
      const start = nameStart[index] ?? 0;
      const end = nameEnd[index] ?? 0;
      if (isOfHttp1(bytes, start, end - start)) continue;
      if (isConnect && end - start === 17 && equalsIgnoringCase(bytes, start, word.webSocketKey)) continue;
      this.encoder.field(bytes, start, end, bytes, valueStart[index] ?? 0, valueEnd[index] ?? 0);
    }
  }

  /** The block is in place behind room for one frame header; a long one is cut into CONTINUATION frames. */
  #commitBlock(stream: number, start: number, end: number, isLast: boolean): void {
    const endStream = isLast ? flag.endStream : 0;
    const { output } = this.#wire;
    const length = end - start;
    if (length <= this.#maxFrame) {
      writeHeader(output, start - frameHeaderBytes, length, frameType.headers, endStream | flag.endHeaders, stream);
      this.#commit(end);
      return;
    }
    output.copy(blocks, 0, start, end);
    let to = start - frameHeaderBytes;
    for (let from = 0; from < length; from += this.#maxFrame) {
      const part = Math.min(this.#maxFrame, length - from);
      const flags = (from === 0 ? endStream : 0) | (from + part === length ? flag.endHeaders : 0);
      writeHeader(output, to, part, from === 0 ? frameType.headers : frameType.continuation, flags, stream);
      blocks.copy(output, to + frameHeaderBytes, from, from + part);
      to += frameHeaderBytes + part;
    }
    this.#commit(to);
  }

  #begin(length: number, type: number, flags: number, stream: number): number {
    const at = this.#wire.reserve(frameHeaderBytes + length);
    writeHeader(this.#wire.output, at, length, type, flags, stream);
    return at + frameHeaderBytes;
  }

  #commit(end: number): void {
    if (!this.#wire.commit(end)) this.flowing = false;
  }
}

/** Fields that only an HTTP/1.1 connection has; the codec has marked the others. */
function isOfHttp1(bytes: Buffer, start: number, length: number): boolean {
  if (length === 17) return equalsIgnoringCase(bytes, start, word.transferEncoding);
  if (length === 7) return equalsIgnoringCase(bytes, start, word.upgrade);
  return length === 14 && equalsIgnoringCase(bytes, start, word.http2Settings);
}

function blockRoom(octets: number, fields: number): number {
  const bound = blockBound(octets, fields + 5);
  return Math.min(maxReserveBytes, bound + frameHeaderBytes * (2 + Math.floor(bound / maxFrameBytes)));
}

function writeHeader(out: Buffer, at: number, length: number, type: number, flags: number, stream: number): void {
  out[at] = length >> 16;
  out[at + 1] = length >> 8;
  out[at + 2] = length;
  out[at + 3] = type;
  out[at + 4] = flags;
  writeNumber(out, at + 5, stream);
}

function writeNumber(out: Buffer, at: number, number: number): void {
  out[at] = number >>> 24;
  out[at + 1] = number >>> 16;
  out[at + 2] = number >>> 8;
  out[at + 3] = number;
}
