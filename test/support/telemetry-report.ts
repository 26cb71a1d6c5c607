import type { EdgeCounters, EdgeKey, RequestSample, TelemetryReport } from '../../core/model/telemetry-report.ts';
import { Histogram } from '../../core/shared/histogram.ts';

/** Counters of an outbound HTTP edge; `latenciesMs` also says how many requests there were. */
export function httpEdge(
  key: Partial<EdgeKey>,
  latenciesMs: readonly number[],
  statuses: Partial<EdgeCounters['requests']> = {},
  changes: Partial<EdgeCounters> = {},
): EdgeCounters {
  const histogram = new Histogram();
  for (const ms of latenciesMs) histogram.record(ms * 1000);
  const others = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  return {
    key: {
      direction: 'outbound',
      peerService: null,
      peerWorkload: null,
      peerAddress: null,
      peerSpiffeId: null,
      port: 80,
      protocol: 'http/1.1',
      mtls: true,
      ...key,
    },
    requests: { '1xx': 0, '2xx': latenciesMs.length - others, '3xx': 0, '4xx': 0, '5xx': 0, other: 0, ...statuses },
    flags: {},
    latencyUs: histogram.toSparse().map(([bucket, count]) => [bucket, count]),
    bytesSent: 0,
    bytesReceived: 0,
    connectionsOpened: 0,
    connectionsClosed: 0,
    activeConnections: 0,
    ...changes,
  };
}

export function tcpEdge(key: Partial<EdgeKey>, changes: Partial<EdgeCounters>): EdgeCounters {
  return httpEdge({ protocol: 'tcp', ...key }, [], {}, changes);
}

export function toReport(
  edges: EdgeCounters[],
  samples: RequestSample[] = [],
  changes: Partial<TelemetryReport> = {},
): TelemetryReport {
  const process = { rssBytes: 50_000_000, cpuUs: 20_000, eventLoopLagMs: 1, connections: 3, unseenConnections: 2 };
  return { fromMs: 0, toMs: 1_000, edges, samples, faults: [], process, ...changes };
}
