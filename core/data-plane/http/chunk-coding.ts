/** Chunks of our own, RFC 9112 section 7.1: where a body of unknown length comes from a side without them. */
import type { Wire } from '../wire/wire.ts';
import type { HeadFields } from './codec.ts';
import { composeTrailers } from './head-writer.ts';

const digits = Buffer.from('0123456789abcdef');
const carriageReturn = 13;
const lineFeed = 10;
const sizeLineBytes = 10;
/** More is not copied behind its size line but sent after it. */
const copiedBytes = 32 * 1024;
const lastChunk = Buffer.from('0\r\n\r\n');

/** One chunk; nothing for no bytes, as an empty chunk would be the last. */
export function sendChunk(wire: Wire, bytes: Buffer, start: number, end: number): boolean {
  const size = end - start;
  if (size === 0) return true;
  const copied = size <= copiedBytes;
  let at = wire.reserve(sizeLineBytes + (copied ? size + 2 : 0));
  const out = wire.output;
  at = writeSizeLine(out, at, size);
  if (copied) {
    at += bytes.copy(out, at, start, end);
    return wire.commit(writeLineEnd(out, at));
  }
  wire.commit(at);
  wire.send(bytes, start, end);
  return wire.commit(writeLineEnd(wire.output, wire.reserve(2)));
}

export function sendLastChunk(wire: Wire): boolean {
  return wire.send(lastChunk, 0, lastChunk.length);
}

export function sendChunkedTrailers(wire: Wire, bytes: Buffer, trailers: HeadFields): boolean {
  let at = wire.reserve(trailers.end - trailers.fieldsStart + 3);
  const out = wire.output;
  out[at] = 48;
  at = writeLineEnd(out, at + 1);
  return wire.commit(composeTrailers(out, at, bytes, trailers));
}

function writeSizeLine(out: Buffer, at: number, size: number): number {
  let shift = 28;
  while (shift > 0 && size >>> shift === 0) shift -= 4;
  let to = at;
  for (; shift >= 0; shift -= 4) {
    out[to] = digits[(size >>> shift) & 15] ?? 0;
    to += 1;
  }
  return writeLineEnd(out, to);
}

function writeLineEnd(out: Buffer, at: number): number {
  out[at] = carriageReturn;
  out[at + 1] = lineFeed;
  return at + 2;
}
