import type { HeadFields, RequestHead, ResponseHead } from './codec.ts';

/** What changes in a request head on its way upstream, besides the hop-by-hop headers that fall away. */
export interface RequestEdit {
  /** Origin-form target to write; `null`: as it was sent. */
  readonly target: string | null;
  /** Value of the Host header; `null`: as it was sent. */
  readonly host: string | null;
  /** Value of an `x-request-id` to add; `null`: none. */
  readonly requestId: string | null;
}

/** The head to send upstream, always HTTP/1.1 with a persistent connection. */
export function writeRequestHead(bytes: Buffer, head: RequestHead, edit: RequestEdit): Buffer {
  let line: string | null = null;
  if (edit.target !== null || head.minor === 0) {
    const method = bytes.toString('latin1', head.start, head.methodEnd);
    line = `${method} ${edit.target ?? bytes.toString('latin1', head.targetStart, head.targetEnd)} HTTP/1.1\r\n`;
  }
  let added = '';
  if (edit.host !== null) {
    added += `host: ${edit.host}\r\n`;
    if (head.hostIndex >= 0) head.dropped[head.hostIndex] = 1;
  }
  if (edit.requestId !== null) added += `x-request-id: ${edit.requestId}\r\n`;
  if (head.teTrailers) added += 'te: trailers\r\n';
  if (head.upgrade) added += 'connection: upgrade\r\n';
  return assemble(bytes, head, { start: head.start, line, added, bodyStart: head.end, bodyEnd: head.end });
}

export interface ResponseEdit {
  readonly connection: 'close' | 'keep-alive' | 'upgrade' | null;
  readonly framing: boolean;
  readonly chunked: boolean;
}

/**
 * The head to send downstream. `connection` is what the client is told; `framing: false` leaves Content-Length and
 * Transfer-Encoding out (204 and 1xx carry neither, a decoded body has no coding); `chunked` announces our own chunks.
 * A body that is there already goes behind the head, so that both leave in one write.
 */
export function writeResponseHead(
  bytes: Buffer,
  head: ResponseHead,
  edit: ResponseEdit,
  bodyStart = head.end,
  bodyEnd = bodyStart,
): Buffer {
  const lineStart = head.start + 'HTTP/1.0'.length;
  const line = head.minor === 1 ? null : `HTTP/1.1${bytes.toString('latin1', lineStart, head.fieldsStart)}`;
  if (!edit.framing) dropFraming(bytes, head);
  const connection = edit.connection === null ? '' : `connection: ${edit.connection}\r\n`;
  const added = edit.chunked ? `transfer-encoding: chunked\r\n${connection}` : connection;
  return assemble(bytes, head, { start: head.start, line, added, bodyStart, bodyEnd });
}

function dropFraming(bytes: Buffer, head: HeadFields): void {
  for (let index = 0; index < head.count; index += 1) {
    const name = bytes.toString('latin1', head.nameStart[index], head.nameEnd[index]).toLowerCase();
    if (name === 'content-length' || name === 'transfer-encoding') head.dropped[index] = 1;
  }
}

interface Parts {
  readonly start: number;
  /** `null`: the original start line. */
  readonly line: string | null;
  readonly added: string;
  readonly bodyStart: number;
  readonly bodyEnd: number;
}

/** Start line, added lines, then every run of lines that stays, copied as it is, and the body. */
function assemble(bytes: Buffer, head: HeadFields, { start, line, added, bodyStart, bodyEnd }: Parts): Buffer {
  const lineLength = line === null ? head.fieldsStart - start : line.length;
  const out = Buffer.allocUnsafe(lineLength + added.length + head.end - head.fieldsStart + bodyEnd - bodyStart);
  let at = line === null ? bytes.copy(out, 0, start, head.fieldsStart) : out.write(line, 0, 'latin1');
  if (added !== '') at += out.write(added, at, 'latin1');
  let from = head.fieldsStart;
  for (let index = 0; index < head.count; index += 1) {
    if (head.dropped[index] === 0) continue;
    const lineStart = head.nameStart[index] ?? 0;
    if (lineStart > from) at += bytes.copy(out, at, from, lineStart);
    from = index + 1 < head.count ? (head.nameStart[index + 1] ?? 0) : head.end - 2;
  }
  at += bytes.copy(out, at, from, head.end);
  if (bodyEnd > bodyStart) at += bytes.copy(out, at, bodyStart, bodyEnd);
  return out.subarray(0, at);
}
