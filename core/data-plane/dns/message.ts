/**
 * `dns/`: names of the mesh that no DNS server knows (docs/dns.md). The redirect rules bring what the application asks its
 * resolvers; what the configuration has an answer for is answered here, everything else goes to the resolver that was
 * meant and comes back as it is.
 *
 *   message          the part of RFC 1035 and RFC 6891 that answering addresses needs
 *   name-table       names of the configuration -> addresses
 *   datagram-relay   UDP to the resolvers and back
 *   stream-relay     one TCP connection of an application, and the one to its resolver
 *   dns-server       what to do with a message: a fault, an answer, or on to the resolver
 *
 * It keeps no cache and resolves nothing recursively. What it cannot read is not its own: it is passed on untouched.
 */

/** A question for one name, as clients ask it. */
export interface DnsQuery {
  readonly id: number;
  /** Lower-case, without the dot at the end. */
  readonly name: string;
  readonly type: number;
  /** Where the question ends in the message. */
  readonly questionEnd: number;
  /** Largest datagram the client takes (RFC 6891); `null`: it said nothing, 512 bytes (RFC 1035). */
  readonly udpBytes: number | null;
}

export const recordType = { a: 1, aaaa: 28, any: 255 } as const;
export const responseCode = { noError: 0, serverFailure: 2, nameError: 3 } as const;

export const headerBytes = 12;
const classIn = 1;
const classAny = 255;
const typeOpt = 41;
const maxNameBytes = 255;
/** What we take ourselves, said in answers: no fragmentation on any usual path (DNS flag day 2020). */
const ownUdpBytes = 1_232;
const plainUdpBytes = 512;
const namePointer = 0xc000 | headerBytes;

// RFC 1035 4.1.1
const isResponse = 0x8000;
const opcodeMask = 0x7800;
const authoritative = 0x0400;
const truncated = 0x0200;
const recursionDesired = 0x0100;
const recursionAvailable = 0x0080;
const checkingDisabled = 0x0010;

/** `null`: not a plain question for one name of the Internet class; never throws, whatever the bytes are. */
export function parseQuery(message: Buffer): DnsQuery | null {
  if (message.length < headerBytes) return null;
  const flags = message.readUInt16BE(2);
  if ((flags & (isResponse | opcodeMask | truncated)) !== 0) return null;
  if (message.readUInt16BE(4) !== 1 || message.readUInt16BE(6) !== 0 || message.readUInt16BE(8) !== 0) return null;
  const name = readName(message, headerBytes);
  if (name === null || name.end + 4 > message.length) return null;
  const type = message.readUInt16BE(name.end);
  const wantedClass = message.readUInt16BE(name.end + 2);
  if (wantedClass !== classIn && wantedClass !== classAny) return null;
  const questionEnd = name.end + 4;
  const additional = readAdditional(message, questionEnd);
  if (additional === null) return null;
  return { id: message.readUInt16BE(0), name: name.text, type, questionEnd, udpBytes: additional.udpBytes };
}

/** A name without compression, which a question has no use for; `null`: broken, or not one that a host can have. */
function readName(message: Buffer, start: number): { readonly text: string; readonly end: number } | null {
  let text = '';
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63) return null;
    at += 1;
    if (length === 0) return at - start > maxNameBytes ? null : { text, end: at };
    if (at + length > message.length) return null;
    const label = message.toString('latin1', at, at + length);
    if (!/^[\x21-\x2d\x2f-\x7e]+$/.test(label)) return null;
    text += (text === '' ? '' : '.') + label.toLowerCase();
    at += length;
  }
}

/** Walks over the records after the question, to find what the client says of datagrams. */
function readAdditional(message: Buffer, start: number): { readonly udpBytes: number | null } | null {
  let udpBytes: number | null = null;
  let at = start;
  for (let left = message.readUInt16BE(10); left > 0; left -= 1) {
    const name = readName(message, at);
    if (name === null || name.end + 10 > message.length) return null;
    if (message.readUInt16BE(name.end) === typeOpt) udpBytes = message.readUInt16BE(name.end + 2);
    at = name.end + 10 + message.readUInt16BE(name.end + 8);
    if (at > message.length) return null;
  }
  return { udpBytes };
}

