import { type HeadFields, maxHeaders } from '../http/codec.ts';
import { equalsIgnoringCase, toOctets } from '../http/octets.ts';
import type { BodyForm } from '../http/streams.ts';
import { type FieldSink, listSizeOf } from './hpack-decoder.ts';
import { fieldKind } from './static-table.ts';

/** Room for a decoded head (64 KiB), its pseudo-header fields once more, and its cookies joined. */
const scratch = Buffer.allocUnsafeSlow(256 * 1024);
/** Content-Length has at most this many digits. */
const maxLengthDigits = 15;

/**
 * Header lines of a decoded block, in the form that HTTP/1.1 has: what an HTTP/1.1 peer could not be told without doubt is
 * malformed here. All instances share one buffer, so a head is valid until the next block is decoded.
 */
export abstract class HeadLines implements FieldSink, HeadFields {
  readonly bytes = scratch;
  count = 0;
  readonly nameStart = new Int32Array(maxHeaders);
  readonly nameEnd = new Int32Array(maxHeaders);
  readonly valueStart = new Int32Array(maxHeaders);
  readonly valueEnd = new Int32Array(maxHeaders);
  readonly dropped = new Uint8Array(maxHeaders);
  start = 0;
  fieldsStart = 0;
  end = 0;
  readonly minor = 1;
  contentLength = -1;
  readonly chunked = false;
  readonly close = false;
  readonly keepAlive = false;
  upgrade = false;
  /** `content-type` is `application/grpc` or one of its kin: errors are told in gRPC's way. */
  isGrpc = false;
  #lengthIndex = -1;
  /** The rule that the message breaks; '' for none. */
  malformed = '';
  /** More fields or octets than we take. */
  tooLarge = false;
  /** Fields of this block that must never be put into a table, by name. */
  readonly sensitiveNames: string[] = [];
  protected begun = false;
  readonly #maxListBytes: number;
  #listBytes = 0;
  #cookies = 0;

  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** Must be called before each block. */
  reset(): void {
    this.count = 0;
    this.start = 0;
    this.fieldsStart = 0;
    this.end = 0;
    this.contentLength = -1;
    this.isGrpc = false;
    this.upgrade = false;
    this.#lengthIndex = -1;
    this.malformed = '';
    this.tooLarge = false;
    this.begun = false;
    this.#listBytes = 0;
    this.#cookies = 0;
    if (this.sensitiveNames.length > 0) this.sensitiveNames.length = 0;
  }

  takeHuge(): void {
    this.tooLarge = true;
  }

  takeField(
    bytes: Buffer,
    start: number,
    nameLength: number,
    valueLength: number,
    kind: number,
    broken: boolean,
    sensitive: boolean,
  ): void {
    this.#listBytes += listSizeOf(nameLength, valueLength);
    if (this.#listBytes > this.#maxListBytes) this.tooLarge = true;
    if (this.tooLarge || this.malformed !== '') return;
    if (broken) {
      this.malformed = 'a field value that HTTP does not allow';
      return;
    }
    const valueStart = start + nameLength + 2;
    if (kind >= fieldKind.authority) {
      if (this.begun) this.malformed = 'a pseudo-header field after a regular one';
      else this.takePseudo(bytes, valueStart, valueLength, kind);
      return;
    }
    if (!this.begun) this.#beginFields();
    if (this.malformed !== '') return;
    if (this.isFull) {
      this.tooLarge = true;
      return;
    }
    if (sensitive) this.sensitiveNames.push(bytes.toString('latin1', start, start + nameLength));
    const index = this.addLine(bytes, start, nameLength, valueLength);
    if (kind !== fieldKind.plain) this.#takeSpecial(index, kind);
  }

  /** After the last field. */
  finish(): void {
    if (this.malformed !== '' || this.tooLarge) return;
    if (!this.begun) this.#beginFields();
    if (this.malformed !== '') return;
    if (this.#cookies > 1) this.#joinCookies();
    this.finishFields();
    this.bytes[this.end] = 13;
    this.bytes[this.end + 1] = 10;
    this.end += 2;
  }

  protected abstract takePseudo(bytes: Buffer, start: number, length: number, kind: number): void;
  /** Writes the start line from `end` on and sets `fieldsStart` and `end`. */
  protected abstract writeStart(): void;
  protected takeOther(_index: number, _kind: number): void {
    // Nothing else matters to a head of this kind.
  }
  protected finishFields(): void {
    // Nothing more to check.
  }

  #beginFields(): void {
    this.begun = true;
    this.start = this.end;
    this.writeStart();
  }

  /** There is no room for another line. */
  protected get isFull(): boolean {
    return this.count >= maxHeaders;
  }

  /** Copies a whole line behind what is there. */
  protected addLine(bytes: Buffer, start: number, nameLength: number, valueLength: number): number {
    const { end, bytes: to } = this;
    const length = nameLength + valueLength + 4;
    if (length <= 40) for (let at = 0; at < length; at += 1) to[end + at] = bytes[start + at] ?? 0;
    else bytes.copy(to, end, start, start + length);
    return this.#addSpans(end, nameLength, valueLength);
  }

  #addSpans(start: number, nameLength: number, valueLength: number): number {
    const index = this.count;
    const valueStart = start + nameLength + 2;
    this.nameStart[index] = start;
    this.nameEnd[index] = start + nameLength;
    this.valueStart[index] = valueStart;
    this.valueEnd[index] = valueStart + valueLength;
    this.dropped[index] = 0;
    this.count = index + 1;
    this.end = valueStart + valueLength + 2;
    return index;
  }

