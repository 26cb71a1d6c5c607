/** What faults do to containers: pause, kill, restart, and how that ends. */
import type Docker from 'dockerode';
import type { Disturbance, WorkloadHold } from '../runtime.ts';
import { type DockerHoldOptions, holdDocker, releaseAll } from './docker-hold.ts';
import { isAbsent, isDone, toEngineError } from './engine-error.ts';

/** How long a container that is restarted gets to end by itself: the engine's own default. */
const restartGraceSeconds = 10;

/** Rejects with ENGINE_FAILED. `image`: of the sidecar, asked for a pause only. */
export async function disturbDocker(
  docker: Docker,
  what: Disturbance,
  options: Omit<DockerHoldOptions, 'image'> & { readonly image: () => Promise<string> },
): Promise<WorkloadHold> {
  const { name, purpose, image } = options;
  if (what === 'pause') return holdDocker(docker, { ...options, image: await image() });
  const container = docker.getContainer(purpose.workloadId);
  try {
    if (what === 'kill') await container.kill({ signal: 'SIGKILL' });
    else await container.restart({ t: restartGraceSeconds });
  } catch (error) {
    throw toEngineError(`${name} could not be ${what === 'kill' ? 'killed' : 'restarted'}`, error);
  }
  return { end: () => undisturbDocker(docker, purpose.workloadId, what, purpose.owner) };
}

/** Also for what an earlier control plane did. A container that is gone, or runs again, is fine. */
export async function undisturbDocker(
  docker: Docker,
  workloadId: string,
  what: Disturbance,
  owner: string,
): Promise<void> {
  if (what === 'pause') await releaseAll(docker, { owner, workloadId });
  if (what !== 'kill') return;
  try {
    await docker.getContainer(workloadId).start();
  } catch (error) {
    if (!isDone(error) && !isAbsent(error)) throw toEngineError('A killed container could not be started again', error);
  }
}
