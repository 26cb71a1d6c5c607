import { realpathSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';

/**
 * Where a file is that a resource names: in the project's folder, an absolute path (`/etc/certs/ca.pem`, as it is in a
 * production proxy) below it. `null`: it leads out of the folder, also by a link. It need not be there.
 */
export function pathInProject(dir: string, name: string): string | null {
  const path = resolve(dir, isAbsolute(name) ? `.${name}` : name);
  try {
    const real = realpathSync(path);
    return isBelow(realpathSync(dir), real) ? real : null;
  } catch {
    // It is not there yet.
    return isBelow(resolve(dir), path) ? join(dir, relative(dir, path)) : null;
  }
}

function isBelow(dir: string, path: string): boolean {
  const inside = relative(dir, path);
  return inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
}
