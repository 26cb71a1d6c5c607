import { type HeadFields, maxHeadBytes } from './codec.ts';
import type { BodyChange } from './draw-faults.ts';

/** Larger bodies are not changed: a change needs the whole of it. */
export const maxRewrittenBytes = 1024 * 1024;

/** Why the body of an answer cannot be changed; `null`: it can. Codings other than identity are left alone, and gRPC's messages. */
export function whyUntouched(bytes: Buffer, head: HeadFields): string | null {
  for (let index = 0; index < head.count; index += 1) {
    const name = bytes.toString('latin1', head.nameStart[index], head.nameEnd[index]).toLowerCase();
    if (name !== 'content-encoding' && name !== 'content-type') continue;
    const value = bytes.toString('latin1', head.valueStart[index], head.valueEnd[index]).toLowerCase();
    if (name === 'content-encoding' && value !== 'identity') return `content-encoding ${value}`;
    if (name === 'content-type' && value.startsWith('application/grpc')) return 'gRPC';
  }
  return null;
}

/** Texts are compared octet by octet, in UTF-8. */
export function rewriteBody(body: Buffer, changes: readonly BodyChange[]): Buffer {
  let text = body.toString('latin1');
  for (const { set, replace } of changes) {
    if (set !== null) text = octets(set);
    for (const { find, with: by } of replace) text = text.replaceAll(octets(find), () => octets(by));
  }
  return Buffer.from(text, 'latin1');
}

/** The changes from the last one on that does not need the body as it was; `null`: all of them need it. */
export function withoutOriginal(changes: readonly BodyChange[]): readonly BodyChange[] | null {
  const at = changes.findLastIndex(({ set }) => set !== null);
  return at === -1 ? null : changes.slice(at);
}

/**
 * The head of an answer that has got another body: its length instead of what told the length before, and more lines. `null`
 * when that does not fit into a head.
 */
export function reframe(
  bytes: Buffer,
  head: HeadFields & { readonly start: number },
  length: number | null,
  lines: readonly string[] = [],
): Buffer | null {
  const parts = [bytes.subarray(head.start, head.fieldsStart)];
  for (let index = 0; index < head.count; index += 1) {
    const start = head.nameStart[index] ?? 0;
    const name = bytes.toString('latin1', start, head.nameEnd[index]).toLowerCase();
    if (length !== null && (name === 'content-length' || name === 'transfer-encoding')) continue;
    parts.push(bytes.subarray(start, head.valueEnd[index]), lineEnd);
  }
  const added = length === null ? lines : [`content-length: ${length}`, ...lines];
  for (const line of added) parts.push(Buffer.from(`${line}\r\n`, 'latin1'));
  const made = Buffer.concat([...parts, lineEnd]);
  return made.length > maxHeadBytes ? null : made;
}

const lineEnd = Buffer.from('\r\n');
const octets = (text: string): string => Buffer.from(text).toString('latin1');
