/**
 * `store/`: the project on disk. A project is a folder of YAML files that a person can read, edit and commit; what only
 * the running mesh needs is in its state folder `.meshdesk/` (CA, control socket, lock, what is attached), which is
 * private (0700) and ignores itself in Git. One control plane per project at a time.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { MeshError } from '../../contract/errors.ts';
import { makePrivateFolder } from '../private-folder.ts';

const stateFolder = '.meshdesk';
/** The shortest limit of a Unix socket's path (macOS: 104 bytes with the final zero). */
const maxSocketPathBytes = 103;

export interface Project {
  readonly dir: string;
  readonly name: string;
  readonly stateDir: string;
  /** Where the CLI finds the control plane. */
  readonly controlSocket: string;
}

/** Where projects live that were not given a folder; `MESHDESK_HOME` overrides the platform's place for data. */
function dataHome(env: NodeJS.ProcessEnv): string {
  if (env.MESHDESK_HOME) return resolve(env.MESHDESK_HOME);
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'meshdesk');
  if (process.platform === 'win32') return join(env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'meshdesk');
  return join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'meshdesk');
}

/** The project to use: the folder that was asked for, else the nearest folder upwards that is one, else the user's default. */
export function findProjectDir(asked: string | null, cwd: string, env: NodeJS.ProcessEnv = process.env): string {
  if (asked !== null) return resolve(cwd, asked);
  for (let dir = resolve(cwd); ; dir = dirname(dir)) {
    if (existsSync(join(dir, stateFolder))) return dir;
    if (dir === dirname(dir)) return join(dataHome(env), 'default');
  }
}

function controlSocketOf(stateDir: string): string {
  const hash = createHash('sha256').update(stateDir).digest('hex').slice(0, 16);
  if (process.platform === 'win32') return `\\\\.\\pipe\\meshdesk-${hash}`;
  const path = join(stateDir, 'control.sock');
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return path;
  return join(tmpdir(), `meshdesk-${userInfo().uid}`, `${hash}.sock`);
}

/** Paths of a project; touches nothing. */
export function toProject(dir: string): Project {
  const stateDir = join(dir, stateFolder);
  return { dir, name: basename(dir), stateDir, controlSocket: controlSocketOf(stateDir) };
}

/** Makes the project's folders. Rejects with PROJECT_UNWRITABLE. */
export async function prepareProject(project: Project): Promise<void> {
  try {
    await mkdir(project.dir, { recursive: true });
    await mkdir(project.stateDir, { recursive: true, mode: 0o700 });
    await chmod(project.stateDir, 0o700);
    await writeFile(join(project.stateDir, '.gitignore'), '*\n');
  } catch (error) {
    const message = `Cannot write to ${project.dir}: ${(error as Error).message}`;
    throw new MeshError('PROJECT_UNWRITABLE', message, { cause: error });
  }
  if (process.platform !== 'win32') await prepareSocketFolder(dirname(project.controlSocket));
}

/** It is the temporary folder's for a project that lies too deep for a socket of its own. */
async function prepareSocketFolder(dir: string): Promise<void> {
  try {
    await makePrivateFolder(dir);
  } catch (error) {
    if (error instanceof MeshError) throw error;
    const message = `The control socket needs a place in ${dir}: ${(error as Error).message}. Choose a shorter path for the project, or set TMPDIR.`;
    throw new MeshError('PROJECT_UNWRITABLE', message, { cause: error });
  }
}
