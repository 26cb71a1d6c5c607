import { spawn } from 'node:child_process';
import type { ControlPlane } from '../control-plane.ts';
import { parsePort } from './arguments.ts';
import { type CommandContext, defineCommand, type Environment } from './context.ts';
import { createStreamLogger, isLogLevel } from './stream-logger.ts';

interface ServeOptions {
  headless?: boolean;
  sample?: boolean;
  port: number;
  docker: boolean;
  detachOnExit?: boolean;
}

/** Shows the address in the user's browser; when that does not work, the printed address remains. */
function openBrowser(url: string, env: NodeJS.ProcessEnv): void {
  const display =
    process.platform === 'darwin' || process.platform === 'win32' || Boolean(env.DISPLAY ?? env.WAYLAND_DISPLAY);
  if (!display) return;
  const [command, args] =
    process.platform === 'darwin'
      ? ['open', [url]]
      : process.platform === 'win32'
        ? ['explorer.exe', [url]]
        : ['xdg-open', [url]];
  const child = spawn(command as string, args as string[], { stdio: 'ignore', detached: true });
  child.on('error', () => child.removeAllListeners());
  child.unref();
}

function announce(
  { output, environment, project }: CommandContext,
  controlPlane: ControlPlane,
  options: ServeOptions,
): void {
  const url = controlPlane.address();
  output.result({ url, token: controlPlane.token, pid: process.pid, project: project.dir }, () => {
    output.say(`Meshdesk runs for ${project.dir}`);
    output.say(`Open ${url}`);
    output.say('The address lets one browser in; `meshdesk address` prints another. Ctrl+C ends the control plane.');
  });
  const forPeople = !options.headless && !output.json && environment.streams.stdout.isTTY === true;
  if (forPeople && url !== null) openBrowser(url, environment.env);
}

/** Resolves at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    const handle = (signal: NodeJS.Signals) => {
      if (asked) process.exit(130);
      asked = true;
      resolve(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handle);
  });
}

function serveCommand(environment: Environment) {
  return defineCommand(environment, 'serve', 'run the control plane and the UI server on 127.0.0.1')
    .option('--headless', 'do not open a browser')
    .option('--sample', 'start the sample shop')
    .option('--port <number>', 'port on 127.0.0.1 (0: any free one)', parsePort, 0)
    .option('--no-docker', 'do not look for a container engine')
    .option('--detach-on-exit', 'detach every workload at the end')
    .run<ServeOptions>(async (context, _args, options) => {
      const { output, project } = context;
      const asked = environment.env.MESHDESK_LOG ?? 'warn';
      const log = createStreamLogger(environment.streams.stderr, isLogLevel(asked) ? asked : 'warn');
      const signalled = untilSignal();
      // Loaded here only: every other command is a call over a socket and should start at once.
      const { startControlPlane } = await import('../control-plane.ts');
      const controlPlane = await startControlPlane({
        projectDir: project.dir,
        distDir: environment.distDir,
        version: environment.version,
        http: { port: options.port },
        docker: options.docker && environment.env.MESHDESK_DOCKER !== 'off',
        sample: options.sample === true,
        log,
      });
      announce(context, controlPlane, options);
      const signal = await signalled;
      const detach = options.detachOnExit === true;
      output.note(
        detach
          ? `${signal}: detaching and ending ...`
          : `${signal}: ending; attached containers stay meshed until \`meshdesk cleanup\` ...`,
      );
      await controlPlane.close({ detach });
    });
}

export const serveCommands = [serveCommand];
