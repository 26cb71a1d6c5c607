/** The control plane as a user starts it from a shell, in a process of its own that can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { MethodInput, MethodName, MethodOutput } from '../../core/contract/contract.ts';
import { distDir } from './programs.ts';

export interface ServedControlPlane {
  readonly pid: number;
  readonly url: string;
  readonly token: string;
  call<M extends MethodName>(method: M, input: MethodInput<M>): Promise<MethodOutput<M>>;
  /** SIGKILL: nothing of it gets to say good-bye. */
  kill(): Promise<void>;
  /** SIGTERM, and the end of the process. */
  stop(): Promise<void>;
}

export const cliProgram = join(distDir, 'cli', 'meshdesk.js');

/** `serve --headless --json` for a project folder. Rejects with what it printed when it ends instead of being ready. */
export async function serveControlPlane(projectDir: string, args: readonly string[] = []): Promise<ServedControlPlane> {
  const child = spawn(
    process.execPath,
    [cliProgram, 'serve', '--headless', '--json', '--port', '0', '--project', projectDir, ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const ready = await Promise.race([
    once(createInterface(child.stdout), 'line').then(
      ([line]) => JSON.parse(String(line)) as { url: string; token: string; pid: number },
    ),
    once(child, 'exit').then(([code]) => {
      throw new Error(`meshdesk serve ended with ${String(code)}: ${said}`);
    }),
  ]);
  const origin = new URL(ready.url).origin;
  return {
    ...ready,
    call: async (method, input) => {
      const response = await fetch(`${origin}/api/call`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${ready.token}` },
        body: JSON.stringify({ method, input }),
      });
      const answer = (await response.json()) as {
        ok: boolean;
        output?: unknown;
        error?: { code: string; message: string };
      };
      if (!answer.ok) throw new Error(`${method}: ${answer.error?.code} ${answer.error?.message}`);
      return answer.output as never;
    },
    kill: () => end(child, 'SIGKILL'),
    stop: () => end(child, 'SIGTERM'),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
