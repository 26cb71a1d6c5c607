/** Runs `rules.sh` in a network namespace, in a container that lives just as long. */
import type Docker from 'dockerode';
import { MeshError } from '../../../contract/errors.ts';
import { deframe } from './deframe.ts';
import { engineMessage } from './engine-error.ts';
import { type Purpose, removeContainer, rulesContainer } from './own-containers.ts';

export interface RulesRun {
  readonly image: string;
  readonly networkMode: string;
  readonly purpose: Purpose;
  /** For messages: the workload's name. */
  readonly name: string;
}

/** What `rules.sh` printed. Rejects with REDIRECT_FAILED and its words when it refused. */
export async function runRules(docker: Docker, action: 'install' | 'remove' | 'show', run: RulesRun): Promise<string> {
  const fail = (why: string, cause?: unknown): never => {
    throw new MeshError('REDIRECT_FAILED', `The redirect rules of ${run.name} could not be ${verb[action]}: ${why}`, {
      cause,
    });
  };
  let container: Docker.Container;
  try {
    container = await docker.createContainer(rulesContainer(run.image, run.purpose, run.networkMode, action));
  } catch (error) {
    return fail(engineMessage(error), error);
  }
  try {
    await container.start();
    const { StatusCode: status } = (await container.wait()) as { StatusCode: number };
    const printed = deframe((await container.logs({ stdout: true, stderr: true })) as unknown as Buffer).trim();
    if (status !== 0) return fail(printed === '' ? `rules.sh ended with status ${status}` : printed);
    return printed;
  } catch (error) {
    if (error instanceof MeshError) throw error;
    return fail(engineMessage(error), error);
  } finally {
    await removeContainer(docker, container.id).catch(() => undefined); // left-overs are removed at the next start
  }
}

const verb = { install: 'installed', remove: 'removed', show: 'read' } as const;
