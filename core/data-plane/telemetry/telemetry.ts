/**
 * What this sidecar counts, and the report that leaves once a second.
 *
 * edge    counters and a latency histogram per (peer, port, protocol, mTLS): numbers only, no list of requests
 * sample  a few requests per report as they happened, for people to look at; failed and flagged ones first
 *
 * Everything is bounded, whatever the traffic looks like. Nothing is reset by time: what a skipped report would have
 * said is part of the next one.
 */
import type { EdgeKey, RequestSample, TelemetryReport } from '../../model/telemetry-report.ts';
import type { Clock } from '../../shared/clock.ts';
import type { TelemetrySink } from '../connection.ts';
import { Edge } from './edge.ts';

/** More peers than this share one edge per direction, protocol and mTLS, without names. */
export const maxEdges = 1_000;
export const maxSamples = 40;
/** Of the samples, those that any request may take; the others are kept for failed and flagged ones. */
const maxOrdinarySamples = 30;
/** An edge without traffic is forgotten after this time. */
const idleEdgeMs = 60_000;

type Sample = Parameters<TelemetrySink['sample']>[0];

export interface TelemetryOptions {
  readonly clock: Clock;
  readonly processFigures: () => TelemetryReport['process'];
}

export class Telemetry implements TelemetrySink {
  readonly #options: TelemetryOptions;
  readonly #edges = new Map<string, Edge>();
  readonly #lastSeenMs = new Map<string, number>();
  readonly #faults = new Map<string, { seen: number; hits: number }>();
  #samples: RequestSample[] = [];
  #fromMs: number;

  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.#fromMs = options.clock.nowMs();
  }

  edge(key: EdgeKey): Edge {
    const id = toId(key);
    const known = this.#edges.get(id);
    if (known !== undefined) return known;
    if (this.#edges.size < maxEdges) return this.#add(id, key);
    const { serverName: _, ...unnamed } = key;
    const shared = {
      ...unnamed,
      peerService: null,
      peerWorkload: null,
      peerAddress: null,
      peerSpiffeId: null,
      port: 0,
    };
    const sharedId = toId(shared);
    return this.#edges.get(sharedId) ?? this.#add(sharedId, shared);
  }

  faultSeen(id: string, hit: boolean): void {
    const counts = this.#faults.get(id) ?? { seen: 0, hits: 0 };
    counts.seen += 1;
    if (hit) counts.hits += 1;
    this.#faults.set(id, counts);
  }

  wantsSample(status: number, flags: string): boolean {
    const isOrdinary = status > 0 && status < 500 && flags === '';
    return this.#samples.length < (isOrdinary ? maxOrdinarySamples : maxSamples);
  }

  sample(sample: Sample): void {
    if (!this.wantsSample(sample.status, sample.flags)) return;
    this.#samples.push({ atMs: this.#options.clock.nowMs(), ...sample });
  }

  /** Everything since the last call. */
  takeReport(): TelemetryReport {
    const toMs = this.#options.clock.nowMs();
    const edges = [...this.#edges.values()].filter((edge) => edge.isDirty || edge.active > 0);
    const report: TelemetryReport = {
      fromMs: this.#fromMs,
      toMs,
      edges: edges.map((edge) => edge.take()),
      samples: this.#samples,
      faults: [...this.#faults].map(([id, counts]) => ({ id, ...counts })),
      process: this.#options.processFigures(),
    };
    this.#samples = [];
    this.#faults.clear();
    this.#fromMs = toMs;
    this.#forgetIdle();
    return report;
  }

  #add(id: string, key: EdgeKey): Edge {
    // A recorder may be held longer than the edge is kept here; using it again brings the edge back.
    const edge = new Edge(key, (touched) => {
      this.#lastSeenMs.set(id, this.#options.clock.monotonicMs());
      if (!this.#edges.has(id)) this.#edges.set(id, touched);
    });
    this.#edges.set(id, edge);
    this.#lastSeenMs.set(id, this.#options.clock.monotonicMs());
    return edge;
  }

  #forgetIdle(): void {
    const before = this.#options.clock.monotonicMs() - idleEdgeMs;
    for (const [id, edge] of this.#edges) {
      if (edge.active > 0 || edge.isDirty || (this.#lastSeenMs.get(id) ?? 0) > before) continue;
      this.#edges.delete(id);
      this.#lastSeenMs.delete(id);
    }
  }
}

function toId(key: EdgeKey): string {
  const peer = `${key.peerService ?? ''} ${key.peerWorkload ?? ''} ${key.peerAddress ?? ''} ${key.peerSpiffeId ?? ''}`;
  return `${key.direction} ${peer} ${key.port} ${key.protocol} ${key.mtls} ${key.serverName ?? ''}`;
}
