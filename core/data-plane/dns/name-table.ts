import { isIPv4, isIPv6 } from 'node:net';
import type { ServiceConfig } from '../../model/sidecar-config.ts';

/** Addresses of one name, as bytes of records. */
export type NameAddresses = readonly Buffer[];

/** Names that are answered here. */
export interface NameTable {
  readonly size: number;
  /** A lower-case name; exact ones before wildcards, of which the longest fits. `null`: none of ours. */
  find(name: string): NameAddresses | null;
}

/** Of a configuration; the first service that has a name keeps it. `*.example.com`: every name below `example.com`. */
export function compileNames(services: readonly ServiceConfig[]): NameTable {
  const exact = new Map<string, NameAddresses>();
  const below = new Map<string, NameAddresses>();
  for (const { dns = [] } of services) {
    for (const { hosts, addresses } of dns) {
      const bytes = addresses.map(toAddressBytes);
      for (const host of hosts) {
        const isWildcard = host.startsWith('*.');
        const table = isWildcard ? below : exact;
        const name = isWildcard ? host.slice(2) : host;
        if (!table.has(name)) table.set(name, bytes);
      }
    }
  }
  return {
    size: exact.size + below.size,
    find(name) {
      const known = exact.get(name);
      if (known !== undefined || below.size === 0) return known ?? null;
      for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
        const found = below.get(name.slice(dot + 1));
        if (found !== undefined) return found;
      }
      return null;
    },
  };
}

/** The 4 or 16 bytes of an address. Throws when the text is none. */
export function toAddressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) throw new Error(`'${address}' is no IP address`);
  // The URL parser writes an embedded IPv4 address as two groups.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [groups(head), tail === undefined ? [] : groups(tail)];
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  const bytes = Buffer.alloc(16);
  for (const [index, group] of all.entries()) bytes.writeUInt16BE(group, index * 2);
  return bytes;
}
