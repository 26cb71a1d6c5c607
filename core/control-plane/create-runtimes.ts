import { join } from 'node:path';
import type { Logger } from '../shared/logger.ts';
import { DockerRuntime } from './runtime/docker/docker-runtime.ts';
import { ProcessRuntime } from './runtime/process/process-runtime.ts';

export interface RuntimeSurroundings {
  readonly distDir: string;
  readonly stateDir: string;
  readonly log: Logger;
}

export function createDockerRuntime({ distDir, stateDir, log }: RuntimeSurroundings): DockerRuntime {
  return new DockerRuntime({ distDir, stateDir, log });
}

export function createProcessRuntime({ distDir, stateDir, log }: RuntimeSurroundings): ProcessRuntime {
  return new ProcessRuntime({ sidecarProgram: join(distDir, 'sidecar', 'sidecar.mjs'), portFile: join(stateDir, 'ports.json'), log });
}
