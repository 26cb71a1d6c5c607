import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mesh } from '../../../core/control-plane/mesh/mesh.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { FakeRuntime, fakeWorkload } from '../../support/fake-runtime.ts';
import { MemoryResourceStore } from '../../support/memory-resource-store.ts';
import { httpEdge, toReport } from '../../support/telemetry-report.ts';
import { type BenchCase, median, toMb } from '../result.ts';

const workloads = 200;
const callsPerWorkload = 3;
const seconds = 30;

/** Ten requests to each of the next services, between 2 and 20 ms. */
function reportOf(index: number, names: readonly string[]) {
  const latenciesMs = Array.from({ length: 10 }, (_, at) => 2 * (at + 1));
  const edges = Array.from({ length: callsPerWorkload }, (_, call) => {
    const callee = names[(index + call + 1) % names.length] ?? 's0';
    return httpEdge({ peerService: `${callee}.shop`, peerWorkload: `id-${callee}` }, latenciesMs);
  });
  return toReport(edges);
}

/**
 * What the control plane weighs with 200 simulated workloads: real mesh, real control streams over Unix sockets, real
 * certificates; the sidecars are stand-ins that acknowledge and report three edges each, once a second. The figure is of
 * this whole process, so it includes the stand-ins.
 */
export const manyWorkloadsCase: BenchCase = {
  name: 'many-workloads',
  needs: 'nothing',
  run: async (say) => {
    const stateDir = await mkdtemp(join(tmpdir(), 'bench-many-'));
    const names = Array.from({ length: workloads }, (_, index) => `s${index}`);
    const runtime = new FakeRuntime(
      names.map((name, index) =>
        fakeWorkload(name, { addresses: [{ network: 'shop_default', ip: `10.1.${Math.floor(index / 250)}.${(index % 250) + 2}`, aliases: [name] }] }),
      ),
    );
    const mesh = new Mesh({
      stateDir,
      version: 'bench',
      project: { dir: stateDir, name: 'bench' },
      runtimes: [runtime],
      resources: new MemoryResourceStore(),
      log: silentLogger,
    });
    let timer: NodeJS.Timeout | null = null;
    try {
      await mesh.start();
      const started = performance.now();
      await mesh.attach({ all: true });
      const attachMs = performance.now() - started;
      timer = setInterval(() => {
        for (const [index, name] of names.entries()) {
          runtime.sidecar(name).send({ type: 'telemetry', report: reportOf(index, names) });
        }
      }, 1_000);
      const rss: number[] = [];
      for (let second = 0; second < seconds; second += 1) {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        rss.push(toMb(process.memoryUsage.rss()));
      }
      const drawStarted = performance.now();
      const { edges } = mesh.topology(30);
      say(`attached in ${Math.round(attachMs)} ms, ${edges.length} edges drawn in ${Math.round(performance.now() - drawStarted)} ms, ${rss.at(-1)} MB`);
      return [{ case: 'control-plane-memory', program: `${workloads}-workloads`, rounds: 1, rssMb: median(rss.slice(-10)), medianMs: Math.round(attachMs) }];
    } finally {
      if (timer !== null) clearInterval(timer);
      await mesh.close();
      await runtime.close();
      await rm(stateDir, { recursive: true, force: true });
    }
  },
};
