import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { makePrivateFolder } from '../../private-folder.ts';

/**
 * A folder for control sockets that only this user can enter. Sockets need short paths (macOS: 104 bytes), so it is in
 * the system's temporary folder. @param owner a path that is the project's own: a later run finds the folder again and
 * empties it; `null`: a folder of its own every time
 */
export async function makeSocketFolder(owner: string | null): Promise<string> {
  if (owner === null) return mkdtemp(join(tmpdir(), 'meshdesk-'));
  const shared = join(tmpdir(), `meshdesk-${userInfo().username.replaceAll(/\W/g, '_')}`);
  await makePrivateFolder(shared);
  const dir = join(shared, createHash('sha256').update(owner).digest('hex').slice(0, 12));
  await rm(dir, { recursive: true, force: true });
  await makePrivateFolder(dir);
  return dir;
}
