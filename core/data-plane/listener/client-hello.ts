/**
 * Reads just enough of a TLS ClientHello (RFC 8446, 4.1.2) to know whose TLS it is: the ALPN list and the server name.
 * Nothing is consumed and nothing is trusted; the handshake itself is done, or passed through, from the same bytes.
 */

export interface ClientHello {
  /** Protocols the client offers; empty when the extension is absent. */
  readonly alpn: readonly string[];
  /** Server name indication, `null` when absent. */
  readonly serverName: string | null;
}

/** `more`: undecided, read on. `not-tls`: these bytes cannot begin a TLS connection. */
export type ClientHelloResult = 'more' | 'not-tls' | ClientHello;

/** A hello longer than this is not ours; it is treated as TLS without ALPN. */
export const maxClientHelloBytes = 16 * 1024;

const foreign: ClientHello = { alpn: [], serverName: null };
const handshakeRecord = 22;
const clientHelloType = 1;
const extensionServerName = 0;
const extensionAlpn = 16;
/** What may stand in reports and look-ups; anything else is no name of a service. */
const hostName = /^[a-z0-9_.-]{1,253}$/;
/** TLSPlaintext.length must not exceed 2^14 (RFC 8446, 5.1). */
const maxRecordBytes = 1 << 14;

/** `head`: the first bytes of a connection, as many as have arrived. */
export function parseClientHello(head: Buffer): ClientHelloResult {
  if (head.length > 0 && head[0] !== handshakeRecord) return 'not-tls';
  if (head.length > 1 && head[1] !== 3) return 'not-tls';
  if (head.length < 6) return 'more';
  if (head[5] !== clientHelloType) return 'not-tls';
  const message = handshakeBytes(head);
  if (message === 'not-tls') return 'not-tls';
  if (message.length < 4) return 'more';
  const length = message.readUIntBE(1, 3);
  if (length > maxClientHelloBytes) return foreign;
  if (message.length < 4 + length) return head.length > maxClientHelloBytes + 1024 ? foreign : 'more';
  return parseBody(message.subarray(4, 4 + length)) ?? foreign;
}

/** The handshake message's bytes so far, put together from one or more records; what follows the message is left out. */
function handshakeBytes(head: Buffer): Buffer | 'not-tls' {
  let message: Buffer = head.subarray(0, 0);
  for (let at = 0; at + 5 <= head.length; ) {
    if (message.length >= 4 && message.length >= 4 + message.readUIntBE(1, 3)) break;
    if (head[at] !== handshakeRecord || head[at + 1] !== 3) return 'not-tls';
    const length = head.readUInt16BE(at + 3);
    if (length === 0 || length > maxRecordBytes) return 'not-tls';
    const fragment = head.subarray(at + 5, at + 5 + length);
    message = message.length === 0 ? fragment : Buffer.concat([message, fragment]);
    at += 5 + length;
  }
  return message;
}

/** Walks vectors with a length in front, inside given bounds; `null` as soon as one does not fit. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  skip(count: number): boolean {
    this.#at += count;
    return this.#at <= this.#bytes.length;
  }

  number(size: 1 | 2): number | null {
    const at = this.#at;
    return this.skip(size) ? this.#bytes.readUIntBE(at, size) : null;
  }

  vector(lengthSize: 1 | 2): Buffer | null {
    const length = this.number(lengthSize);
    if (length === null) return null;
    const at = this.#at;
    return this.skip(length) ? this.#bytes.subarray(at, at + length) : null;
  }
}

function parseBody(body: Buffer): ClientHello | null {
  const reader = new Reader(body);
  if (!reader.skip(2 + 32)) return null; // legacy_version, random
  if (reader.vector(1) === null) return null; // legacy_session_id
  if (reader.vector(2) === null) return null; // cipher_suites
  if (reader.vector(1) === null) return null; // legacy_compression_methods
  if (reader.done) return foreign; // before TLS 1.2 extensions were optional
  const list = reader.vector(2);
  if (list === null) return null;
  const extensions = new Reader(list);
  let alpn: readonly string[] = [];
  let serverName: string | null = null;
  while (!extensions.done) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (type === null || data === null) return null;
    if (type === extensionAlpn) alpn = parseAlpn(data);
    if (type === extensionServerName) serverName = parseServerName(data);
  }
  return { alpn, serverName };
}

/** ProtocolNameList, RFC 7301, 3.1. */
function parseAlpn(data: Buffer): readonly string[] {
  const list = new Reader(data).vector(2);
  if (list === null) return [];
  const reader = new Reader(list);
  const names: string[] = [];
  while (!reader.done) {
    const name = reader.vector(1);
    if (name === null) return [];
    names.push(name.toString('latin1'));
  }
  return names;
}

/** ServerNameList, RFC 6066, 3; only type 0 (host name) exists. */
function parseServerName(data: Buffer): string | null {
  const list = new Reader(data).vector(2);
  if (list === null) return null;
  const reader = new Reader(list);
  if (reader.number(1) !== 0) return null;
  const name = reader.vector(2)?.toString('latin1').toLowerCase() ?? '';
  return hostName.test(name) ? name : null;
}
