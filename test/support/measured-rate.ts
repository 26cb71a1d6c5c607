/** About as long as the window of the graph that is asked for. */
const windowMs = 5_000;

/** Rate per second of a count over the last seconds, to compare with what the graph shows; `null` until they have passed. */
export async function startMeasuring(count: () => Promise<number>): Promise<() => Promise<number | null>> {
  const samples = [{ atMs: performance.now(), total: await count() }];
  return async () => {
    const total = await count();
    const atMs = performance.now();
    samples.push({ atMs, total });
    while ((samples[1]?.atMs ?? atMs) <= atMs - windowMs) samples.shift();
    const [first] = samples;
    if (first === undefined || first.atMs > atMs - windowMs) return null;
    return ((total - first.total) / (atMs - first.atMs)) * 1_000;
  };
}

/** Whether a rate that is shown is the one that was measured, as well as two clocks agree. */
export function isRate(shown: number | null | undefined, measured: number | null): boolean {
  if (shown === null || shown === undefined || measured === null) return false;
  return shown > measured * 0.75 && shown < measured * 1.25;
}
