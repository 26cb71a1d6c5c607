/** Logs and shells of containers, as terminal sessions. */
import { type Duplex, PassThrough, type Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { TerminalSession } from '../runtime.ts';
import { toEngineError } from './engine-error.ts';

const logTail = 500;
const leaveAfterMs = 2_000;
const leaveStepMs = 50;
const shell = ['/bin/sh', '-c', 'if command -v bash >/dev/null 2>&1; then exec bash; fi; exec sh'];

/** Holds back what arrives before somebody listens. */
class Output {
  #handlers: ((data: string) => void)[] = [];
  #exitHandlers: ((code: number | null) => void)[] = [];
  #early = '';
  #exit: { code: number | null } | null = null;

  follow(stream: Readable): void {
    stream.setEncoding('utf8').on('data', (text: string) => {
      if (this.#handlers.length === 0) this.#early += text;
      for (const handler of this.#handlers) handler(text);
    });
  }

  end(code: number | null): void {
    if (this.#exit !== null) return;
    this.#exit = { code };
    for (const handler of this.#exitHandlers) handler(code);
  }

  onData(handler: (data: string) => void): void {
    this.#handlers.push(handler);
    if (this.#early !== '') handler(this.#early);
    this.#early = '';
  }

  onExit(handler: (code: number | null) => void): void {
    this.#exitHandlers.push(handler);
    if (this.#exit !== null) handler(this.#exit.code);
  }
}

export async function openLogs(docker: Docker, containerId: string): Promise<TerminalSession> {
  const container = docker.getContainer(containerId);
  const output = new Output();
  try {
    const { Config: config } = await container.inspect();
    const raw = (await container.logs({
      follow: true,
      stdout: true,
      stderr: true,
      tail: logTail,
    })) as unknown as Readable & { destroy(): void };
    const text = new PassThrough();
    if (config.Tty) raw.pipe(text);
    else docker.modem.demuxStream(raw, text, text);
    output.follow(text);
    raw
      .once('end', () => output.end(null))
      .once('close', () => output.end(null))
      .once('error', () => output.end(null));
    return {
      onData: (handler) => output.onData((data) => handler(data.replaceAll(/\r?\n/g, '\r\n'))),
      onExit: (handler) => output.onExit(handler),
      write: () => undefined, // logs take no input
      resize: () => Promise.resolve(),
      close: () => raw.destroy(),
    };
  } catch (error) {
    throw toEngineError('The log could not be read', error);
  }
}

export async function openShell(
  docker: Docker,
  containerId: string,
  size: { columns: number; rows: number },
): Promise<TerminalSession> {
  const output = new Output();
  try {
    const exec = await docker.getContainer(containerId).exec({
      Cmd: shell,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: true,
      Env: ['TERM=xterm-256color'],
    });
    const stream: Duplex = await exec.start({ hijack: true, stdin: true, Tty: true });
    const resize = (columns: number, rows: number) => exec.resize({ w: columns, h: rows }).then(() => undefined);
    await resize(size.columns, size.rows);
    output.follow(stream);
    const onEnd = () =>
      void exec.inspect().then(
        ({ ExitCode: code }) => output.end(code),
        () => output.end(null),
      );
    stream.once('end', onEnd).once('close', onEnd).once('error', onEnd);
    return {
      onData: (handler) => output.onData(handler),
      onExit: (handler) => output.onExit(handler),
      write: (data) => void stream.write(data),
      resize,
      close: () => leaveShell(stream),
    };
  } catch (error) {
    throw toEngineError('The shell could not be started', error);
  }
}

/**
 * The engine does not end an exec when its client goes: interrupts what runs and ends the shell's input (Ctrl-C, then
 * Ctrl-D; again, since an interrupt discards what is typed ahead) until the shell has ended, for 2 s at most.
 */
function leaveShell(stream: Duplex): void {
  if (stream.destroyed) return;
  const endsAtMs = performance.now() + leaveAfterMs;
  let key = '\u0003';
  const timer = setInterval(() => {
    if (performance.now() > endsAtMs) stream.destroy();
    else stream.write(key);
    key = key === '\u0003' ? '\u0004' : '\u0003';
  }, leaveStepMs);
  timer.unref();
  stream.once('close', () => clearInterval(timer));
  stream.once('end', () => stream.destroy());
}
