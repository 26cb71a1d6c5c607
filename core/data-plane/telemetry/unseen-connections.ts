import { readFile } from 'node:fs/promises';
import type { ListenerConfig } from '../../model/sidecar-config.ts';

/** What tells this sidecar's sockets from the application's. */
export interface OwnSockets {
  readonly uid: number;
  readonly outboundPort: number;
  readonly inboundPort: number;
}

interface SocketRow {
  readonly local: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remoteAddress: string;
  readonly uid: number;
}

const established = '01';

/**
 * Established connections of the namespace that do not pass the sidecar: those opened before the redirect rules came.
 * `tables` are the contents of /proc/net/tcp and tcp6.
 *
 * A redirected outbound connection looks, in the application's row, as if it led to its original destination; but the
 * sidecar has a row on its outbound port whose remote end is the application's local one.
 */
export function countUnseen(tables: readonly string[], own: OwnSockets): number {
  const rows = tables.flatMap((table) => parseTable(table));
  const seen = new Set<string>();
  for (const row of rows) if (row.localPort === own.outboundPort) seen.add(row.remote);
  let count = 0;
  for (const row of rows) {
    if (row.uid === own.uid || row.localPort === own.outboundPort || row.localPort === own.inboundPort) continue;
    // Both ends in this namespace: loopback, or the sidecar's connection to the application on its own address.
    if (isLoopback(row.remoteAddress) || row.localAddress === row.remoteAddress) continue;
    if (!seen.has(row.local)) count += 1;
  }
  return count;
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
    void readTables().then((tables) => {
      const size = tables.reduce((sum, table) => sum + table.length, 0);
      this.#pause = pauseAfter(size);
      this.#latest = tables.length === 0 ? null : countUnseen(tables, { ...listeners, uid: process.getuid?.() ?? -1 });
      this.#isReading = false;
    });
  }
}

/** Refreshes to leave out after tables of this size, in characters: some 850 connections cost one, at most a minute's. */
export function pauseAfter(size: number): number {
  return Math.min(60, Math.floor(size / (128 * 1024)));
}

/** Empty: this is no Linux, or /proc is hidden. */
async function readTables(): Promise<string[]> {
  const read = (name: string) => readFile(`/proc/self/net/${name}`, 'latin1').catch(() => null);
  const tcp = await read('tcp');
  if (tcp === null) return [];
  // Without IPv6 there is no tcp6.
  const tcp6 = await read('tcp6');
  return tcp6 === null ? [tcp] : [tcp, tcp6];
}

function parseTable(table: string): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const line of table.split('\n')) {
    const [, local, remote, state, , , , uid] = line.trim().split(/\s+/);
    if (state !== established || local === undefined || remote === undefined) continue;
    const at = toEnd(local);
    const to = toEnd(remote);
    rows.push({
      local: `${at.address}:${at.port}`,
      localAddress: at.address,
      localPort: at.port,
      remote: `${to.address}:${to.port}`,
      remoteAddress: to.address,
      uid: Number(uid),
    });
  }
  return rows;
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
