/** Commands that also work while no control plane runs: they then look at the container engine themselves. */
import type { CleanupResult, DoctorCheck } from '../../contract/shapes.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type CommandContext, defineCommand, type Environment, Exit, exitCodes } from './context.ts';
import { createStreamLogger } from './stream-logger.ts';

const engineWaitMs = 5_000;

/** Runs `work` with a runtime of our own, once the engine was reached or is known to be absent. */
async function withRuntime<T>(
  { environment, project }: CommandContext,
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  const log = createStreamLogger(environment.streams.stderr, 'warn');
  const { createDockerRuntime } = await import('../create-runtimes.ts');
  const runtime = await createDockerRuntime({ distDir: environment.distDir, stateDir: project.stateDir, log });
  let settled: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    settled = resolve;
  });
  const timer = setTimeout(settled, engineWaitMs);
  const look = () => {
    if (runtime.engine().state !== 'connecting') settled();
  };
  try {
    await runtime.start({ onWorkloads: look, onEngine: look, onProgress: () => undefined, onNotice: () => undefined });
    look();
    await ready;
    return await work(runtime);
  } finally {
    clearTimeout(timer);
    await runtime.close();
  }
}

function nodeCheck(): DoctorCheck {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const good = major > 20 || (major === 20 && minor >= 18);
  return {
    name: 'Node',
    status: good ? 'ok' : 'fail',
    message: `Node ${process.versions.node}`,
    fix: good ? null : 'Install Node 20.19 or newer.',
  };
}

function doctorCommand(environment: Environment) {
  return defineCommand(environment, 'doctor', 'engine, image, kernel, ports, clock, left-overs; how to fix each').run(
    async (context) => {
      const { output } = context;
      const running = await context.isRunning();
      const found = running
        ? await context.call('mesh.doctor', {})
        : await withRuntime(context, (runtime) => runtime.doctor());
      const controlPlane: DoctorCheck = {
        name: 'control plane',
        status: 'ok',
        message: running ? `runs for ${context.project.dir}` : `none runs for ${context.project.dir}`,
        fix: null,
      };
      const checks = [nodeCheck(), controlPlane, ...found];
      const colours = { ok: 'green', warn: 'yellow', fail: 'red', skipped: 'dim' } as const;
      output.result(checks, () => {
        output.table(
          ['CHECK', 'RESULT', ''],
          checks.map(({ name, status, message }) => [name, { text: status, colour: colours[status] }, message]),
        );
        for (const { name, fix, status } of checks) if (fix !== null && status !== 'ok') output.say(`${name}: ${fix}`);
      });
      if (checks.some(({ status }) => status === 'fail')) throw new Exit(exitCodes.failed);
    },
  );
}

function cleanupCommand(environment: Environment) {
  return defineCommand(environment, 'cleanup', 'remove everything of ours: sidecars, redirect rules, images').run(
    async (context) => {
      const { output } = context;
      const removed: CleanupResult = (await context.isRunning())
        ? await context.call('mesh.cleanup', {})
        : await withRuntime(context, (runtime) => runtime.cleanup());
      output.result(removed, () => {
        const { containers, rules, images, problems } = removed;
        if (containers.length + rules.length + images.length === 0) output.say('Nothing of ours was left.');
        for (const [what, names] of Object.entries({ containers, rules, images }))
          for (const name of names) output.say(`removed ${what}: ${name}`);
        for (const problem of problems) output.note(problem);
      });
      if (removed.problems.length > 0) throw new Exit(exitCodes.failed);
    },
  );
}

export const maintenanceCommands = [doctorCommand, cleanupCommand];
