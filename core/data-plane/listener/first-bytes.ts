import { parseClientHello } from './client-hello.ts';

/** What the first bytes of a connection say. `h2`: HTTP/2 with prior knowledge. */
export type FirstBytes =
  | { readonly kind: 'http' }
  | { readonly kind: 'h2' }
  | { readonly kind: 'tcp' }
  | { readonly kind: 'tls'; readonly alpn: readonly string[]; readonly serverName: string | null };

const http: FirstBytes = { kind: 'http' };
const tcp: FirstBytes = { kind: 'tcp' };
const h2: FirstBytes = { kind: 'h2' };
/** RFC 9113, 3.4. `PRI` is a method nobody else may use. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** The longest registered method is UPDATEREDIRECTREF, 17. */
const maxMethodBytes = 20;
const space = 0x20;
const slash = 0x2f;

/** `null`: undecided, read on. Any prefix of a message gives either `null` or what the whole message gives. */
export function classifyFirstBytes(head: Buffer): FirstBytes | null {
  if (head.length === 0) return null;
  const hello = parseClientHello(head);
  if (hello === 'more') return null;
  if (hello !== 'not-tls') return { kind: 'tls', alpn: hello.alpn, serverName: hello.serverName };
  return classifyPlain(head);
}

/** HTTP/1.x begins with an upper-case method, a space and a target in one of the four forms of RFC 9112, 3.2. */
function classifyPlain(head: Buffer): FirstBytes | null {
  let at = 0;
  while (at < head.length && isMethodByte(head[at] ?? 0)) at += 1;
  if (at > maxMethodBytes) return tcp;
  if (at === head.length) return null;
  if (at === 0 || head[at] !== space) return tcp;
  const method = head.toString('latin1', 0, at);
  const target = head.subarray(at + 1);
  if (target.length === 0) return null;
  if (method === 'CONNECT') return isTargetByte(target[0] ?? 0) ? http : tcp;
  if (target[0] === slash) return http;
  if (method === 'PRI') {
    const known = Math.min(head.length, preface.length);
    if (preface.compare(head, 0, known, 0, known) === 0) return known === preface.length ? h2 : null;
  }
  if (method === 'OPTIONS') {
    const star = startsWith(target, '* ');
    if (star !== 'no') return star === 'yes' ? http : null;
  }
  const absolute = startsWith(target, 'http://');
  const absoluteTls = startsWith(target, 'https://');
  if (absolute === 'yes' || absoluteTls === 'yes') return http;
  return absolute === 'maybe' || absoluteTls === 'maybe' ? null : tcp;
}

function isMethodByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d || byte === 0x5f;
}

function isTargetByte(byte: number): boolean {
  return byte > space && byte < 0x7f;
}

function startsWith(bytes: Buffer, text: string): 'yes' | 'no' | 'maybe' {
  const length = Math.min(bytes.length, text.length);
  if (bytes.toString('latin1', 0, length).toLowerCase() !== text.slice(0, length)) return 'no';
  return length === text.length ? 'yes' : 'maybe';
}
