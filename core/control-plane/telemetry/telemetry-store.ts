/**
 * `telemetry/`: what the sidecars counted, kept for ten minutes in memory and asked for by window. Words: slot = one
 * second; ring = the slots of one edge to one version of its destination; reporter = the workload whose sidecar counted.
 * Must not: know snapshots or states; who is who comes from a `WorkloadDirectory`.
 */
import type { MethodOutput } from '../../contract/contract.ts';
import type { SidecarCost } from '../../contract/shapes.ts';
import type { EdgeCounters, RequestSample, TelemetryReport } from '../../model/telemetry-report.ts';
import type { Clock } from '../../shared/clock.ts';
import { EdgeRing, EdgeSum, ringSlots } from './edge-ring.ts';
import { type ResolvedEdge, resolveEdge, type WorkloadDirectory } from './resolve-edge.ts';

type RecentRequest = MethodOutput<'request.recent'>[number];

/** Edges are dropped, the longest idle first, beyond this many. */
const maxRings = 2_000;
const maxRecent = 2_000;

interface Reporter {
  lastSlot: number;
  rings: Map<EdgeRing, { active: number; mtls: number }>;
  cost: SidecarCost;
  unseenConnections: number | null;
}

/** Sum over the rings that a question is about, and over how many seconds. */
export interface WindowSum {
  readonly sum: EdgeSum;
  readonly seconds: number;
}

export class TelemetryStore {
  readonly #clock: Clock;
  readonly #directory: WorkloadDirectory;
  readonly #rings = new Map<string, EdgeRing>();
  readonly #reporters = new Map<string, Reporter>();
  readonly #faults = new Map<string, { seen: number; hits: number }>();
  readonly #recent: RecentRequest[] = [];
  #requestCount = 0;

  constructor(options: { readonly clock: Clock; readonly directory: WorkloadDirectory }) {
    this.#clock = options.clock;
    this.#directory = options.directory;
  }

