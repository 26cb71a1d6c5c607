/**
 * One sidecar program as a child process. It is restarted when it dies, as the guard does for a container's sidecar, and
 * ends with this process: it reads its stdin and exits when that closes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { MeshError } from '../../../contract/errors.ts';
import type { Logger } from '../../../shared/logger.ts';
import { nodeProgram } from '../node-program.ts';
import { OutputBuffer } from './output-buffer.ts';

/** The same as in the container's guard: memory before the last per cent of speed (docs/performance.md). */
export const sidecarNodeFlags = [
  '--max-semi-space-size=1',
  '--max-old-space-size=128',
  '--single-threaded',
  '--optimize-for-size',
];
const connectTimeoutMs = 10_000;
const connectRetryMs = 25;
const stopTimeoutMs = 3_000;
/** Deaths within this time make the pause before the next start longer. */
const restartWindowMs = 30_000;
const maxRestartPauseMs = 10_000;

export interface SidecarProcessOptions {
  readonly name: string;
  /** Path of the built sidecar program. */
  readonly program: string;
  /** Folder of its own; holds the control socket and whatever the sidecar keeps next to it. */
  readonly dir: string;
  readonly log: Logger;
  /** It takes ports over from another sidecar that shares them, where the system can. */
  readonly joins: boolean;
  readonly onRestart: (message: string) => void;
}

/** Only what a Node program needs: a sidecar has no business with the secrets of the user's environment. */
function sidecarEnv(socketPath: string, joins: boolean): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    MESHDESK_SOCKET: socketPath,
    MESHDESK_EXIT_WITH_PARENT: '1',
    MESHDESK_SHARE_PORTS: joins ? '1' : '0',
    MALLOC_ARENA_MAX: '1',
    UV_THREADPOOL_SIZE: '1',
  };
  for (const name of ['PATH', 'TMPDIR', 'TEMP', 'SystemRoot', 'MESHDESK_LOG']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, ...nodeProgram().env };
}

export class SidecarProcess {
  readonly output = new OutputBuffer();
  readonly socketPath: string;
  readonly #options: SidecarProcessOptions;
  #child: ChildProcess | null = null;
  #removed = false;
  #deaths: number[] = [];
  #restart: NodeJS.Timeout | null = null;

  constructor(options: SidecarProcessOptions) {
    this.#options = options;
    this.socketPath =
      process.platform === 'win32'
        ? `\\\\.\\pipe\\${options.dir.replaceAll(/[^\w-]+/g, '-')}`
        : join(options.dir, 's.sock');
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Resolves when the process runs; its socket follows (`connect` waits for it). */
  async start(): Promise<void> {
    await mkdir(this.#options.dir, { recursive: true, mode: 0o700 });
    const child = this.#spawn();
    await once(child, 'spawn').catch((error: unknown) => {
      throw new MeshError(
        'ATTACH_FAILED',
        `The sidecar of ${this.#options.name} could not be started: ${String(error)}`,
        {
          cause: error,
        },
      );
    });
  }

  /** A byte stream to the control socket. Rejects with SIDECAR_UNREACHABLE after 10 s, or when the sidecar is removed. */
  async connect(): Promise<Socket> {
    const deadline = performance.now() + connectTimeoutMs;
    for (;;) {
      const attempt = await this.#tryConnect();
      if (!(attempt instanceof Error)) return attempt;
      if (this.#removed || performance.now() > deadline) {
        const said = this.output.tail(3);
        throw new MeshError(
          'SIDECAR_UNREACHABLE',
          `The sidecar of ${this.#options.name} does not answer on its control socket${said === '' ? '' : `; it said: ${said}`}`,
          { cause: attempt },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, connectRetryMs));
    }
  }

  /** Ends it (TERM, after 3 s KILL) and removes its folder. Idempotent. */
  async remove(): Promise<void> {
    this.#removed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    this.#child = null;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.stdin?.end();
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      await exited;
      clearTimeout(timer);
    }
    await rm(this.#options.dir, { recursive: true, force: true });
  }

  #tryConnect(): Promise<Socket | Error> {
    if (this.#removed) return Promise.resolve(new Error('the sidecar was removed'));
    return new Promise((resolve) => {
      const socket = connect(this.socketPath);
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        resolve(socket);
      });
      socket.once('error', resolve);
    });
  }

  #spawn(): ChildProcess {
    const child = spawn(nodeProgram().path, [...sidecarNodeFlags, this.#options.program], {
      cwd: this.#options.dir,
      env: sidecarEnv(this.socketPath, this.#options.joins),
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    this.#child = child;
    child.stdin?.on('error', () => undefined); // EPIPE of a dying child; its exit is what counts
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.output.append(text));
    }
    child.once('error', (error) => this.#options.log.error(`sidecar of ${this.#options.name}`, error));
    child.once('exit', (code, signal) => this.#onExit(child, code, signal));
    return child;
  }

  #onExit(child: ChildProcess, code: number | null, signal: string | null): void {
    if (this.#removed || this.#child !== child) return;
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < restartWindowMs), now];
    const pauseMs = this.#deaths.length === 1 ? 0 : Math.min(maxRestartPauseMs, 100 * 2 ** this.#deaths.length);
    const message = `The sidecar of ${this.#options.name} ended (${signal ?? `code ${code}`}) and is started again.`;
    this.#options.log.warn(`${message} ${this.output.tail(5)}`);
    this.#options.onRestart(message);
    this.#restart = setTimeout(() => {
      if (!this.#removed) this.#spawn();
    }, pauseMs);
  }
}
