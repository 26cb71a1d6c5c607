import { createRequire } from 'node:module';
import { isIPv6, type Socket } from 'node:net';
import type { Address } from '../connection.ts';

/** Finds where a redirected client wanted to go; `null` when the kernel knows nothing (it was not redirected). */
export type OriginalDestinationLookup = (socket: Socket) => Address | null;

// linux/in.h, linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h
const ipprotoIp = 0;
const ipprotoIpv6 = 41;
const soOriginalDst = 80;
const afInet = 2;
const afInet6 = 10;
const sockaddrIn6Bytes = 28;

/** Node gives no access to getsockopt, so libc is called through an FFI library, loaded only where it is needed. */
export function loadOriginalDestinationLookup(): OriginalDestinationLookup {
  const require = createRequire(import.meta.url);
  const koffi = require('koffi') as typeof import('koffi').default;
  const getsockopt = koffi
    .load(null)
    .func('int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)');
  const value = Buffer.alloc(sockaddrIn6Bytes);
  const length = new Uint32Array(1);
  const ask = (fd: number, level: number): Address | null => {
    length[0] = value.length;
    return getsockopt(fd, level, soOriginalDst, value, length) === 0 ? toAddress(value) : null;
  };
  return (socket) => {
    const fd = descriptorOf(socket);
    if (fd === null) return null;
    // IPv4 on a dual-stack socket is asked for at the IPv4 level although the socket is an IPv6 one.
    const isV6 = isIPv6(socket.localAddress ?? '') && !(socket.localAddress ?? '').startsWith('::ffff:');
    return ask(fd, isV6 ? ipprotoIpv6 : ipprotoIp);
  };
}

/** `struct sockaddr_in` or `sockaddr_in6`: the family is in host order, port and address in network order. */
export function toAddress(sockaddr: Buffer): Address | null {
  const family = new Uint16Array(new Uint8Array(sockaddr.subarray(0, 2)).buffer)[0];
  const port = sockaddr.readUInt16BE(2);
  if (family === afInet) return { host: [...sockaddr.subarray(4, 8)].join('.'), port };
  if (family !== afInet6) return null;
  const groups: string[] = [];
  for (let at = 8; at < 24; at += 2) groups.push(sockaddr.readUInt16BE(at).toString(16));
  return { host: normalizeIp(groups.join(':')), port };
}

/** One text per address: IPv4 for v4-mapped ones, the short form (RFC 5952) for IPv6. */
export function normalizeIp(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  return isIPv6(ip) ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;
}

/** The socket's file descriptor. It is only on the handle, which is not in Node's documented interface. */
function descriptorOf(socket: Socket): number | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return null;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : null;
}
