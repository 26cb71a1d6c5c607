import { BenchShop } from '../bench-shop.ts';
import { type BenchCase, max, median } from '../result.ts';

const rounds = 5;

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
      for (let round = 0; round < rounds; round += 1) {
        for (const short of ['server', 'client']) attachMs.push(...(await bench.attach(short)));
        for (const short of ['client', 'server']) detachMs.push(...(await bench.detach(short)));
        say(
          `round ${round + 1}: attach ${attachMs.slice(-2).map(Math.round).join(' ')} ms, detach ${detachMs.slice(-2).map(Math.round).join(' ')} ms`,
        );
      }
      return [
        {
          case: 'attach',
          program: 'meshdesk',
          rounds,
          medianMs: Math.round(median(attachMs)),
          maxMs: Math.round(max(attachMs)),
        },
        {
          case: 'detach',
          program: 'meshdesk',
          rounds,
          medianMs: Math.round(median(detachMs)),
          maxMs: Math.round(max(detachMs)),
        },
      ];
    } finally {
      await bench.close();
    }
  },
};
