import { chmod, lstat, mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { MeshError } from '../contract/errors.ts';

/** A folder that only this user can enter; in a shared place somebody else could have made it first: PROJECT_UNWRITABLE. */
export async function makePrivateFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (process.platform === 'win32') return;
  const stat = await lstat(dir);
  if (!stat.isDirectory() || stat.uid !== userInfo().uid) {
    throw new MeshError('PROJECT_UNWRITABLE', `${dir} belongs to somebody else; remove it or set TMPDIR.`);
  }
  await chmod(dir, 0o700);
}
