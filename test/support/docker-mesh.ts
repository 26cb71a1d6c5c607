/** A control plane in this process, on the real engine, seeing only the containers of one test run through `names`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { type ContractClient, createContractClient } from '../../core/contract/client.ts';
import { type ControlPlane, startControlPlane } from '../../core/control-plane/control-plane.ts';
import { RecordedLog } from './contract-fixture.ts';
import { builtProgram, distDir } from './programs.ts';

export interface DockerMesh {
  readonly controlPlane: ControlPlane;
  readonly client: ContractClient;
  readonly log: RecordedLog;
  readonly projectDir: string;
  /** Ends the control plane; `keep`: the project folder stays, for a later start on it. */
  close(options?: { detach?: boolean; keep?: boolean }): Promise<void>;
}

/** @param dist folder of the built product, for another version of it */
export async function startDockerMesh(projectDir?: string, dist = distDir): Promise<DockerMesh> {
  builtProgram('sidecar');
  const dir = projectDir ?? (await mkdtemp(join(tmpdir(), 'docker-mesh-')));
  const log = new RecordedLog();
  const controlPlane = await startControlPlane({
    projectDir: dir,
    distDir: dist,
    version: '0.0.0-test',
    http: null,
    docker: true,
    sample: false,
    log,
  });
  const client = createContractClient(controlPlane.transport);
  return {
    controlPlane,
    client,
    log,
    projectDir: dir,
    close: async ({ detach = false, keep = false } = {}) => {
      client.close();
      await controlPlane.close({ detach });
      if (!keep) await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Why the Docker tests cannot run here; `null` when they can. Where the engine is required its absence is an error. */
export async function dockerProblem(): Promise<string | null> {
  try {
    await new Docker().ping();
    return null;
  } catch (error) {
    const problem = `no container engine answers (${error instanceof Error ? error.message : String(error)})`;
    if ((process.env['MESHDESK_REQUIRE'] ?? '').split(',').includes('docker')) throw new Error(problem);
    process.stdout.write(`skipped: ${problem}\n`);
    return problem;
  }
}
