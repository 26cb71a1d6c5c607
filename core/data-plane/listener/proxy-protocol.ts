/**
 * The PROXY protocol, versions 1 (text) and 2 (binary): one header in front of a connection that says where it really
 * comes from. Source: HAProxy, doc/proxy-protocol.txt. Strict, because who can write the header chooses the address that
 * rules and logs will see: one spelling per address and number, nothing left over, lengths bounded. Pure.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { Address } from '../connection.ts';
import { crc32c } from './crc32c.ts';

export type ProxyVersion = 'v1' | 'v2';

/** Nobody was proxied (`LOCAL`, a health check of the proxy itself) or the address is of another kind: `source` is null. */
export interface ProxyHeader {
  readonly source: Address | null;
  readonly destination: Address | null;
  /** Bytes of the header; the connection's content begins after them. */
  readonly length: number;
}

/** `more`: undecided. `absent`: these bytes begin no header. */
export type ProxyHeaderResult = 'more' | 'absent' | { readonly error: string } | ProxyHeader;

/** Of a version 2 header with all its extensions; the longest that is seen in practice is some 500 bytes. */
export const maxProxyHeaderBytes = 4_096;
/** Version 1, with CRLF. */
const maxV1Bytes = 107;
const v1Start = Buffer.from('PROXY ', 'latin1');
const v2Start = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const v2HeadBytes = 16;
const tlvCrc32c = 0x03;

/** `head`: the first bytes of a connection, as many as have arrived. */
export function parseProxyHeader(head: Buffer): ProxyHeaderResult {
  if (head.length === 0) return 'more';
  if (isPrefix(head, v2Start)) return head.length < v2HeadBytes ? 'more' : parseV2(head);
  if (isPrefix(head, v1Start)) return head.length < v1Start.length ? 'more' : parseV1(head);
  return 'absent';
}

/** The header for a connection from `source` to `destination`, both IP addresses; of one family, else both are given as IPv6. */
export function toProxyHeader(version: ProxyVersion, source: Address, destination: Address): Buffer {
  const isV4 = isIPv4(source.host) && isIPv4(destination.host);
  const from = isV4 ? source.host : toV6(source.host);
  const to = isV4 ? destination.host : toV6(destination.host);
  if (version === 'v1') {
    const family = isV4 ? 'TCP4' : 'TCP6';
    return Buffer.from(`PROXY ${family} ${from} ${to} ${source.port} ${destination.port}\r\n`, 'latin1');
  }
  const addresses = [...ipBytes(from), ...ipBytes(to)];
  const header = Buffer.alloc(v2HeadBytes + addresses.length + 4);
  v2Start.copy(header);
  header[12] = 0x21;
  header[13] = isV4 ? 0x11 : 0x21;
  header.writeUInt16BE(addresses.length + 4, 14);
  header.set(addresses, v2HeadBytes);
  header.writeUInt16BE(source.port, v2HeadBytes + addresses.length);
  header.writeUInt16BE(destination.port, v2HeadBytes + addresses.length + 2);
  return header;
}

function isPrefix(head: Buffer, start: Buffer): boolean {
  const length = Math.min(head.length, start.length);
  return head.compare(start, 0, length, 0, length) === 0;
}

function parseV1(head: Buffer): ProxyHeaderResult {
  const end = head.subarray(0, maxV1Bytes).indexOf('\r\n', 0, 'latin1');
  if (end < 0) {
    const isLost = head.length >= maxV1Bytes || head.subarray(0, -1).includes(0x0d) || head.includes(0x0a);
    return isLost ? { error: `no CRLF within ${maxV1Bytes} bytes` } : 'more';
  }
  const line = head.toString('latin1', v1Start.length, end);
  const length = end + 2;
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return { source: null, destination: null, length };
  const [family, from = '', to = '', fromPort = '', toPort = '', ...rest] = line.split(' ');
  if (family !== 'TCP4' && family !== 'TCP6') return { error: 'neither TCP4, TCP6 nor UNKNOWN' };
  const isIp = family === 'TCP4' ? isIPv4 : isPlainIpv6;
  if (rest.length > 0 || !isIp(from) || !isIp(to)) return { error: `not two ${family} addresses and two ports` };
  const source = toAddress(from, fromPort);
  const destination = toAddress(to, toPort);
  if (source === null || destination === null) return { error: 'a port that is none' };
  return { source, destination, length };
}

function toAddress(host: string, port: string): Address | null {
  const isNumber = /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65_535;
  return isNumber ? { host: toHost(host), port: Number(port) } : null;
}

/** No zone (`fe80::1%eth0`): it names an interface of another machine. */
function isPlainIpv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function parseV2(head: Buffer): ProxyHeaderResult {
  const length = v2HeadBytes + head.readUInt16BE(14);
  const versionAndCommand = head[12] ?? 0;
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) return { error: 'unknown version or command' };
  if (length > maxProxyHeaderBytes) return { error: `longer than ${maxProxyHeaderBytes} bytes` };
  if (head.length < length) return 'more';
  const header = head.subarray(0, length);
  const family = head[13] ?? 0;
  const addressBytes = { 17: 4, 33: 16 }[family];
  if (versionAndCommand === 0x20 || addressBytes === undefined) {
    // Unix sockets and datagrams are no connection of ours; the protocol asks to go on without an address.
    return { source: null, destination: null, length };
  }
  const extensions = v2HeadBytes + 2 * addressBytes + 4;
  if (length < extensions) return { error: 'too short for its addresses' };
  const error = checkExtensions(header, extensions);
  if (error !== null) return { error };
  const portsAt = v2HeadBytes + 2 * addressBytes;
  const at = (index: number) =>
    toIp(header.subarray(v2HeadBytes + index * addressBytes, v2HeadBytes + (index + 1) * addressBytes));
  return {
    source: { host: at(0), port: header.readUInt16BE(portsAt) },
    destination: { host: at(1), port: header.readUInt16BE(portsAt + 2) },
    length,
  };
}

/** Type, length, value; they must fill the header exactly. A checksum that is there has to be right. */
function checkExtensions(header: Buffer, start: number): string | null {
  for (let at = start; at < header.length; ) {
    if (at + 3 > header.length) return 'an extension is cut off';
    const size = header.readUInt16BE(at + 1);
    if (at + 3 + size > header.length) return 'an extension is cut off';
    if (header[at] === tlvCrc32c) {
      if (size !== 4) return 'a checksum that is not of 4 bytes';
      const blank = Buffer.from(header);
      blank.fill(0, at + 3, at + 7);
      if (crc32c(blank) !== header.readUInt32BE(at + 3)) return 'the checksum is wrong';
    }
    at += 3 + size;
  }
  return null;
}

function toIp(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return toHost(groups.join(':'));
}

/** One text per address: the short form of IPv6 (RFC 5952), IPv4 for v4-mapped ones. */
function toHost(ip: string): string {
  if (isIPv4(ip)) return ip;
  const short = new URL(`http://[${ip}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return bits.flatMap((group) => [group >> 8, group & 0xff]).join('.');
}

function toV6(ip: string): string {
  return isIPv4(ip) ? `::ffff:${ip}` : ip;
}

function ipBytes(ip: string): number[] {
  if (isIPv4(ip)) return ip.split('.').map(Number);
  const full = new URL(`http://[${ip}]`).hostname.slice(1, -1);
  const [left = '', right] = full.split('::');
  const toGroups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const before = toGroups(left);
  const after = right === undefined ? [] : toGroups(right);
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}
