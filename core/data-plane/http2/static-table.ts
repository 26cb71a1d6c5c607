/** The static table of HPACK, RFC 7541 appendix A, and what the name of a field asks of us. */
import { isToken } from '../http/octets.ts';

/** What a field is, beyond its bytes. `plain`: just forwarded. `forbidden`: belongs to a connection, malformed in HTTP/2. */
export const fieldKind = {
  plain: 0,
  forbidden: 1,
  invalidName: 2,
  te: 3,
  contentLength: 4,
  host: 5,
  cookie: 6,
  expect: 7,
  requestId: 8,
  contentType: 9,
  grpcTimeout: 10,
  /** From here on pseudo-header fields. */
  authority: 16,
  method: 17,
  path: 18,
  scheme: 19,
  status: 20,
  protocol: 21,
  unknownPseudo: 22,
} as const;

const kindOfName: Readonly<Record<string, number>> = {
  connection: fieldKind.forbidden,
  'keep-alive': fieldKind.forbidden,
  'proxy-connection': fieldKind.forbidden,
  'transfer-encoding': fieldKind.forbidden,
  upgrade: fieldKind.forbidden,
  te: fieldKind.te,
  'content-length': fieldKind.contentLength,
  host: fieldKind.host,
  cookie: fieldKind.cookie,
  expect: fieldKind.expect,
  'x-request-id': fieldKind.requestId,
  'content-type': fieldKind.contentType,
  'grpc-timeout': fieldKind.grpcTimeout,
  ':authority': fieldKind.authority,
  ':method': fieldKind.method,
  ':path': fieldKind.path,
  ':scheme': fieldKind.scheme,
  ':status': fieldKind.status,
  ':protocol': fieldKind.protocol,
};
const longestKnown = Math.max(...Object.keys(kindOfName).map((name) => name.length));
const knownLengths = new Uint8Array(256);
for (const name of Object.keys(kindOfName)) knownLengths[name.length] = 1;

/** Kind of a name as it came: lower-case tokens only, RFC 9113 section 8.2.1. */
export function kindOf(bytes: Buffer, start: number, end: number): number {
  const isPseudo = bytes[start] === 58;
  for (let at = isPseudo ? start + 1 : start; at < end; at += 1) {
    const octet = bytes[at] ?? 0;
    if (isToken[octet] !== 1 || (octet >= 65 && octet <= 90)) return fieldKind.invalidName;
  }
  if (start >= end) return fieldKind.invalidName;
  const length = end - start;
  if (length <= longestKnown && knownLengths[length] === 1) {
    const kind = kindOfName[bytes.toString('latin1', start, end)];
    if (kind !== undefined) return kind;
  }
  return isPseudo ? fieldKind.unknownPseudo : fieldKind.plain;
}

const text = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`;

export interface StaticField {
  readonly name: string;
  readonly value: string;
}

/** Index i of the table is entry i - 1. */
export const staticFields: readonly StaticField[] = text.split('\n').map((line) => {
  const space = line.indexOf(' ');
  return space < 0 ? { name: line, value: '' } : { name: line.slice(0, space), value: line.slice(space + 1) };
});
export const staticCount = staticFields.length;
