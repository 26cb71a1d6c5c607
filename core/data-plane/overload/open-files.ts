import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { defaultLimits, type OverloadLimits } from './overload.ts';

/** Kept for everything that is not a connection: the control stream, listeners, files, libraries. */
const reservedFiles = 256;

/** How many files this process may have open; `null` where the system does not tell. Node has raised it as far as it may. */
export function openFilesLimit(): number | null {
  const path = '/proc/self/limits';
  if (!existsSync(path)) return null;
  const found = /^Max open files\s+(\d+)/m.exec(readFileSync(path, 'latin1'))?.[1];
  return found === undefined ? null : Number(found);
}

/** How many it has open now; 0 where the system does not tell. */
export function countOpenFiles(): number {
  const path = '/proc/self/fd';
  return existsSync(path) ? readdirSync(path).length : 0;
}

/** So much of the limit is used: what is opened between two readings has to fit into the rest. */
const usableShare = 0.9;

/**
 * The default limits, with no more connections than there are files for. A connection may need a second file, upstream, or
 * may not (many clients of HTTP share a few): where the files could run out they are counted.
 */
export function limitsFor(openFiles: number | null): OverloadLimits {
  if (openFiles === null) return defaultLimits;
  const usable = Math.max(64, Math.floor(openFiles * usableShare) - reservedFiles);
  if (usable >= 2 * defaultLimits.connections) return defaultLimits;
  const connections = Math.min(usable, defaultLimits.connections);
  const share = defaultLimits.connectionsPerListener / defaultLimits.connections;
  return { ...defaultLimits, connections, connectionsPerListener: Math.floor(connections * share), openFiles: usable };
}
