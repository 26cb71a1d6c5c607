/** Times between the attempts of a request, as the upstream saw them: statistically the same on both sides. */
import type { Difference } from './compare.ts';
import { forEachDraw } from './many.ts';
import { type Side, sendThrough } from './observe.ts';
import type { Ask } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';

/** All the pauses before the n-th repetition. */
export interface Pause {
  readonly count: number;
  readonly medianMs: number;
  /** Between the first and the third quartile. */
  readonly spreadMs: number;
}

/** As in the comparison of shares: one false alarm in some 300,000. */
const maxDeviation = 4.7;
/** What a busy machine adds. */
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

/** Medians, because a machine that stops for a moment makes a few pauses much longer. */
function summarize(values: readonly number[]): Pause {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) * 10) / 10;
  return { count: sorted.length, medianMs: at(0.5), spreadMs: Math.round((at(0.75) - at(0.25)) * 10) / 10 };
}

export function comparePauses(istio: readonly Pause[], meshdesk: readonly Pause[]): readonly Difference[] {
  const differences: Difference[] = [];
  const show = (pause: Pause | undefined) =>
    pause === undefined ? 'none' : `${pause.medianMs} ms (spread ${pause.spreadMs} ms, ${pause.count} times)`;
  for (let index = 0; index < Math.max(istio.length, meshdesk.length); index += 1) {
    const [a, b] = [istio[index], meshdesk[index]];
    if (a !== undefined && b !== undefined && a.count === b.count && areAlike(a, b)) continue;
    differences.push({ what: `pause before repetition ${index + 1}`, istio: show(a), meshdesk: show(b) });
  }
  return differences;
}

/** Of even distributions, medians and quartiles of two samples differ by chance no more than this. */
function areAlike(a: Pause, b: Pause): boolean {
  const error = Math.sqrt(a.spreadMs ** 2 / a.count + b.spreadMs ** 2 / b.count);
  const allowed = maxDeviation * error + noiseMs;
  return Math.abs(a.medianMs - b.medianMs) <= allowed && Math.abs(a.spreadMs - b.spreadMs) <= allowed;
}
