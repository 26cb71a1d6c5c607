/**
 * Ports that two sidecars of one workload can listen on at the same time, so that a newer program takes over without a
 * connection refused or lost (Linux, SO_REUSEPORT: both have to run under the same user id).
 *
 *   group    the sockets that listen on one port, in the order in which they came
 *   steered  the group has a filter that gives each new connection to its second socket, the newcomer. With one socket
 *            alone the filter names nobody, and the kernel falls back to that one
 *
 * The older socket gets nothing new from that moment, so it can be closed without losing what the kernel had queued for it.
 */
import { createRequire } from 'node:module';
import { isIPv6, type ListenOptions, type Server } from 'node:net';

// asm-generic/socket.h, linux/in.h, linux/in6.h, linux/bpf_common.h
const solSocket = 1;
const soReusePort = 15;
const soReuseAddr = 2;
const soAttachReusePortCbpf = 51;
const ipprotoIpv6 = 41;
const ipv6Only = 26;
const afInet = 2;
const afInet6 = 10;
const sockStreamCloexecNonblock = 0o2004001;
const bpfReturnConstant = 0x06;
const newcomerIndex = 1;

/** What Node does not offer, straight from libc. */
export interface PortSharing {
  /** A bound socket of the group, for `server.listen({ fd })`. Throws with the system's error number. */
  bind(host: string, port: number): number;
  /** Lets a later socket join one that was bound for itself alone. Returns the error number, 0 for none. */
  allow(fd: number): number;
  /** Returns the error number, 0 for none. */
  steer(fd: number): number;
}

/** Throws where there is no libc of Linux, or no FFI library. */
export function loadPortSharing(): PortSharing {
  const require = createRequire(import.meta.url);
  const koffi = require('koffi') as typeof import('koffi').default;
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const close = libc.func('int close(int fd)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)');
  const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)');
  const filter = koffi.struct({ len: 'uint16_t', filter: 'const uint8_t *' });
  const attach = libc.func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(filter), 'uint32_t']);
  const flag = (fd: number, level: number, name: number, value: number) =>
    setsockopt(fd, level, name, Buffer.from(new Uint32Array([value]).buffer), 4);
  return {
    bind(host, port) {
      const isV6 = isIPv6(host);
      const fd: number = socket(isV6 ? afInet6 : afInet, sockStreamCloexecNonblock, 0);
      if (fd < 0) throw new Error(`no socket: error ${koffi.errno()}`);
      flag(fd, solSocket, soReuseAddr, 1);
      flag(fd, solSocket, soReusePort, 1);
      if (isV6) flag(fd, ipprotoIpv6, ipv6Only, 0);
      const address = toSockaddr(host, port);
      if (bind(fd, address, address.length) === 0) return fd;
      const code = koffi.errno();
      close(fd);
      throw Object.assign(new Error(`bind failed: error ${code}`), { code: codes[code] ?? 'EIO' });
    },
    allow: (fd) => (flag(fd, solSocket, soReusePort, 1) === 0 ? 0 : koffi.errno()),
    steer(fd) {
      const program = Buffer.alloc(8);
      program.set(new Uint8Array(new Uint16Array([bpfReturnConstant]).buffer));
      program.set(new Uint8Array(new Uint32Array([newcomerIndex]).buffer), 4);
      const size = koffi.sizeof(filter);
      return attach(fd, solSocket, soAttachReusePortCbpf, { len: 1, filter: program }, size) === 0 ? 0 : koffi.errno();
    },
  };
}

const codes: Readonly<Record<number, string>> = {
  13: 'EACCES',
  97: 'EAFNOSUPPORT',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
};

/** `struct sockaddr_in` or `sockaddr_in6`: the family is in host order, port and address in network order. */
function toSockaddr(host: string, port: number): Buffer {
  const isV6 = isIPv6(host);
  const bytes = Buffer.alloc(isV6 ? 28 : 16);
  bytes.set(new Uint8Array(new Uint16Array([isV6 ? afInet6 : afInet]).buffer));
  bytes.writeUInt16BE(port, 2);
  if (isV6) bytes.set(toIpv6Bytes(host), 8);
  else bytes.set(host.split('.').map(Number), 4);
  return bytes;
}

function toIpv6Bytes(host: string): Buffer {
  const bytes = Buffer.alloc(16);
  const [left = '', right = ''] = new URL(`http://[${host}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const after = groups(right);
  for (const [index, group] of groups(left).entries()) bytes.writeUInt16BE(group, index * 2);
  for (const [index, group] of after.entries()) bytes.writeUInt16BE(group, 16 - 2 * (after.length - index));
  return bytes;
}

/** Node binds such sockets itself from 22.12 and 23.1 on, on Linux. */
export function nodeSharesPorts(version = process.versions.node, platform: string = process.platform): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return platform === 'linux' && (major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12));
}

/** Options for `server.listen`. `sharing` null: the port can be shared only if Node can do it. */
export function toListenOptions(
  host: string,
  port: number,
  sharing: PortSharing | null,
): ListenOptions & { fd?: number } {
  if (nodeSharesPorts()) return { host, port, ...{ reusePort: true } };
  return sharing === null ? { host, port } : { fd: sharing.bind(host, port) };
}

/** The descriptor is only on the handle, which is not in Node's documented interface; `null` when there is none. */
export function descriptorOfServer(server: Server): number | null {
  const handle: unknown = Reflect.get(server, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : null;
  return typeof fd === 'number' && fd >= 0 ? fd : null;
}
