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
