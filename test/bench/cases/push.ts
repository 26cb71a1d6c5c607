import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveControlPlane } from '../../support/cli-control-plane.ts';
import { eventually } from '../../support/eventually.ts';
import { type PushFigures, PushMesh } from '../push-mesh.ts';
import { type BenchCase, type BenchResult, max, median, quantile, round, toMb } from '../result.ts';

/** Services x sidecars: the aims are about 6 and 2,000 sidecars, the sizes between say how it grows. */
const sizes = [
  { services: 3, perService: 2 },
  { services: 10, perService: 2 },
  { services: 100, perService: 2 },
  { services: 1_000, perService: 2 },
];
const changes = 10;
const realChanges = 20;

/**
 * From a change to the acknowledgement of the last sidecar: the real compiler, publisher and control streams over Unix
 * sockets; the far ends are in a process of their own, acknowledge at once and apply nothing.
 */
async function measure(
  { services, perService }: (typeof sizes)[number],
  say: (line: string) => void,
): Promise<readonly BenchResult[]> {
  const mesh = new PushMesh(services, perService);
  const sidecars = services * perService;
  const program = `${services}-services-${sidecars}-sidecars`;
  try {
    await mesh.start();
    const first = await mesh.first();
    say(`${program}: first push ${round(max(first.ackMs))} ms, ${toMb(first.bytes)} MB`);
    const results: BenchResult[] = [];
    for (const [name, change] of [
      ['push-route', (turn: number) => mesh.editRoute(20 + turn)],
      ['push-endpoint', (turn: number) => mesh.changeEndpoint(2 + turn)],
    ] as const) {
      const figures: PushFigures[] = [];
      for (let turn = 0; turn < changes; turn += 1) figures.push(await change(turn));
      results.push(summarise(name, program, figures, say));
    }
    return results;
  } finally {
    await mesh.close();
  }
}

function summarise(
  name: string,
  program: string,
  figures: readonly PushFigures[],
  say: (line: string) => void,
): BenchResult {
  const lastMs = figures.map(({ ackMs }) => max(ackMs));
  const all = figures.flatMap(({ ackMs }) => ackMs);
  const bytes = median(figures.map((each) => each.bytes));
  const rssMb = toMb(process.memoryUsage.rss());
  const pushed = median(figures.map(({ ackMs }) => ackMs.length));
  say(
    `${name} ${program}: compiled and handed over in ${round(median(figures.map(({ compileMs }) => compileMs)), 1)} ms, ` +
      `ACK p50 ${round(quantile(all, 0.5), 1)} ms, p99 ${round(quantile(all, 0.99), 1)} ms, last ${round(median(lastMs), 1)} ms ` +
      `(worst of ${changes}: ${round(max(lastMs), 1)}), ${pushed} pushes, ${Math.round(bytes / Math.max(1, pushed))} bytes each, ${rssMb} MB`,
  );
  return {
    case: name,
    program,
    rounds: figures.length,
    p50Us: Math.round(quantile(all, 0.5) * 1_000),
    p99Us: Math.round(quantile(all, 0.99) * 1_000),
    medianMs: round(median(lastMs), 1),
    maxMs: round(max(lastMs), 1),
    sizeBytes: Math.round(bytes),
    rssMb,
  };
}

/** The sample shop's eight real sidecars: from the call that a slider makes until all of them have acknowledged it. */
async function measureReal(say: (line: string) => void): Promise<BenchResult> {
  const projectDir = await mkdtemp(join(tmpdir(), 'bench-push-'));
  const served = await serveControlPlane(projectDir, ['--sample', '--no-docker']);
  try {
    await eventually(
      'all are attached',
      async () => (await served.call('mesh.status', {})).sidecars.acked >= 8,
      60_000,
    );
    const tookMs: number[] = [];
    for (let turn = 0; turn < realChanges; turn += 1) {
      const weights = [
        { subset: 'v1', weight: 90 - turn },
        { subset: 'v2', weight: 10 + turn },
      ];
      const startedAt = performance.now();
      const { applied } = await served.call('split.set', { service: 'payments', weights, pins: [] });
      tookMs.push(performance.now() - startedAt);
      if (applied.acked !== applied.of) throw new Error(`${applied.acked} of ${applied.of} sidecars acknowledged`);
    }
    const result = { medianMs: round(median(tookMs), 1), maxMs: round(max(tookMs), 1) };
    say(
      `8 real sidecars: the call of a slider to the last ACK ${result.medianMs} ms (worst of ${realChanges}: ${result.maxMs})`,
    );
    return { case: 'push-route', program: 'sample-shop', rounds: realChanges, ...result };
  } finally {
    await served.stop();
    await rm(projectDir, { recursive: true, force: true });
  }
}

export const pushCase: BenchCase = {
  name: 'push',
  needs: 'nothing',
  run: async (say) => {
    const results: BenchResult[] = [await measureReal(say)];
    for (const size of sizes) results.push(...(await measure(size, say)));
    return results;
  },
};
