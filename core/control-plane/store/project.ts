/**
 * `store/`: the project on disk. A project is a folder of YAML files that a person can read, edit and commit; what only
 * the running mesh needs is in its state folder `.meshdesk/` (CA, control socket, lock, what is attached), which is
 * private (0700) and ignores itself in Git. One control plane per project at a time.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
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
    if (process.platform !== 'win32') await makePrivateFolder(dirname(project.controlSocket));
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw new MeshError('PROJECT_UNWRITABLE', `Cannot write to ${project.dir}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** True when something accepts on the control socket. */
export function isAnswering(socketPath: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(socketPath);
    const end = (answer: boolean) => {
      socket.destroy();
      done(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/**
 * Takes the project for this process. Rejects with PROJECT_LOCKED while another control plane has it; a lock whose
 * process is gone, or whose process number went to a program that does not answer as a control plane, is taken over.
 */
export async function lockProject(project: Project): Promise<() => Promise<void>> {
  const file = join(project.stateDir, 'lock');
  const mine = JSON.stringify({ pid: process.pid, since: new Date().toISOString() });
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      await writeFile(file, mine, { flag: 'wx', mode: 0o600 });
      return async () => {
        if ((await readFile(file, 'utf8').catch(() => '')) === mine) await rm(file, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = await readLock(file);
    const starting = owner !== null && isAlive(owner.pid) && Date.now() - Date.parse(owner.since) < 10_000;
    if (starting || (await isAnswering(project.controlSocket))) {
      throw new MeshError(
        'PROJECT_LOCKED',
        `Meshdesk already runs for ${project.dir}${owner === null ? '' : ` (process ${owner.pid})`}.`,
      );
    }
    await rm(file, { force: true });
  }
  throw new MeshError('PROJECT_LOCKED', `The lock ${file} is taken again and again by another process.`);
}

async function readLock(file: string): Promise<{ pid: number; since: string } | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number') return null;
    return { pid: value.pid, since: 'since' in value ? String(value.since) : '' };
  } catch {
    return null;
  }
}
