import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Display {
  /** Value for DISPLAY; `undefined` where none is needed. */
  readonly name: string | undefined;
  close(): Promise<void>;
}

/** The display that is there, else a virtual one on a number that the server chooses itself. */
export async function openDisplay(): Promise<Display> {
  const present = process.env['DISPLAY'];
  if (process.platform !== 'linux' || present) return { name: present, close: async () => undefined };
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1600x1000x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await readNumber(server);
  return {
    name: `:${number}`,
    close: async () => {
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      await ended;
    },
  };
}

async function readNumber(server: ChildProcess): Promise<string> {
  const out = server.stdio[3];
  if (!out || !('setEncoding' in out)) throw new Error('Xvfb has no channel to tell its number');
  out.setEncoding('utf8');
  const told = once(out, 'data', { signal: AbortSignal.timeout(60_000) });
  const failed = once(server, 'exit').then(() => {
    throw new Error('Xvfb ended before it told its number');
  });
  const [text] = (await Promise.race([told, failed])) as [string];
  return text.trim();
}
