import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mesh } from '../../../core/control-plane/mesh/mesh.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { MemoryResourceStore } from '../../support/memory-resource-store.ts';
import { type BenchCase, type BenchResult, median, toMb } from '../result.ts';
import { startStandIns } from '../stand-in-runtime.ts';

const seconds = 30;

/**
 * What the control plane weighs with simulated workloads, three busy edges each: the real mesh, real control streams over
 * Unix sockets, real certificates; the sidecars are stand-ins in a process of their own.
 */
async function measure(count: number, say: (line: string) => void): Promise<BenchResult> {
  const stateDir = await mkdtemp(join(tmpdir(), 'bench-many-'));
  const runtime = await startStandIns(count);
  const mesh = new Mesh({
    stateDir,
    version: 'bench',
    project: { dir: stateDir, name: 'bench' },
    runtimes: [runtime],
    resources: new MemoryResourceStore(),
    log: silentLogger,
  });
  try {
    await mesh.start();
    const started = performance.now();
    await mesh.attach({ all: true });
    const attachMs = Math.round(performance.now() - started);
    const rss: number[] = [];
    for (let second = 0; second < seconds; second += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      rss.push(toMb(process.memoryUsage.rss()));
    }
    const drawStarted = performance.now();
    const { edges } = mesh.topology(30);
    const drawMs = Math.round(performance.now() - drawStarted);
    const rssMb = median(rss.slice(-10));
    say(`${count} workloads: attached in ${attachMs} ms, ${edges.length} edges drawn in ${drawMs} ms, ${rssMb} MB`);
    return { case: 'control-plane-memory', program: `${count}-workloads`, rounds: 1, rssMb, medianMs: attachMs };
  } finally {
    await mesh.close();
    await runtime.close();
    await rm(stateDir, { recursive: true, force: true });
  }
}

export const manyWorkloadsCase: BenchCase = {
  name: 'many-workloads',
  needs: 'nothing',
  run: async (say) => [await measure(6, say), await measure(200, say)],
};
