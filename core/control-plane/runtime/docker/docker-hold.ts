/**
 * A container brought to a stop by a small container of ours beside it: it signals the processes, and lets them go by
 * itself when nobody renews it. So it outlives neither this program nor the engine's daemon, which the engine's own
 * `pause` would. It sees the processes of the engine's machine and may signal them; it has no network and no engine.
 */
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import type { HoldLimits, WorkloadHold } from '../runtime.ts';
import { deframe } from './deframe.ts';
import { toEngineError } from './engine-error.ts';
import { holdContainer, listOwn, type OwnContainer, type Purpose, removeContainer } from './own-containers.ts';

const readyTimeoutMs = 10_000;
/** To let go takes milliseconds. */
const stopSeconds = 3;

export interface DockerHoldOptions {
  readonly image: string;
  readonly purpose: Purpose;
  /** For messages. */
  readonly name: string;
  readonly limits: HoldLimits;
}

/** Resolves when the container's processes are stopped. Rejects with ENGINE_FAILED; nothing is stopped then. */
export async function holdDocker(docker: Docker, options: DockerHoldOptions): Promise<WorkloadHold> {
  const { image, purpose, name, limits } = options;
  const fail = (error: unknown) => toEngineError(`${name} could not be paused`, error);
  let id: string | null = null;
  try {
    const { pid } = await runningPid(docker, purpose.workloadId);
    const command = [
      'container',
      String(pid),
      String(limits.leaseMs),
      String(limits.durationMs ?? 0),
      purpose.workloadId,
    ];
    const container = await docker.createContainer(holdContainer(image, purpose, command));
    id = container.id;
    const attached = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true } as const;
    const stream = (await container.attach(attached)) as unknown as Duplex;
    // Whatever happens to it, its end says so.
    stream.on('error', () => stream.destroy());
    await container.start();
    await untilHeld(stream);
    const beats = setInterval(() => stream.write('\n'), limits.leaseMs / 3);
    beats.unref();
    stream.on('close', () => clearInterval(beats));
    return {
      end: async () => {
        clearInterval(beats);
        stream.end();
        await removeContainer(docker, container.id, stopSeconds);
      },
    };
  } catch (error) {
    if (id !== null) await removeContainer(docker, id, stopSeconds).catch(() => undefined); // cleaned up at the next start
    throw fail(error);
  }
}

/** Lets go what an earlier control plane has left, and removes what it was held by. */
export async function releaseDocker(docker: Docker, own: OwnContainer): Promise<void> {
  try {
    await docker.getContainer(own.id).stop({ t: stopSeconds });
  } catch {
    // It has ended already; how is what counts.
  }
  const { State: state } = await docker.getContainer(own.id).inspect();
  const target = await runningPid(docker, own.workloadId).catch(() => null);
  if (state.ExitCode !== 0 && target !== null) {
    const purpose: Purpose = { ...own, role: 'hold' };
    const container = await docker.createContainer(
      holdContainer(own.image, purpose, ['release', String(target.pid), '-', '-', own.workloadId]),
    );
    await container.start();
    await container.wait();
    await removeContainer(docker, container.id);
  }
  await removeContainer(docker, own.id);
}

/** Those of one project, or of all. */
export async function releaseAll(docker: Docker, wanted: { owner?: string; workloadId?: string } = {}): Promise<void> {
  for (const own of await listOwn(docker, { ...wanted, role: 'hold' })) await releaseDocker(docker, own);
}

async function runningPid(docker: Docker, workloadId: string): Promise<{ pid: number }> {
  const { State: state } = await docker.getContainer(workloadId).inspect();
  if (!state.Running || state.Pid <= 0) throw new Error('it is not running');
  return { pid: state.Pid };
}

function untilHeld(stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    let printed = Buffer.alloc(0);
    const finish = (error: Error | null) => {
      clearTimeout(timer);
      stream.removeListener('data', onData);
      stream.removeListener('end', onEnd);
      stream.removeListener('close', onEnd);
      // Read on, or its end would never be heard of.
      stream.resume();
      if (error === null) resolve();
      else reject(error);
    };
    const onData = (chunk: Buffer) => {
      printed = Buffer.concat([printed, chunk]);
      if (deframe(printed).includes('held\n')) finish(null);
    };
    const onEnd = () => finish(new Error(deframe(printed).trim() || 'it ended at once'));
    const timer = setTimeout(() => finish(new Error('no answer within 10 s')), readyTimeoutMs);
    stream.on('data', onData).on('end', onEnd).on('close', onEnd);
  });
}
