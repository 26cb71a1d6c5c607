import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { Progress } from '../../core/contract/shapes.ts';
import { Mesh } from '../../core/control-plane/mesh/mesh.ts';
import type { DiscoveredWorkload } from '../../core/model/workload.ts';
import { silentLogger } from '../../core/shared/logger.ts';
import { FakeRuntime } from './fake-runtime.ts';
import { MemoryResourceStore } from './memory-resource-store.ts';

/** A mesh over an engine of fake sidecars, for each test anew. What it says is kept. */
export interface FakeMesh {
  readonly stateDir: string;
  readonly runtime: FakeRuntime;
  readonly mesh: Mesh;
  readonly progress: Progress[];
  readonly notices: string[];
  /** Another engine and, once that is prepared, another control plane over what the earlier one has left. */
  replaceRuntime(): FakeRuntime;
  startAgain(): void;
}

export function prepareFakeMesh(workloads: readonly DiscoveredWorkload[]): FakeMesh {
  let stateDir = '';
  let current: { runtime: FakeRuntime; mesh: Mesh } | null = null;
  const bench: FakeMesh = {
    get stateDir() {
      return stateDir;
    },
    get runtime() {
      return opened().runtime;
    },
    get mesh() {
      return opened().mesh;
    },
    progress: [],
    notices: [],
    replaceRuntime() {
      const runtime = new FakeRuntime([...workloads]);
      opened().runtime = runtime;
      return runtime;
    },
    startAgain() {
      opened().mesh = createMesh(opened().runtime);
    },
  };

  function opened(): { runtime: FakeRuntime; mesh: Mesh } {
    if (current === null) throw new Error('the mesh is there during a test only');
    return current;
  }

  function createMesh(runtime: FakeRuntime): Mesh {
    const created = new Mesh({
      stateDir,
      version: '0.1.0',
      project: { dir: stateDir, name: 'test' },
      runtimes: [runtime],
      resources: new MemoryResourceStore(),
      log: silentLogger,
      leaseMs: 600,
    });
    bench.progress.length = 0;
    bench.notices.length = 0;
    created.listen({
      onChange: () => undefined,
      onCertificate: () => undefined,
      onNotice: ({ message }) => bench.notices.push(message),
      onProgress: (step) => bench.progress.push(step),
    });
    return created;
  }

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'mesh-'));
    const runtime = new FakeRuntime([...workloads]);
    current = { runtime, mesh: createMesh(runtime) };
  });
  afterEach(async () => {
    await bench.mesh.close();
    await bench.runtime.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  return bench;
}

/** Whether each number is there (not -1) and above the one before it: for places of lines in a log. */
export const ascending = (indexes: readonly number[]) =>
  indexes.every((index, at) => index >= 0 && (at === 0 || index > (indexes[at - 1] ?? 0)));
