import { execFileSync } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';

const systemDirs = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Path of an executable in PATH or the system's folders; `null` when there is none. */
export function findInPath(name: string, env: NodeJS.ProcessEnv = process.env): string | null {
  for (const dir of [...(env['PATH'] ?? '').split(delimiter), ...systemDirs]) {
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not here: the next folder
    }
  }
  return null;
}

/** A real Node binary: this process's own unless it is Electron. `null` when none is installed. */
export function findNode(): string | null {
  const own = process.versions['electron'] === undefined && basename(process.execPath).startsWith('node');
  const found = own ? process.execPath : findInPath('node');
  return found === null ? null : realpathSync(found);
}

/** The oldest Node that runs the sidecar: the one inside the oldest Electron that is supported. */
const oldestNode = [20, 18] as const;

function isRecent(node: string): boolean {
  try {
    const [major = 0, minor = 0] = execFileSync(node, ['-p', 'process.versions.node'], {
      encoding: 'utf8',
      timeout: 5_000,
    })
      .trim()
      .split('.')
      .map(Number);
    return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  } catch {
    return false; // not a Node that runs
  }
}

export interface NodeProgram {
  readonly path: string;
  /** To be added to the environment of the process. */
  readonly env: Readonly<Record<string, string>>;
}

let chosen: NodeProgram | null = null;

/**
 * What runs our child programs: Node. Inside Electron a Node that is installed on the machine, because Electron's own binary
 * takes half as much memory again; where there is none, that binary as Node.
 */
export function nodeProgram(): NodeProgram {
  chosen ??= chooseNode();
  return chosen;
}

function chooseNode(): NodeProgram {
  if (process.versions['electron'] === undefined) return { path: process.execPath, env: {} };
  const installed = findNode();
  if (installed !== null && isRecent(installed)) return { path: installed, env: {} };
  return { path: process.execPath, env: { ELECTRON_RUN_AS_NODE: '1' } };
}
