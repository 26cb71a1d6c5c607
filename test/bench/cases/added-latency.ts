import { BenchShop, type LoadFigures } from '../bench-shop.ts';
import { type BenchCase, type BenchResult, median, toMb } from '../result.ts';

const rounds = 5;
const load = { connections: 8, durationMs: 6_000, warmUpMs: 2_000 };
const ratePerSecond = 1_000;

interface Round {
  readonly direct: LoadFigures;
  readonly oneSidecar: LoadFigures;
  readonly twoSidecars: LoadFigures;
  readonly rssMb: number;
  readonly cpuPercent: number;
}

/** Direct, through the server's sidecar, and through both, in turn, so that a slow minute of the machine hits all three. */
async function runRound(bench: BenchShop): Promise<Round> {
  const direct = await bench.load({ ...load, ratePerSecond });
  await bench.attach('server');
  const oneSidecar = await bench.load({ ...load, ratePerSecond });
  await bench.attach('client');
  const running = bench.load({ ...load, ratePerSecond });
  await new Promise((resolve) => setTimeout(resolve, load.durationMs - 1_000));
  const costs = (await bench.controlPlane.call('workload.list', {})).flatMap(({ cost }) =>
    cost === null ? [] : [cost],
  );
  const twoSidecars = await running;
  await bench.detach('client', 'server');
  return {
    direct,
    oneSidecar,
    twoSidecars,
    rssMb: toMb(Math.max(...costs.map(({ rssBytes }) => rssBytes))),
    cpuPercent: Math.max(...costs.map(({ cpuPercent }) => cpuPercent)),
  };
}

function toResult(program: string, rows: readonly Round[], pick: (round: Round) => LoadFigures): BenchResult {
  const figures = rows.map(pick);
  return {
    case: 'added-latency',
    program,
    rounds,
    connections: load.connections,
    ratePerSecond,
    requestsPerSecond: Math.round(median(figures.map(({ achievedPerSecond }) => achievedPerSecond))),
    failures: figures.reduce((sum, { failures }) => sum + failures, 0),
    p50Us: Math.round(median(figures.map(({ p50Us }) => p50Us))),
    p99Us: Math.round(median(figures.map(({ p99Us }) => p99Us))),
    p50Ratio: Math.round(median(rows.map((round) => pick(round).p50Us / round.direct.p50Us)) * 100) / 100,
    p99Ratio: Math.round(median(rows.map((round) => pick(round).p99Us / round.direct.p99Us)) * 100) / 100,
  };
}

/** What one and two sidecars add at a constant 1,000 requests/s (open loop), and what a sidecar costs meanwhile. */
export const addedLatencyCase: BenchCase = {
  name: 'added-latency',
  needs: 'docker',
  run: async (say) => {
    const bench = new BenchShop();
    try {
      await bench.start();
      const rows: Round[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const row = await runRound(bench);
        rows.push(row);
        const show = ({ p50Us, p99Us, failures }: LoadFigures) =>
          `${p50Us}/${p99Us}${failures > 0 ? ` (${failures} failed)` : ''}`;
        say(
          `round ${round + 1}: p50/p99 us direct ${show(row.direct)}, one ${show(row.oneSidecar)}, two ${show(row.twoSidecars)}; ${row.rssMb} MB, ${row.cpuPercent.toFixed(1)} % CPU`,
        );
      }
      return [
        toResult('direct', rows, ({ direct }) => direct),
        toResult('one-sidecar', rows, ({ oneSidecar }) => oneSidecar),
        toResult('two-sidecars', rows, ({ twoSidecars }) => twoSidecars),
        {
          case: 'sidecar-cost',
          program: 'meshdesk',
          rounds,
          ratePerSecond,
          rssMb: median(rows.map(({ rssMb }) => rssMb)),
          cpuPercent: Math.round(median(rows.map(({ cpuPercent }) => cpuPercent)) * 10) / 10,
        },
      ];
    } finally {
      await bench.close();
    }
  },
};
