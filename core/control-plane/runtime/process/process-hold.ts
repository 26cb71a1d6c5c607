/**
 * What faults do to host processes that were started by us. A pause is SIGSTOP, held by a process of its own (`hold.mjs`)
 * that lets go by itself when nobody renews it: it outlives this program, and the pause does not.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { MeshError } from '../../../contract/errors.ts';
import { nodeProgram } from '../node-program.ts';
import type { Disturbance, HoldLimits, WorkloadHold } from '../runtime.ts';
import type { HeldProcesses } from './held-processes.ts';
import type { ProcessEntry } from './registration.ts';

const readyTimeoutMs = 10_000;

/** Rejects with BAD_REQUEST for a process that is not ours, and where the system cannot. */
export async function disturbProcess(
  entry: ProcessEntry,
  what: Disturbance,
  limits: HoldLimits,
  { sidecarProgram, held }: { readonly sidecarProgram: string; readonly held: HeldProcesses },
): Promise<WorkloadHold> {
  const { name, output } = entry.registration;
  const { pid } = entry;
  if (output === undefined || pid === null || pid <= 0) {
    throw new MeshError('BAD_REQUEST', `${name} was not started by Meshdesk, which does not know its process.`);
  }
  if (!entry.running) throw new MeshError('NOT_RUNNING', `${name} is not running.`);
  if (what === 'pause') {
    await held.add(pid);
    try {
      const hold = await holdProcess(pid, name, limits, join(dirname(sidecarProgram), 'hold.mjs'));
      return { end: () => hold.end().then(() => held.remove(pid)) };
    } catch (error) {
      await held.remove(pid);
      throw error;
    }
  }
  // Who started it starts it again.
  process.kill(pid, what === 'kill' ? 'SIGKILL' : 'SIGTERM');
  return { end: async () => undefined };
}

async function holdProcess(pid: number, name: string, limits: HoldLimits, program: string): Promise<WorkloadHold> {
  if (process.platform === 'win32') throw new MeshError('BAD_REQUEST', 'Windows cannot pause a process.');
  const { path, env } = nodeProgram();
  const child = spawn(path, [program, 'process', `${pid}`, `${limits.leaseMs}`, `${limits.durationMs ?? 0}`], {
    // In a session of its own: whatever ends this program leaves it alone.
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const beats = setInterval(() => child.stdin.write('\n'), limits.leaseMs / 3);
  beats.unref();
  child.stdin.on('error', () => clearInterval(beats));
  void ended.then(() => clearInterval(beats));
  await new Promise<void>((resolve, reject) => {
    const fail = () => reject(new MeshError('INTERNAL', `${name} could not be paused.`));
    const timer = setTimeout(fail, readyTimeoutMs);
    child.once('error', fail).once('close', fail);
    child.stdout.on('data', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  child.unref();
  return {
    end: async () => {
      clearInterval(beats);
      child.stdin.end();
      await ended;
    },
  };
}
