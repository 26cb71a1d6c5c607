/** What the desktop was started with: `electron . [--project DIR] [--port N] [--sample]`, and the environment. */
import { join, resolve } from 'node:path';

/** What closing does without asking; for tests and scripts. */
export type CloseBehaviour = 'ask' | 'leave' | 'detach';

export interface LaunchOptions {
  /** As given; `null`: the project of the current folder, else the user's default one. */
  readonly project: string | null;
  /** An HTTP server for browsers beside the window; `null`: none. */
  readonly port: number | null;
  readonly sample: boolean;
  readonly docker: boolean;
  readonly close: CloseBehaviour;
  /** Folder for window state and Chromium's own files; `null`: the platform's place. */
  readonly userDataDir: string | null;
}

function optionOf(argv: readonly string[], name: string): string | null {
  const inline = argv.find((argument) => argument.startsWith(`${name}=`));
  if (inline !== undefined) return inline.slice(name.length + 1);
  const index = argv.indexOf(name);
  return index === -1 ? null : (argv[index + 1] ?? null);
}

/** Options that are not Meshdesk's (Chromium's switches, the app's folder) are left alone. */
export function readLaunchOptions(argv: readonly string[], env: NodeJS.ProcessEnv): LaunchOptions {
  const port = Number(optionOf(argv, '--port') ?? Number.NaN);
  const close = env['MESHDESK_CLOSE'];
  const home = env['MESHDESK_HOME'];
  return {
    project: optionOf(argv, '--project'),
    port: Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : null,
    sample: argv.includes('--sample'),
    docker: env['MESHDESK_DOCKER'] !== 'off',
    close: close === 'leave' || close === 'detach' ? close : 'ask',
    userDataDir: home ? join(resolve(home), 'desktop') : null,
  };
}