export interface Answer {
  /** 4 or 16 bytes each; of another length than the question asks for: left out. */
  readonly addresses: readonly Buffer[];
  readonly ttlSeconds: number;
  readonly code: number;
}

/** Largest answer in bytes: what the client takes in a datagram, or anything over TCP. */
export function answerLimit({ udpBytes }: DnsQuery, transport: 'udp' | 'tcp'): number {
  return transport === 'tcp' ? 65_535 : Math.max(plainUdpBytes, udpBytes ?? plainUdpBytes);
}

/** An answer to a message that `parseQuery` understood. What does not fit is left out, and the message says so. */
export function createAnswer(message: Buffer, query: DnsQuery, answer: Answer, limitBytes: number): Buffer {
  const question = message.subarray(headerBytes, query.questionEnd);
  const optBytes = query.udpBytes === null ? 0 : 11;
  const wanted = answer.addresses.filter(({ length }) => fits(query.type, length));
  const room = limitBytes - query.questionEnd - optBytes;
  const records: Buffer[] = [];
  let used = 0;
  for (const address of wanted) {
    used += 12 + address.length;
    if (used > room) break;
    records.push(toRecord(address, answer.ttlSeconds));
  }
  const asked = message.readUInt16BE(2);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(query.id, 0);
  const cut = records.length < wanted.length ? truncated : 0;
  const kept = asked & (recursionDesired | checkingDisabled);
  header.writeUInt16BE(isResponse | authoritative | recursionAvailable | cut | kept | answer.code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt16BE(optBytes === 0 ? 0 : 1, 10);
  return Buffer.concat([header, question, ...records, ...(optBytes === 0 ? [] : [toOpt()])]);
}

function fits(type: number, addressBytes: number): boolean {
  if (type === recordType.any) return true;
  return type === (addressBytes === 4 ? recordType.a : recordType.aaaa);
}

function toRecord(address: Buffer, ttlSeconds: number): Buffer {
  const record = Buffer.alloc(12 + address.length);
  record.writeUInt16BE(namePointer, 0);
  record.writeUInt16BE(address.length === 4 ? recordType.a : recordType.aaaa, 2);
  record.writeUInt16BE(classIn, 4);
  record.writeUInt32BE(ttlSeconds, 6);
  record.writeUInt16BE(address.length, 10);
  address.copy(record, 12);
  return record;
}

function toOpt(): Buffer {
  const record = Buffer.alloc(11);
  record.writeUInt16BE(typeOpt, 1);
  record.writeUInt16BE(ownUdpBytes, 3);
  return record;
}

/** Response code of an answer; `null`: it is no answer. */
export function codeOf(message: Buffer): number | null {
  if (message.length < headerBytes) return null;
  const flags = message.readUInt16BE(2);
  return (flags & isResponse) === 0 ? null : flags & 0x000f;
}

/**
 * Whether `reply` answers `asked`: the same question, or none at all (errors). Letter case plays no part. The ids are
 * compared by whoever gave them out.
 */
export function isReplyTo(reply: Buffer, asked: Buffer): boolean {
  if (codeOf(reply) === null || asked.length < headerBytes) return false;
  const questions = reply.readUInt16BE(4);
  if (questions === 0) return true;
  if (questions !== asked.readUInt16BE(4)) return false;
  const end = skipQuestion(asked);
  // What cannot be read has been passed on all the same: then the id alone decides.
  if (end === null) return true;
  return (
    reply.length >= end &&
    reply.toString('latin1', headerBytes, end).toLowerCase() ===
      asked.toString('latin1', headerBytes, end).toLowerCase()
  );
}

function skipQuestion(message: Buffer): number | null {
  let at = headerBytes;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63) return null;
    at += 1 + length;
    if (length === 0) return at + 4 <= message.length ? at + 4 : null;
  }
}
