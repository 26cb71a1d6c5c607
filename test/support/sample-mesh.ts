import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ContractClient, createContractClient } from '../../core/contract/client.ts';
import {
  type ControlPlane,
  type ControlPlaneOptions,
  startControlPlane,
} from '../../core/control-plane/control-plane.ts';
import { RecordedLog } from './contract-fixture.ts';
import { builtProgram, distDir } from './programs.ts';

export interface SampleMesh {
  readonly controlPlane: ControlPlane;
  readonly client: ContractClient;
  readonly log: RecordedLog;
  readonly projectDir: string;
  close(): Promise<void>;
}

/** A control plane in this process, with a project of its own and without a container engine. */
export async function startSampleMesh(options: Partial<ControlPlaneOptions> = {}): Promise<SampleMesh> {
  builtProgram('sidecar');
  builtProgram('sample');
  const projectDir = options.projectDir ?? (await mkdtemp(join(tmpdir(), 'project-')));
  const log = new RecordedLog();
  const controlPlane = await startControlPlane({
    projectDir,
    distDir,
    version: '0.0.0-test',
    http: null,
    docker: false,
    sample: false,
    log,
    ...options,
  });
  const client = createContractClient(controlPlane.transport);
  return {
    controlPlane,
    client,
    log,
    projectDir,
    close: async () => {
      client.close();
      await controlPlane.close({ detach: false });
      await rm(projectDir, { recursive: true, force: true });
    },
  };
}
