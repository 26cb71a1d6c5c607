/** One control plane per project at a time: a file that says whose the project is, and what becomes of one left behind. */
import { link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { MeshError } from '../../contract/errors.ts';
import { startOfProcess } from '../process-start.ts';
import type { Project } from './project.ts';

/** A process that is not known by its start is believed this long without an answer at the control socket. */
const startingMs = 60_000;
const attempts = 50;
const betweenAttemptsMs = 20;
const staleGuardMs = 5_000;

const Stored = z.object({
  pid: z.number().int().positive(),
  since: z.string(),
  /** As `startOfProcess` has it. */
  started: z.string().nullable().optional(),
});
type Owner = z.infer<typeof Stored>;

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? '';
let count = 0;

/**
 * Takes the project for this process; resolves with what gives it back. Rejects with PROJECT_LOCKED while another control
 * plane has it, with PROJECT_UNWRITABLE where no lock can be written. A lock is taken over when its process is gone, or its
 * number went to a program that does not answer as a control plane.
 */
export async function lockProject(project: Project): Promise<() => Promise<void>> {
  const file = join(project.stateDir, 'lock');
  const started = await startOfProcess(process.pid);
  count += 1;
  const call = `${process.pid}.${count}`;
  const mine = JSON.stringify({ pid: process.pid, since: new Date().toISOString(), started, call });
  try {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (await createWhole(file, mine, `${file}.${call}.tmp`)) return () => giveBack(file, mine);
      const found = await readIfThere(file);
      if (found === null) continue;
      const owner = parseOwner(found);
      if ((owner !== null && (await isAtWork(owner))) || (await isAnswering(project.controlSocket))) {
        const who = owner === null ? '' : ` (process ${owner.pid})`;
        throw new MeshError('PROJECT_LOCKED', `Meshdesk already runs for ${project.dir}${who}.`);
      }
      await removeStale(file, found, `${file}.${call}.tmp`);
    }
  } catch (error) {
    if (error instanceof MeshError) throw error;
    const message = `Cannot write ${file}: ${(error as Error).message}`;
    throw new MeshError('PROJECT_UNWRITABLE', message, { cause: error });
  }
  throw new MeshError('PROJECT_LOCKED', `The lock ${file} is taken again and again by another process.`);
}

/** True when something accepts on the control socket. */
function isAnswering(socketPath: string): Promise<boolean> {
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

/** Whether the process that wrote the lock still is: it may be starting, or too busy to answer. */
async function isAtWork({ pid, since, started }: Owner): Promise<boolean> {
  if (!isAlive(pid)) return false;
  if (started) return (await startOfProcess(pid)) === started;
  return Math.abs(Date.now() - Date.parse(since)) < startingMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The file with all of its text at once, so that nobody reads a part; false: there is one. */
async function createWhole(file: string, text: string, draft: string): Promise<boolean> {
  try {
    await writeFile(draft, text, { mode: 0o600 });
    try {
      await link(draft, file);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      // A file system without hard links.
      await writeFile(file, text, { flag: 'wx', mode: 0o600 });
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Takes away the lock that was seen, and no other one: of two that find the same stale lock, the slower must not take the
 * faster one's new lock. Only whoever has the guard removes a lock that is not its own.
 */
async function removeStale(file: string, seen: string, draft: string): Promise<void> {
  const guard = `${file}.takeover`;
  if (!(await createWhole(guard, seen, draft))) {
    const info = await stat(guard).catch(() => null);
    // Left by a process that was killed in these few lines.
    if (info !== null && Math.abs(Date.now() - info.mtimeMs) > staleGuardMs) await rm(guard, { force: true });
    await setTimeout(betweenAttemptsMs);
    return;
  }
  try {
    if ((await readIfThere(file)) === seen) await rm(file, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

async function giveBack(file: string, mine: string): Promise<void> {
  if ((await readIfThere(file)) === mine) await rm(file, { force: true });
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function parseOwner(text: string): Owner | null {
  try {
    return Stored.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null; // cut short by a full disk: whether somebody answers decides
  }
}