  /** `name: ` (given with colon and space) and a value that is in `bytes` already. */
  protected composeLine(name: Buffer, valueStart: number, valueLength: number): number {
    const start = this.end;
    name.copy(this.bytes, start);
    this.bytes.copyWithin(start + name.length, valueStart, valueStart + valueLength);
    const end = start + name.length + valueLength;
    this.bytes[end] = 13;
    this.bytes[end + 1] = 10;
    return this.#addSpans(start, name.length - 2, valueLength);
  }

  #takeSpecial(index: number, kind: number): void {
    switch (kind) {
      case fieldKind.forbidden:
        this.malformed = 'a field that belongs to a connection';
        return;
      case fieldKind.invalidName:
        this.malformed = 'a field name that HTTP/2 does not allow';
        return;
      case fieldKind.te:
        if (this.#valueOf(index) !== 'trailers') this.malformed = 'a te other than trailers';
        this.dropped[index] = 1;
        break;
      case fieldKind.contentLength:
        this.#takeLength(index);
        return;
      case fieldKind.contentType:
        this.isGrpc ||= isGrpcType(this.bytes, this.valueStart[index] ?? 0, this.valueEnd[index] ?? 0);
        return;
      case fieldKind.cookie:
        this.#cookies += 1;
        return;
    }
    this.takeOther(index, kind);
  }

  #valueOf(index: number): string {
    return this.bytes.toString('latin1', this.valueStart[index], this.valueEnd[index]).toLowerCase();
  }

  #takeLength(index: number): void {
    const from = this.valueStart[index] ?? 0;
    const to = this.valueEnd[index] ?? 0;
    if (this.contentLength >= 0 || from === to || to - from > maxLengthDigits) {
      this.malformed = 'an invalid content-length';
      return;
    }
    let length = 0;
    for (let at = from; at < to; at += 1) {
      const digit = (this.bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) this.malformed = 'an invalid content-length';
      length = length * 10 + digit;
    }
    this.contentLength = length;
    this.#lengthIndex = index;
  }

  /**
   * How the content goes on. Trailers may follow gRPC's messages whatever their length, so that it is not told; elsewhere a
   * known length is, and leaves no place for trailers.
   */
  bodyForm(ended: boolean): BodyForm {
    if (ended || this.upgrade) return 'none';
    if (this.contentLength < 0) return 'plain';
    if (!this.isGrpc) return 'length';
    this.dropped[this.#lengthIndex] = 1;
    return 'plain';
  }

  /** RFC 9113 section 8.2.3: one line for whoever does not speak HTTP/2. */
  #joinCookies(): void {
    if (this.isFull) {
      this.tooLarge = true;
      return;
    }
    const parts: string[] = [];
    for (let index = 0; index < this.count; index += 1) {
      const start = this.nameStart[index] ?? 0;
      if ((this.nameEnd[index] ?? 0) - start !== 6 || this.bytes.toString('latin1', start, start + 6) !== 'cookie')
        continue;
      parts.push(this.bytes.toString('latin1', this.valueStart[index], this.valueEnd[index]));
      this.dropped[index] = 1;
    }
    const joined = parts.join('; ');
    const start = this.end;
    this.bytes.write(`cookie: ${joined}\r\n`, start, 'latin1');
    this.#addSpans(start, 6, joined.length);
  }
}

const grpcType = toOctets('application/grpc');

/** `application/grpc`, alone or followed by `+`, `;` or a blank; not `application/grpc-web`. */
function isGrpcType(bytes: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (length < grpcType.length || !equalsIgnoringCase(bytes, start, grpcType)) return false;
  const next = bytes[start + grpcType.length];
  return length === grpcType.length || next === 43 || next === 59 || next === 32;
}
