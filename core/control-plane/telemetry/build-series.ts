import type { Series, SplitView } from '../../contract/shapes.ts';
import { ringSlots } from './edge-ring.ts';
import type { TelemetryStore } from './telemetry-store.ts';

export type SeriesMarker = Series['markers'][number];

/** One point a second for an edge, or for everything that reaches `to`; at most the ten minutes that are kept. */
export function buildSeries(
  store: TelemetryStore,
  query: { readonly from: string | null; readonly to: string; readonly seconds: number },
  markers: readonly SeriesMarker[],
): Series {
  const rings = [...store.rings()].filter(
    (ring) => ring.to === query.to && (query.from === null || ring.from === query.from),
  );
  const seconds = Math.min(query.seconds, ringSlots);
  const endSlot = store.endSlot;
  const fromMs = (endSlot - seconds + 1) * 1000;
  const series: Series = {
    fromMs,
    stepMs: 1000,
    requestsPerSecond: [],
    errorPercent: [],
    p50Ms: [],
    p95Ms: [],
    p99Ms: [],
    bytesPerSecond: [],
    markers: markers.filter((marker) => marker.atMs >= fromMs),
  };
  for (let slot = endSlot - seconds + 1; slot <= endSlot; slot += 1) {
    const { sum } = store.window(rings, 1, slot);
    const has = sum.requests > 0;
    series.requestsPerSecond.push(has ? sum.requests : null);
    series.errorPercent.push(has ? (sum.errors / sum.requests) * 100 : null);
    series.p50Ms.push(sum.latency.percentileMs(50));
    series.p95Ms.push(sum.latency.percentileMs(95));
    series.p99Ms.push(sum.latency.percentileMs(99));
    series.bytesPerSecond.push(sum.bytes > 0 ? sum.bytes : null);
  }
  return series;
}

/** What the versions of a service really got in the window, over all callers. */
export function buildObservedSplit(
  store: TelemetryStore,
  query: { readonly service: string; readonly versions: readonly string[]; readonly windowSeconds: number },
): SplitView['observed'] {
  const rings = [...store.rings()].filter((ring) => ring.to === query.service && ring.protocol === 'http');
  const sums = query.versions.map((version) => ({
    version,
    sum: store.window(
      rings.filter((ring) => ring.version === version),
      query.windowSeconds,
    ).sum,
  }));
  const total = sums.reduce((requests, { sum }) => requests + sum.requests, 0);
  return sums.map(({ version, sum }) => ({
    version,
    percent: total === 0 ? null : (sum.requests / total) * 100,
    requests: sum.requests,
    successPercent: sum.requests === 0 ? null : ((sum.requests - sum.errors) / sum.requests) * 100,
    p95Ms: sum.latency.percentileMs(95),
  }));
}
