import { BenchShop } from '../bench-shop.ts';
import { type BenchCase, max, median } from '../result.ts';

const rounds = 10;

/** Prints the wall clock of the first answer that is not 200, calling every 2 ms on one connection. */
const watcher = `
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const timer = setInterval(() => http.get('http://server:8080/', { agent }, (response) => {
  response.resume();
  if (response.statusCode !== 200) { console.log('first ' + Date.now()); process.exit(); }
}).on('error', () => undefined), 2);
setTimeout(() => process.exit(), 10000);
console.log('ready');
`;

/** From the call that a switch in the UI makes to the first request that is hit. */
export const toggleCase: BenchCase = {
  name: 'toggle',
  needs: 'docker',
  run: async (say) => {
    const bench = new BenchShop();
    try {
      await bench.start();
      await bench.attach('server', 'client');
      const { id } = await bench.controlPlane.call('fault.set', {
        from: null,
        to: bench.shop.name('server'),
        action: { kind: 'abort', httpStatus: 503 },
        percent: 100,
        enabled: false,
      });
      const delaysMs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const printed = bench.shop.exec('client', ['node', '-e', watcher]);
        await new Promise((resolve) => setTimeout(resolve, 700));
        const switchedAt = Date.now();
        await bench.controlPlane.call('fault.toggle', { id, enabled: true });
        const first = Number(/first (\d+)/.exec(await printed)?.[1] ?? Number.NaN);
        if (Number.isNaN(first)) throw new Error('no request was hit within 10 s');
        delaysMs.push(first - switchedAt);
        await bench.controlPlane.call('fault.toggle', { id, enabled: false });
      }
      say(`ms from toggle to first hit: ${delaysMs.join(' ')}`);
      return [
        {
          case: 'toggle',
          program: 'meshdesk',
          rounds,
          medianMs: Math.round(median(delaysMs)),
          maxMs: Math.round(max(delaysMs)),
        },
      ];
    } finally {
      await bench.close();
    }
  },
};
