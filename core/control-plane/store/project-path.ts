/** Which paths of a project may be written on somebody's word: its YAML files, where the project is looked through for them. */
import { lstat, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { MeshError } from '../../contract/errors.ts';

/** A project folder may be a whole repository: look this deep. */
export const maxDepth = 4;
export const skippedFolders: ReadonlySet<string> = new Set(['node_modules', 'dist', 'build', 'vendor', 'target']);
/** A folder with this file is an export of the mesh, not configuration for it. */
export const exportManifest = '.meshdesk-export.json';

export const isYamlName = (name: string): boolean => /\.ya?ml$/.test(name);

/** A name that every platform takes, visible, and no way out of the folder. */
function isPlainName(name: string): boolean {
  const isPrintable = [...name].every((character) => character >= ' ' && !'\\/:*?"<>|\u007f'.includes(character));
  return isPrintable && name !== '' && !name.startsWith('.') && !/[ .]$/.test(name) && name.length <= 200;
}

/** Why a path cannot be a configuration file of a project; `null` when it can. Looks at the path only. */
export function pathProblem(path: string): string | null {
  const parts = path.split('/');
  if (!parts.every(isPlainName)) return 'must be relative to the project, with plain names and "/" between them';
  if (!isYamlName(path)) return 'must end in .yaml or .yml';
  if (parts.length > maxDepth) return `lies too deep: folders are looked through ${maxDepth - 1} deep`;
  const skipped = parts.slice(0, -1).find((part) => skippedFolders.has(part));
  return skipped === undefined ? null : `is in a folder that is left out (${skipped})`;
}

function refuse(path: string, message: string): never {
  throw new MeshError('BAD_REQUEST', `"${path}" ${message}.`, { issues: [{ path: 'path', message }] });
}

/**
 * Rejects with BAD_REQUEST unless `path` is, or may become, a plain YAML file inside of the project folder: no way out
 * by `..`, an absolute path, or a link.
 */
export async function requireProjectFile(root: string, path: string): Promise<void> {
  const problem = pathProblem(path);
  if (problem !== null) refuse(path, problem);
  const home = await realpath(root);
  const folders = path.split('/').slice(0, -1);
  for (let length = 0; length <= folders.length; length += 1) {
    const folder = join(root, ...folders.slice(0, length));
    const real = await realpath(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      if (error.code === 'ENOTDIR') return refuse(path, 'goes through something that is not a folder');
      throw error;
    });
    if (real === null) return;
    if (real !== home && !real.startsWith(home + sep)) refuse(path, 'is outside of the project');
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR') return refuse(path, 'goes through something that is not a folder');
      throw error;
    });
    if (names.includes(exportManifest)) refuse(path, 'is in an export, which is not configuration of the project');
  }
  const info = await lstat(join(root, path)).catch(() => null);
  if (info !== null && !info.isFile()) refuse(path, 'is not a plain file');
}
