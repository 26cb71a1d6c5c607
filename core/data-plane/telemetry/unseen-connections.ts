import { createReadStream } from 'node:fs';
import type { ListenerConfig } from '../../model/sidecar-config.ts';

/** What tells this sidecar's sockets from the application's. */
export interface OwnSockets {
  readonly uid: number;
  readonly outboundPort: number;
  readonly inboundPort: number;
}

/** Local and remote end, and user, of a connection that is established (state 01). */
const establishedRow = /^\s*\d+: ([0-9A-F]+:[0-9A-F]{4}) ([0-9A-F]+:[0-9A-F]{4}) 01(?: +\S+){3} +(\d+) /i;

/**
 * Counts established connections of the namespace that do not pass the sidecar: those opened before the redirect rules
 * came. Takes the contents of /proc/net/tcp and tcp6, which may be large, in pieces of any size.
 *
 * A redirected outbound connection looks, in the application's row, as if it led to its original destination; but the
 * sidecar has a row on its outbound port whose remote end is the application's local one.
 */
export class UnseenCount {
  readonly #own: OwnSockets;
  /** Local ends of applications that the sidecar has at its outbound port. */
  readonly #seen = new Set<string>();
  readonly #candidates: string[] = [];
  #line = '';

  constructor(own: OwnSockets) {
    this.#own = own;
  }

  take(piece: string): void {
    const lines = `${this.#line}${piece}`.split('\n');
    this.#line = lines.pop() ?? '';
    for (const line of lines) this.#row(line);
  }

  get count(): number {
    let count = 0;
    for (const local of this.#candidates) if (!this.#seen.has(local)) count += 1;
    return count;
  }

  #row(line: string): void {
    const [, localText, remoteText, uid] = establishedRow.exec(line) ?? [];
    if (localText === undefined || remoteText === undefined) return;
    const { uid: ownUid, outboundPort, inboundPort } = this.#own;
    const local = toEnd(localText);
    const remote = toEnd(remoteText);
    if (local.port === outboundPort) this.#seen.add(`${remote.address}:${remote.port}`);
    if (Number(uid) === ownUid || local.port === outboundPort || local.port === inboundPort) return;
    // Both ends in this namespace: loopback, or the sidecar's connection to the application on its own address.
    if (isLoopback(remote.address) || local.address === remote.address) return;
    this.#candidates.push(`${local.address}:${local.port}`);
  }
}

/** The count as of the last refresh, so that a report need not wait for the kernel's tables. */
export class UnseenConnections {
  readonly #listeners: () => ListenerConfig | null;
  #latest: number | null = null;
  #isReading = false;
  /** Calls of `refresh` to let pass: the tables of thousands of connections take milliseconds to read. */
  #pause = 0;

  constructor(listeners: () => ListenerConfig | null) {
    this.#listeners = listeners;
  }

  /** `null`: unknown yet, no /proc, or no traffic is redirected here. */
  get latest(): number | null {
    return this.#latest;
  }

  /** Reads the tables anew, in the background. */
  refresh(): void {
    const listeners = this.#listeners();
    if (listeners?.kind !== 'transparent') {
      this.#latest = null;
      return;
    }
    if (this.#isReading) return;
    if (this.#pause > 0) {
      this.#pause -= 1;
      return;
    }
    this.#isReading = true;
    void readTables({ ...listeners, uid: process.getuid?.() ?? -1 }).then((read) => {
      this.#pause = read === null ? 0 : pauseAfter(read.size);
      this.#latest = read === null ? null : read.count;
      this.#isReading = false;
    });
  }
}

/** Refreshes to leave out after tables of this size, in characters: some 850 connections cost one, at most a minute's. */
export function pauseAfter(size: number): number {
  return Math.min(60, Math.floor(size / (128 * 1024)));
}

/** `null`: this is no Linux, or /proc is hidden. */
async function readTables(own: OwnSockets): Promise<{ count: number; size: number } | null> {
  const unseen = new UnseenCount(own);
  const tcp = await readTable('tcp', unseen);
  if (tcp === null) return null;
  // Without IPv6 there is no tcp6.
  const tcp6 = (await readTable('tcp6', unseen)) ?? 0;
  return { count: unseen.count, size: tcp + tcp6 };
}

/** Resolves with its size in characters; `null`: it cannot be read. */
async function readTable(name: string, unseen: UnseenCount): Promise<number | null> {
  let size = 0;
  try {
    for await (const piece of createReadStream(`/proc/self/net/${name}`, { encoding: 'latin1' })) {
      unseen.take(String(piece));
      size += String(piece).length;
    }
    return size;
  } catch {
    return null; // not this system, or not to be seen
  }
}

/** `0100007F:3A99` -> address as hex in the kernel's byte order, v4-mapped ones as IPv4, and the port. */
function toEnd(text: string): { address: string; port: number } {
  const [address = '', port = '0'] = text.split(':');
  const mapped = /^0{16}F{4}0{4}([0-9A-F]{8})$|^0{16}0000FFFF([0-9A-F]{8})$/i.exec(address);
  return { address: mapped?.[1] ?? mapped?.[2] ?? address, port: Number.parseInt(port, 16) };
}

function isLoopback(address: string): boolean {
  // 127.x.x.x is `xxxxxx7F` on little-endian machines and `7Fxxxxxx` on others; ::1 likewise.
  if (address.length === 8) return littleEndian ? address.endsWith('7F') : address.startsWith('7F');
  return /^0{24}(01000000|00000001)$/.test(address);
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
