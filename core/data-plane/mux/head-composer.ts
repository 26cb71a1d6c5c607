import type { HeadFields, RequestHead, ResponseHead } from '../http/codec.ts';
import { equalsIgnoringCase, toOctets } from '../http/octets.ts';
import type { BodyForm, RequestEdit } from '../http/streams.ts';

/**
 * Heads in the form in which they travel between sidecars: HTTP/1.1, without what belongs to a connection. Composed in
 * place; `sizeOf...` says how much room is needed at most.
 */

const word = {
  version: Buffer.from(' HTTP/1.1\r\n'),
  status: Buffer.from('HTTP/1.1'),
  host: Buffer.from('host: '),
  requestId: Buffer.from('x-request-id: '),
  trailers: Buffer.from('te: trailers\r\n'),
  upgrade: Buffer.from('connection: upgrade\r\n'),
  lineEnd: Buffer.from('\r\n'),
};
const contentLength = toOctets('content-length');
const transferEncoding = toOctets('transfer-encoding');
const addedBytes = 160;

export function sizeOfRequest(head: RequestHead, { target, host }: RequestEdit): number {
  return head.end - head.start + (target?.length ?? 0) + (host?.length ?? 0) + addedBytes;
}

export function sizeOfResponse(head: ResponseHead): number {
  return head.end - head.start + addedBytes;
}

/** Returns the index after the head. */
export function composeRequest(
  out: Buffer,
  from: number,
  bytes: Buffer,
  head: RequestHead,
  edit: RequestEdit,
  form: BodyForm,
): number {
  let at = from;
  if (edit.target === null && head.minor === 1) {
    at += bytes.copy(out, at, head.start, head.fieldsStart);
  } else {
    at += bytes.copy(out, at, head.start, head.methodEnd + 1);
    if (edit.target === null) at += bytes.copy(out, at, head.targetStart, head.targetEnd);
    else at += out.write(edit.target, at, 'latin1');
    at += word.version.copy(out, at);
  }
  if (edit.host !== null) {
    at += word.host.copy(out, at);
    at += out.write(edit.host, at, 'latin1');
    at += word.lineEnd.copy(out, at);
  }
  if (edit.requestId !== null) {
    at += word.requestId.copy(out, at);
    at += edit.requestId.copy(out, at);
    at += word.lineEnd.copy(out, at);
  }
  if (head.teTrailers) at += word.trailers.copy(out, at);
  if (head.upgrade) at += word.upgrade.copy(out, at);
  return copyFields(out, at, bytes, head, edit.host === null ? -1 : head.hostIndex, form === 'plain');
}

/** Returns the index after the head. */
export function composeResponse(out: Buffer, from: number, bytes: Buffer, head: ResponseHead, form: BodyForm): number {
  let at = from + word.status.copy(out, from);
  at += bytes.copy(out, at, head.start + word.status.length, head.fieldsStart);
  if (head.status === 101 && head.upgrade) at += word.upgrade.copy(out, at);
  // RFC 9110 section 8.6 and RFC 9112 section 6.1: neither belongs to 1xx and 204.
  return copyFields(out, at, bytes, head, -1, form === 'plain' || head.status < 200 || head.status === 204);
}

/** Every run of lines that stays, copied as it is, and the empty line. */
function copyFields(
  out: Buffer,
  from: number,
  bytes: Buffer,
  head: HeadFields,
  replaced: number,
  dropsFraming: boolean,
): number {
  const { count, nameStart, dropped } = head;
  const framed = dropsFraming && (head.chunked || head.contentLength >= 0);
  let at = from;
  let run = head.fieldsStart;
  for (let index = 0; index < count; index += 1) {
    if (dropped[index] === 0 && index !== replaced && !(framed && isFraming(bytes, head, index))) continue;
    const line = nameStart[index] ?? 0;
    if (line > run) at += bytes.copy(out, at, run, line);
    run = index + 1 < count ? (nameStart[index + 1] ?? 0) : head.end - 2;
  }
  return at + bytes.copy(out, at, run, head.end);
}

function isFraming(bytes: Buffer, { nameStart, nameEnd }: HeadFields, index: number): boolean {
  const start = nameStart[index] ?? 0;
  const length = (nameEnd[index] ?? 0) - start;
  if (length === contentLength.length) return equalsIgnoringCase(bytes, start, contentLength);
  return length === transferEncoding.length && equalsIgnoringCase(bytes, start, transferEncoding);
}
