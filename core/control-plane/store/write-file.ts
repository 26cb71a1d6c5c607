import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../../contract/errors.ts';

let count = 0;

/** All or nothing: a new file takes the old one's place once it is on disk. Rejects with PROJECT_UNWRITABLE. */
export async function writeWhole(path: string, text: string): Promise<void> {
  count += 1;
  const temporary = join(dirname(path), `.${process.pid}.${Date.now()}.${count}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(temporary, 'w');
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new MeshError('PROJECT_UNWRITABLE', `Cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** `null`: there is no such file. */
export function readWhole(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
}
