import { existsSync, readFileSync } from 'node:fs';
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

/** The default limits, with no more connections than there are files for: each may need a second one, upstream. */
export function limitsFor(openFiles: number | null): OverloadLimits {
  if (openFiles === null) return defaultLimits;
  const connections = Math.max(64, Math.floor((openFiles - reservedFiles) / 2));
  if (connections >= defaultLimits.connections) return defaultLimits;
  const share = defaultLimits.connectionsPerListener / defaultLimits.connections;
  return { ...defaultLimits, connections, connectionsPerListener: Math.floor(connections * share) };
}
