import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveControlPlane } from '../../support/cli-control-plane.ts';
import { eventually } from '../../support/eventually.ts';
import { type BenchCase, type BenchResult, max, median, toMb } from '../result.ts';

const rounds = 3;
const settleMs = 10_000;

/** From the start of the program with the sample shop to the first graph with rates, and what the control plane weighs then. */
export const startUpCase: BenchCase = {
  name: 'start-up',
  needs: 'nothing',
  run: async (say) => {
    const graphMs: number[] = [];
    const rssMb: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const projectDir = await mkdtemp(join(tmpdir(), 'bench-start-'));
      const started = performance.now();
      const served = await serveControlPlane(projectDir, ['--sample', '--no-docker']);
      try {
        await eventually(
          'a live graph',
          async () => {
            const { edges } = await served.call('topology.get', { windowSeconds: 10 });
            return (
              edges.filter(({ requestsPerSecond, tcp }) => (requestsPerSecond ?? tcp?.connections ?? 0) > 0).length >= 4
            );
          },
          60_000,
        );
        graphMs.push(performance.now() - started);
        await new Promise((resolve) => setTimeout(resolve, settleMs));
        rssMb.push(toMb((await served.call('mesh.status', {})).cost.controlPlaneRssBytes));
      } finally {
        await served.stop();
        await rm(projectDir, { recursive: true, force: true });
      }
      say(`round ${round + 1}: graph after ${Math.round(graphMs.at(-1) ?? 0)} ms, control plane ${rssMb.at(-1)} MB`);
    }
    const results: BenchResult[] = [
      {
        case: 'start-up',
        program: 'meshdesk',
        rounds,
        medianMs: Math.round(median(graphMs)),
        maxMs: Math.round(max(graphMs)),
      },
      { case: 'control-plane-memory', program: 'sample-shop', rounds, rssMb: median(rssMb) },
    ];
    return results;
  },
};
