/** Heads as HTTP/1.1 sends them on: composed in place, in the output of a wire or in a frame. */
import { copyBytes } from '../wire/copy-bytes.ts';
import type { HeadFields, RequestHead, ResponseHead } from './codec.ts';
import { equalsIgnoringCase, toOctets } from './octets.ts';
import { requestIdLength } from './request-ids.ts';
import type { RequestEdit } from './streams.ts';

const lineEnd = Buffer.from('\r\n');
const endOfRequestLine = Buffer.from(' HTTP/1.1\r\n');
const httpVersion = Buffer.from('HTTP/1.1');
const hostName = Buffer.from('host: ');
const requestIdName = Buffer.from('x-request-id: ');
const teTrailers = Buffer.from('te: trailers\r\n');
const chunkedCoding = Buffer.from('transfer-encoding: chunked\r\n');
const connectionLines = {
  close: Buffer.from('connection: close\r\n'),
  'keep-alive': Buffer.from('connection: keep-alive\r\n'),
  upgrade: Buffer.from('connection: upgrade\r\n'),
};
const word = { contentLength: toOctets('content-length'), transferEncoding: toOctets('transfer-encoding') };

/** What the lines that may be added need at most, besides the head itself and what the edit brings along. */
const addedBytes = 160;

/** Above this the room for a head is worked out to the byte: what is left out of it may be as large as the rest. */
const largeHeadBytes = 32 * 1024;

/** Bytes that `composeRequestHead` writes at most: never more than a wire reserves, as both limits are the router's. */
export function requestHeadRoom(head: RequestHead, edit: RequestEdit): number {
  const { target, host } = edit;
  const room = head.end - head.start + addedBytes + (target?.length ?? 0) + (host?.length ?? 0);
  if (room < largeHeadBytes) return room;
  return room - droppedBytes(head) - (target === null ? 0 : head.targetEnd - head.targetStart);
}

/** Of lines that do not go on. */
export function droppedBytes({ count, dropped, nameStart, end }: HeadFields): number {
  let bytes = 0;
  for (let index = 0; index < count; index += 1) {
    if (dropped[index] === 0) continue;
    const next = index + 1 < count ? (nameStart[index + 1] ?? 0) : end - lineEnd.length;
    bytes += next - (nameStart[index] ?? 0);
  }
  return bytes;
}

/**
 * Writes the head to send upstream, always HTTP/1.1 with a persistent connection, at `out[at]`; returns the index after it.
 * `encodes`: the body will be coded in chunks by us.
 */
export function composeRequestHead(
  out: Buffer,
  at: number,
  bytes: Buffer,
  head: RequestHead,
  edit: RequestEdit,
  encodes: boolean,
): number {
  const { target, host, requestId } = edit;
  let to = at;
  if (target === null && head.minor === 1) {
    to = copyBytes(bytes, head.start, head.fieldsStart, out, to);
  } else {
    to = copyBytes(bytes, head.start, head.methodEnd + 1, out, to);
    if (target === null) to = copyBytes(bytes, head.targetStart, head.targetEnd, out, to);
    else to += out.write(target, to, 'latin1');
    to = copyWhole(endOfRequestLine, out, to);
  }
  if (host !== null) {
    to = copyWhole(hostName, out, to);
    to += out.write(host, to, 'latin1');
    to = copyWhole(lineEnd, out, to);
  }
  if (requestId !== null) {
    to = copyWhole(requestIdName, out, to);
    to = copyBytes(requestId, 0, requestIdLength, out, to);
    to = copyWhole(lineEnd, out, to);
  }
  if (head.teTrailers) to = copyWhole(teTrailers, out, to);
  if (head.upgrade) to = copyWhole(connectionLines.upgrade, out, to);
  if (encodes) to = copyWhole(chunkedCoding, out, to);
  return composeLines(out, to, bytes, head, host === null ? -1 : head.hostIndex, false);
}

export interface ResponseEdit {
  /** What the client is told. */
  readonly connection: keyof typeof connectionLines | null;
  /** False: without Content-Length and Transfer-Encoding (204 and 1xx carry neither, a decoded body has no coding). */
  readonly framing: boolean;
  /** Announces chunks of our own. */
  readonly chunked: boolean;
}

/** Bytes that `composeResponseHead` writes at most. */
export function responseHeadRoom(head: ResponseHead): number {
  return head.end - head.start + addedBytes;
}

/** Writes the head to send downstream at `out[at]`; returns the index after it. */
export function composeResponseHead(
  out: Buffer,
  at: number,
  bytes: Buffer,
  head: ResponseHead,
  { connection, framing, chunked }: ResponseEdit,
): number {
  let to = at;
  if (head.minor === 1) {
    to = copyBytes(bytes, head.start, head.fieldsStart, out, to);
  } else {
    to = copyWhole(httpVersion, out, to);
    to = copyBytes(bytes, head.start + httpVersion.length, head.fieldsStart, out, to);
  }
  if (chunked) to = copyWhole(chunkedCoding, out, to);
  if (connection !== null) to = copyWhole(connectionLines[connection], out, to);
  return composeLines(out, to, bytes, head, -1, !framing);
}

/** Field lines as HTTP/1.1 writes them, with the empty line at the end; at most as long as they came. */
export function composeTrailers(out: Buffer, at: number, bytes: Buffer, trailers: HeadFields): number {
  return composeLines(out, at, bytes, trailers, -1, false);
}

/** Every run of lines that stays, copied as it is, and the empty line. */
function composeLines(
  out: Buffer,
  at: number,
  bytes: Buffer,
  head: HeadFields,
  without: number,
  noFraming: boolean,
): number {
  const { count, dropped } = head;
  let to = at;
  let from = head.fieldsStart;
  for (let index = 0; index < count; index += 1) {
    if (dropped[index] === 0 && index !== without && !(noFraming && isFraming(bytes, head, index))) continue;
    const lineStart = head.nameStart[index] ?? 0;
    if (lineStart > from) to = copyBytes(bytes, from, lineStart, out, to);
    from = index + 1 < count ? (head.nameStart[index + 1] ?? 0) : head.end - 2;
  }
  return copyBytes(bytes, from, head.end, out, to);
}

function isFraming(bytes: Buffer, head: HeadFields, index: number): boolean {
  const start = head.nameStart[index] ?? 0;
  const length = (head.nameEnd[index] ?? 0) - start;
  if (length === 14) return equalsIgnoringCase(bytes, start, word.contentLength);
  return length === 17 && equalsIgnoringCase(bytes, start, word.transferEncoding);
}

function copyWhole(line: Buffer, out: Buffer, at: number): number {
  return copyBytes(line, 0, line.length, out, at);
}