  /** The newest second that has been reported, as a slot. */
  get endSlot(): number {
    return Math.floor(this.#clock.nowMs() / 1000) - 1;
  }

  rings(): Iterable<EdgeRing> {
    return this.#rings.values();
  }

  take(workloadId: string, report: TelemetryReport): void {
    const reporter = this.#reporter(workloadId);
    const slot = this.#nextSlot(reporter);
    const before = reporter.rings;
    reporter.lastSlot = slot;
    reporter.rings = new Map();
    const resolved = new Map<EdgeCounters, ResolvedEdge>();
    for (const counters of report.edges) {
      const edge = resolveEdge(counters.key, workloadId, this.#directory);
      if (edge === null) continue;
      resolved.set(counters, edge);
      this.#count(reporter, workloadId, slot, edge, counters);
    }
    for (const ring of before.keys()) if (!reporter.rings.has(ring)) ring.setGauge(workloadId, 0, 0);
    for (const [ring, gauge] of reporter.rings) ring.setGauge(workloadId, gauge.active, gauge.mtls);
    for (const { id, seen, hits } of report.faults) this.#countFault(id, seen, hits);
    for (const sample of report.samples) this.#remember(workloadId, sample, resolved);
    reporter.cost = toCost(report);
    reporter.unseenConnections = report.process.unseenConnections;
  }

  /** What a sidecar counted that is not in charge of the workload any more, or not yet: without cost and open connections. */
  takeLate(workloadId: string, report: TelemetryReport): void {
    const { lastSlot, cost } = this.#reporter(workloadId);
    const beside: Reporter = { lastSlot, cost, rings: new Map(), unseenConnections: null };
    for (const counters of report.edges) {
      const edge = resolveEdge(counters.key, workloadId, this.#directory);
      if (edge !== null) this.#count(beside, workloadId, lastSlot === 0 ? this.endSlot : lastSlot, edge, counters);
    }
    for (const { id, seen, hits } of report.faults) this.#countFault(id, seen, hits);
  }

  /** Its sidecar is gone: open connections and cost are no more; what was counted stays. */
  forget(workloadId: string): void {
    const reporter = this.#reporters.get(workloadId);
    for (const ring of reporter?.rings.keys() ?? []) ring.setGauge(workloadId, 0, 0);
    this.#reporters.delete(workloadId);
  }

  cost(workloadId: string): SidecarCost | null {
    return this.#reporters.get(workloadId)?.cost ?? null;
  }

  unseenConnections(workloadId: string): number | null {
    return this.#reporters.get(workloadId)?.unseenConnections ?? null;
  }

  faultCounts(id: string): { seen: number; hits: number } {
    return this.#faults.get(id) ?? { seen: 0, hits: 0 };
  }

  resetFault(id: string): void {
    this.#faults.delete(id);
  }

  /** A fault that the control plane makes itself: what it was tried on, and whether it acts. */
  faultSeen(id: string, hit: boolean): void {
    this.#countFault(id, 1, hit ? 1 : 0);
  }

  /**
   * What the chosen rings saw in the `seconds` up to `endSlot`. `seconds` of the answer is shorter when the first figure
   * is younger than that, so that a rate is right from its first second; it is 0 when there is none.
   */
  window(chosen: Iterable<EdgeRing>, seconds: number, endSlot = this.endSlot): WindowSum {
    const sum = new EdgeSum();
    let first = Number.POSITIVE_INFINITY;
    let last = 0;
    for (const ring of chosen) {
      ring.sumInto(sum, endSlot - seconds + 1, endSlot);
      first = Math.min(first, ring.firstSlot);
      last = Math.max(last, this.#reportedUntil(ring, endSlot));
    }
    const start = Math.max(first, endSlot - seconds + 1);
    return { sum, seconds: first === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.min(last, endSlot) - start + 1) };
  }

  /**
   * What was spoken on the edges to `to` (`from: null`: all of them) in the last ten minutes; `null`: nothing was. A
   * connection on which nothing was said, such as a probe, speaks no protocol.
   */
  protocolOf(from: string | null, to: string): 'http' | 'tcp' | null {
    const rings = [...this.#rings.values()].filter((ring) => ring.to === to && (from === null || ring.from === from));
    if (rings.some((ring) => ring.protocol === 'http')) return 'http';
    return this.window(rings, ringSlots).sum.bytes > 0 ? 'tcp' : null;
  }

  /** Requests per second and error share of everything, over the last 10 s. */
  totals(): { requestsPerSecond: number; errorPercent: number | null } {
    const { sum, seconds } = this.window(this.#rings.values(), 10);
    return {
      requestsPerSecond: seconds === 0 ? 0 : sum.requests / seconds,
      errorPercent: sum.requests === 0 ? null : (sum.errors / sum.requests) * 100,
    };
  }

  /** By its id; `null`: it is not kept any more. Caller and endpoint are workload ids. */
  request(id: string): RecentRequest | null {
    return this.#recent.find((request) => request.id === id) ?? null;
  }

  /** Newest first. `from` and `to` are node ids, caller and endpoint workload ids. */
  recent(query: { from: string | null; to: string | null; limit: number }): RecentRequest[] {
    return this.#recent
      .filter((request) => (query.from ?? request.from) === request.from && (query.to ?? request.to) === request.to)
      .sort((a, b) => b.atMs - a.atMs)
      .slice(0, query.limit);
  }

  #reporter(workloadId: string): Reporter {
    const known = this.#reporters.get(workloadId);
    if (known !== undefined) return known;
    const cost = { rssBytes: 0, cpuPercent: 0, eventLoopLagMs: 0 };
    const reporter: Reporter = { lastSlot: 0, rings: new Map(), cost, unseenConnections: null };
    this.#reporters.set(workloadId, reporter);
    return reporter;
  }

  /** A report is of the second before it came; one that is early or late by a little still gets a second of its own. */
  #nextSlot(reporter: Reporter): number {
    const expected = this.endSlot;
    const following = reporter.lastSlot + 1;
    return Math.abs(following - expected) <= 1 ? following : expected;
  }

  #reportedUntil(ring: EdgeRing, endSlot: number): number {
    let until = 0;
    for (const id of ring.reporters) until = Math.max(until, this.#reporters.get(id)?.lastSlot ?? 0);
    return until < endSlot - 3 ? endSlot : until;
  }

  #count(reporter: Reporter, id: string, slot: number, edge: ResolvedEdge, counters: EdgeCounters): void {
    const ring = this.#ring(edge, counters.key.protocol === 'tcp' ? 'tcp' : 'http', slot);
    ring.reporters.add(id);
    ring.add(slot, counters);
    const gauge = reporter.rings.get(ring) ?? { active: 0, mtls: 0 };
    gauge.active += counters.activeConnections;
    if (counters.key.mtls) gauge.mtls += counters.activeConnections;
    reporter.rings.set(ring, gauge);
  }

  #ring(edge: ResolvedEdge, protocol: 'http' | 'tcp', slot: number): EdgeRing {
    const id = `${edge.from}\n${edge.to}\n${edge.version ?? ''}\n${protocol}`;
    const known = this.#rings.get(id);
    if (known !== undefined) return known;
    if (this.#rings.size >= maxRings) this.#dropIdlest();
    for (const [old, ring] of this.#rings) if (ring.lastSlot < slot - ringSlots) this.#rings.delete(old);
    const ring = new EdgeRing(edge.from, edge.to, edge.version, protocol);
    this.#rings.set(id, ring);
    return ring;
  }

  #dropIdlest(): void {
    let idlest: string | null = null;
    let slot = Number.POSITIVE_INFINITY;
    for (const [id, ring] of this.#rings) {
      if (ring.lastSlot >= slot) continue;
      idlest = id;
      slot = ring.lastSlot;
    }
    if (idlest !== null) this.#rings.delete(idlest);
  }

  #countFault(id: string, seen: number, hits: number): void {
    const counts = this.#faults.get(id) ?? { seen: 0, hits: 0 };
    this.#faults.set(id, { seen: counts.seen + seen, hits: counts.hits + hits });
  }

  #remember(reporterId: string, sample: RequestSample, resolved: ReadonlyMap<EdgeCounters, ResolvedEdge>): void {
    const nodes = this.#nodesOf(reporterId, sample, resolved);
    if (nodes === null) return;
    const { atMs, route, method, path, status, flags, durationMs, mtls } = sample;
    const { host = null, port = null, attempts = null, workload: endpoint, headers = [] } = sample;
    const caller = this.#directory.byId(reporterId)?.service === nodes.from ? reporterId : null;
    this.#requestCount += 1;
    this.#recent.push({
      ...{ id: `r${this.#requestCount}`, atMs, ...nodes, route, method, path, status, flags, durationMs, mtls },
      ...{ caller, host, port, endpoint, attempts, headers: headers.map(([name, value]) => ({ name, value })) },
    });
    if (this.#recent.length > maxRecent) this.#recent.splice(0, maxRecent / 4);
  }

  /** A sample without a service came in, or left the mesh; the edges of the same report say which. */
  #nodesOf(
    reporterId: string,
    sample: RequestSample,
    resolved: ReadonlyMap<EdgeCounters, ResolvedEdge>,
  ): Pick<RecentRequest, 'from' | 'to' | 'version'> | null {
    const reporter = this.#directory.byId(reporterId);
    if (reporter === null) return null;
    if (sample.service !== null) {
      const version = sample.workload === null ? null : (this.#directory.byId(sample.workload)?.version ?? null);
      return { from: reporter.service, to: sample.service, version };
    }
    const candidates = [...resolved].filter(
      ([{ key }]) => key.protocol !== 'tcp' && key.peerService === null && key.mtls === sample.mtls,
    );
    const [only, ...others] = candidates;
    return only === undefined || others.length > 0 ? null : only[1];
  }
}

function toCost(report: TelemetryReport): SidecarCost {
  const { rssBytes, cpuUs, eventLoopLagMs, overload, udp, leftOut } = report.process;
  const elapsedMs = Math.max(1, report.toMs - report.fromMs);
  const perSecond = (count: number) => (count * 1000) / elapsedMs;
  return {
    rssBytes,
    cpuPercent: (cpuUs / 1000 / elapsedMs) * 100,
    eventLoopLagMs,
    ...(overload?.reason ? { overload: overload.reason } : {}),
    ...(leftOut ? { leftOut } : {}),
    ...(udp ? { udpPerSecond: { sent: perSecond(udp.packetsSent), received: perSecond(udp.packetsReceived) } } : {}),
  };
}
