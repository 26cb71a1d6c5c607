import { entryOverhead, type FieldLines, FieldTable, isBrokenValue, staticLines } from './field-table.ts';
import { decodeHuffman } from './huffman.ts';
import { kindOf, staticCount } from './static-table.ts';

/** What we announce as SETTINGS_HEADER_TABLE_SIZE: the default of RFC 9113. */
export const decoderTableBytes = 4_096;
/** A name and value that together are longer than this are not kept; the list they are in is too large anyway. */
export const maxLineBytes = 64 * 1024;

/** Takes the fields of a block, in order. Nothing of `bytes` may be kept. */
export interface FieldSink {
  /** The line at `start` of `bytes`: `nameLength` octets, a colon and a space, `valueLength` octets, CRLF. */
  takeField(
    bytes: Buffer,
    start: number,
    nameLength: number,
    valueLength: number,
    kind: number,
    broken: boolean,
    sensitive: boolean,
  ): void;
  /** A field that is longer than `maxLineBytes`. */
  takeHuge(): void;
}

const line = Buffer.allocUnsafeSlow(maxLineBytes + 4);
const colon = 58;
const space = 32;
/** Integers that fit here are enough for every length that we accept; longer ones are an error, not a number. */
const maxInteger = 2 ** 28;

/**
 * HPACK, RFC 7541: one decoder for each direction of a connection. `decode` returns '' or the rule that the block broke;
 * after that the tables of both sides differ and the connection must end (COMPRESSION_ERROR).
 */
export class HpackDecoder {
  readonly #table = new FieldTable(decoderTableBytes);
  #bytes: Buffer = line;
  #at = 0;
  #end = 0;
  #failure = '';
  #nameLength = 0;

  decode(bytes: Buffer, start: number, end: number, sink: FieldSink): string {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#failure = '';
    let mayResize = true;
    while (this.#at < this.#end) {
      const octet = bytes[this.#at] ?? 0;
      if ((octet & 0xe0) === 0x20) {
        if (!mayResize) return 'a table size update after a field';
        this.#resize();
      } else {
        mayResize = false;
        if ((octet & 0x80) !== 0) this.#takeIndexed(sink);
        else if ((octet & 0x40) !== 0) this.#takeLiteral(0x3f, true, false, sink);
        else this.#takeLiteral(0x0f, false, (octet & 0x10) !== 0, sink);
      }
      if (this.#failure !== '') return this.#failure;
    }
    return '';
  }

  #resize(): void {
    const size = this.#readInteger(0x1f);
    if (size > decoderTableBytes) this.#fail('a table larger than was allowed');
    else if (size >= 0) this.#table.setCapacity(size);
  }

  #takeIndexed(sink: FieldSink): void {
    const index = this.#readInteger(0x7f);
    if (index < 0) return;
    const lines = this.#linesOf(index);
    if (lines === null) return;
    const slot = this.#slotOf(index);
    sink.takeField(
      lines.bytes,
      lines.lineStart[slot] ?? 0,
      lines.nameLength[slot] ?? 0,
      lines.valueLength[slot] ?? 0,
      lines.kind[slot] ?? 0,
      lines.broken[slot] === 1,
      false,
    );
  }

  #takeLiteral(mask: number, isIndexed: boolean, sensitive: boolean, sink: FieldSink): void {
    const kind = this.#readName(mask);
    if (this.#failure !== '') return;
    const nameEnd = this.#nameLength;
    const valueStart = nameEnd + 2;
    const valueEnd = nameEnd < 0 ? this.#readString(0, 0) : this.#readString(valueStart, maxLineBytes + 2);
    if (this.#failure !== '') return;
    if (valueEnd < 0 || nameEnd < 0) {
      if (isIndexed) this.#table.add(line, 0, maxLineBytes, 0, 0, 0);
      sink.takeHuge();
      return;
    }
    line[nameEnd] = colon;
    line[nameEnd + 1] = space;
    line[valueEnd] = 13;
    line[valueEnd + 1] = 10;
    const broken = isBrokenValue(line, valueStart, valueEnd);
    const valueLength = valueEnd - valueStart;
    if (isIndexed) this.#table.add(line, 0, nameEnd, valueLength, kind, broken ? 1 : 0);
    sink.takeField(line, 0, nameEnd, valueLength, kind, broken, sensitive);
  }

  /** Puts the name at the start of `line`; its length is `#nameLength` (-1: too long), the result is its kind. */
  #readName(mask: number): number {
    const index = this.#readInteger(mask);
    if (index === 0) {
      const end = this.#readString(0, maxLineBytes);
      this.#nameLength = end;
      return end < 0 ? 0 : kindOf(line, 0, end);
    }
    if (index < 0) return 0;
    const lines = this.#linesOf(index);
    if (lines === null) return 0;
    const slot = this.#slotOf(index);
    const start = lines.lineStart[slot] ?? 0;
    this.#nameLength = lines.nameLength[slot] ?? 0;
    lines.bytes.copy(line, 0, start, start + this.#nameLength);
    return lines.kind[slot] ?? 0;
  }

  /** `null` after a failure. */
  #linesOf(index: number): FieldLines | null {
    if (index >= 1 && index <= staticCount) return staticLines;
    if (index >= 1 && index - staticCount <= this.#table.count) return this.#table;
    this.#fail('an index that is in no table');
    return null;
  }

  #slotOf(index: number): number {
    return index <= staticCount ? index - 1 : this.#table.slotOf(this.#table.added - (index - staticCount));
  }

  /** RFC 7541 section 5.1; -1 after a failure. */
  #readInteger(mask: number): number {
    const bytes = this.#bytes;
    let value = (bytes[this.#at] ?? 0) & mask;
    this.#at += 1;
    if (value < mask) return value;
    let scale = 1;
    for (;;) {
      if (this.#at >= this.#end) return this.#fail('a block that ends within a number');
      const octet = bytes[this.#at] ?? 0;
      this.#at += 1;
      value += (octet & 0x7f) * scale;
      if (value > maxInteger || scale > maxInteger) return this.#fail('a number that is too large');
      if ((octet & 0x80) === 0) return value;
      scale *= 128;
    }
  }

  /** Writes a string to `line` from `to` on; index after it, -1 when it is longer than `limit` allows or broken. */
  #readString(to: number, limit: number): number {
    if (this.#at >= this.#end) return this.#fail('a block that ends within a field');
    const isCoded = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#readInteger(0x7f);
    if (length < 0) return -1;
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) return this.#fail('a block that ends within a string');
    this.#at = end;
    if (isCoded) {
      const decoded = decodeHuffman(this.#bytes, start, end, line, to, limit);
      if (decoded === -1) return this.#fail('a string that is not Huffman-coded as it must be');
      return decoded < 0 ? -1 : decoded;
    }
    if (to + length > limit) return -1;
    if (length < 32) for (let at = 0; at < length; at += 1) line[to + at] = this.#bytes[start + at] ?? 0;
    else this.#bytes.copy(line, to, start, end);
    return to + length;
  }

  #fail(rule: string): -1 {
    this.#failure = rule;
    return -1;
  }
}

/** What a field adds to the size of a header list, RFC 9113 section 6.5.2. */
export function listSizeOf(nameLength: number, valueLength: number): number {
  return nameLength + valueLength + entryOverhead;
}
