import { eventually } from '../../support/eventually.ts';
import { BenchShop } from '../bench-shop.ts';
import { type BenchCase, type BenchResult, max, median } from '../result.ts';

const rounds = 5;

/** From the engine's answer that a container runs to its row in the list. */
async function measureDiscovery(bench: BenchShop): Promise<number> {
  const container = await bench.shop.add({ name: 'late', command: ['sleep', '60'] });
  const startedAt = performance.now();
  await eventually('it is listed', async () => {
    const listed = await bench.controlPlane.call('workload.list', {});
    return listed.some(({ id, state }) => id === container.id && state === 'running');
  });
  const tookMs = performance.now() - startedAt;
  await container.remove({ force: true });
  return tookMs;
}

/** How long one container takes to attach and to detach, with the sidecar image present, one after another. */
export const attachCase: BenchCase = {
  name: 'attach',
  needs: 'docker',
  run: async (say) => {
    const bench = new BenchShop();
    try {
      await bench.start();
      await bench.attach('server'); // builds the image when it is missing
      await bench.detach('server');
      const attachMs: number[] = [];
      const detachMs: number[] = [];
      const discoveryMs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        for (const short of ['server', 'client']) attachMs.push(...(await bench.attach(short)));
        for (const short of ['client', 'server']) detachMs.push(...(await bench.detach(short)));
        discoveryMs.push(await measureDiscovery(bench));
        say(
          `round ${round + 1}: discovery ${Math.round(discoveryMs.at(-1) ?? 0)} ms, attach ${attachMs.slice(-2).map(Math.round).join(' ')} ms, detach ${detachMs.slice(-2).map(Math.round).join(' ')} ms`,
        );
      }
      const toResult = (name: string, values: readonly number[]): BenchResult => ({
        case: name,
        program: 'meshdesk',
        rounds,
        medianMs: Math.round(median(values)),
        maxMs: Math.round(max(values)),
      });
      return [toResult('discovery', discoveryMs), toResult('attach', attachMs), toResult('detach', detachMs)];
    } finally {
      await bench.close();
    }
  },
};
