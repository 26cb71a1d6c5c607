import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../../contract/errors.ts';

let count = 0;

/** All or nothing: a new file takes the old one's place, with its permissions, once it is on disk. Rejects with PROJECT_UNWRITABLE. */
export async function writeWhole(path: string, text: string): Promise<void> {
  count += 1;
  const temporary = join(dirname(path), `.${process.pid}.${Date.now()}.${count}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const mode = await modeOf(path);
    const handle = await open(temporary, 'w');
    try {
      if (mode !== null) await handle.chmod(mode);
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new MeshError('PROJECT_UNWRITABLE', `Cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** `null`: there is no file yet. */
async function modeOf(path: string): Promise<number | null> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return info === null ? null : info.mode & 0o777;
}

/** `null`: there is no such file. */
export function readWhole(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
}
