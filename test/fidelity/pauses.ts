/** Times between the attempts of a request, as the upstream saw them: statistically the same on both sides. */
import type { Difference } from './compare.ts';
import { forEachDraw } from './many.ts';
import { type Side, sendThrough } from './observe.ts';
import type { Ask } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';

/** All the pauses before the n-th repetition. */
export interface Pause {
  readonly count: number;
  readonly meanMs: number;
  readonly deviationMs: number;
}

/** As in the comparison of shares: one false alarm in some 300,000. */
const maxDeviation = 4.7;
/** What a busy machine adds, besides a tenth of the mean. */
const noiseMs = 10;

/** Of every request, the pauses before its first, second ... repetition. */
export async function drawPauses(side: Side, upstreams: Upstreams, host: string, ask: Ask): Promise<readonly Pause[]> {
  const pauses: number[][] = [];
  await forEachDraw(ask.repeat ?? 1, async () => {
    const { id } = await sendThrough(side, host, ask);
    const times = upstreams.take(id).map(({ atMs = 0 }) => atMs);
    for (const [index, atMs] of times.slice(1).entries()) {
      const own = pauses[index] ?? [];
      pauses[index] = own;
      own.push(atMs - (times[index] ?? 0));
    }
  });
  return pauses.map(summarize);
}

function summarize(values: readonly number[]): Pause {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, count - 1);
  const rounded = (value: number) => Math.round(value * 10) / 10;
  return { count, meanMs: rounded(mean), deviationMs: rounded(Math.sqrt(variance)) };
}

export function comparePauses(istio: readonly Pause[], meshdesk: readonly Pause[]): readonly Difference[] {
  const differences: Difference[] = [];
  const show = (pause: Pause | undefined) =>
    pause === undefined ? 'none' : `${pause.meanMs} ms (deviation ${pause.deviationMs} ms, ${pause.count} times)`;
  for (let index = 0; index < Math.max(istio.length, meshdesk.length); index += 1) {
    const [a, b] = [istio[index], meshdesk[index]];
    if (a !== undefined && b !== undefined && a.count === b.count && areAlike(a, b)) continue;
    differences.push({ what: `pause before repetition ${index + 1}`, istio: show(a), meshdesk: show(b) });
  }
  return differences;
}

/** The mean of two samples, and for even distributions half the width, differ by chance no more than this. */
function areAlike(a: Pause, b: Pause): boolean {
  const error = Math.sqrt(a.deviationMs ** 2 / a.count + b.deviationMs ** 2 / b.count);
  const allowed = maxDeviation * error + noiseMs + a.meanMs / 10;
  return Math.abs(a.meanMs - b.meanMs) <= allowed && Math.abs(a.deviationMs - b.deviationMs) <= allowed;
}
