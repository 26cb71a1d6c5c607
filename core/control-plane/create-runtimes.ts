import { join } from 'node:path';
import type { Logger } from '../shared/logger.ts';
import type { DockerRuntime } from './runtime/docker/docker-runtime.ts';
import { ProcessRuntime } from './runtime/process/process-runtime.ts';

export interface RuntimeSurroundings {
  readonly distDir: string;
  readonly stateDir: string;
  readonly log: Logger;
}

/** Loads the engine's client only when an engine is looked for. */
export async function createDockerRuntime({ distDir, stateDir, log }: RuntimeSurroundings): Promise<DockerRuntime> {
  const { DockerRuntime } = await import('./runtime/docker/docker-runtime.ts');
  return new DockerRuntime({ distDir, stateDir, log });
}

export function createProcessRuntime({ distDir, stateDir, log }: RuntimeSurroundings): ProcessRuntime {
  return new ProcessRuntime({
    sidecarProgram: join(distDir, 'sidecar', 'sidecar.mjs'),
    portFile: join(stateDir, 'ports.json'),
    log,
  });
}
