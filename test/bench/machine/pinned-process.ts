import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { eventually } from '../../support/eventually.ts';

/** Load and upstream share a core, the proxy has the other for itself. */
export const loadCore = 0;
export const proxyCore = 1;

export interface PinnedProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  /** What it printed on stderr and, unless somebody reads it, stdout; the end of it. */
  said(): string;
  close(): Promise<void>;
}

const running = new Set<ChildProcess>();
// A bench that fails in the middle must not leave proxies behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

/** Starts a program on one core. Its stdin stays open until `close`, which ends it (TERM, after 3 s KILL). */
export async function startPinned(
  core: number,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<PinnedProcess> {
  const child = spawn('taskset', ['-c', String(core), command, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  await once(child, 'spawn');
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-4_000);
    });
  }
  child.stdin?.on('error', () => undefined); // EPIPE of a program that has ended
  return { pid: child.pid ?? 0, child, said: () => text, close: () => endProcess(child) };
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdin?.end();
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await exited;
  clearTimeout(timer);
}

/** Moves a running process with all its threads. */
export function pinProcess(core: number, pid: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
}

/** Waits until somebody listens; the process's last words are part of the error. */
export async function untilListening(port: number, started: PinnedProcess, name: string): Promise<void> {
  await eventually(`${name} listens on ${port}`, async () => {
    if (started.child.exitCode !== null) throw new Error(`${name} ended: ${started.said()}`);
    return new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  });
}
