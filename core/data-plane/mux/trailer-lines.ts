import { type HeadFields, maxTrailerBytes } from '../http/codec.ts';
import { HeaderLines } from '../http/head-fields.ts';

/** RFC 9110 section 6.5.1: what frames, addresses or authorizes a message comes too late in its trailers. */
const neverTrailers = new Set([
  'transfer-encoding',
  'content-length',
  'host',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'authorization',
]);

/** Parses a block of trailers as strictly as a head. One instance serves one block after the other. */
export class TrailerLines extends HeaderLines {
  /** `null`: not well-formed, or with a field that trailers must not have. */
  parse(bytes: Buffer, start: number, end: number): HeadFields | null {
    if (end - start > maxTrailerBytes) return null;
    this.resetFields(start);
    if (this.parseFields(bytes, start, end) <= 0 || this.end !== end) return null;
    for (let index = 0; index < this.count; index += 1) {
      const name = bytes.toString('latin1', this.nameStart[index], this.nameEnd[index]).toLowerCase();
      if (neverTrailers.has(name)) return null;
    }
    return this;
  }
}

/** The block as it travels: lines that are not dropped, and an empty line. */
export function composeTrailers(bytes: Buffer, trailers: HeadFields): Buffer {
  const lines: Buffer[] = [];
  for (let index = 0; index < trailers.count; index += 1) {
    if (trailers.dropped[index] !== 0) continue;
    lines.push(
      bytes.subarray(trailers.nameStart[index], trailers.nameEnd[index]),
      colon,
      bytes.subarray(trailers.valueStart[index], trailers.valueEnd[index]),
      lineEnd,
    );
  }
  lines.push(lineEnd);
  return Buffer.concat(lines);
}

const colon = Buffer.from(': ');
const lineEnd = Buffer.from('\r\n');
