import type { Badge, Topology, TopologyEdge, TopologyNode } from '../../contract/shapes.ts';
import type { MeshState } from '../../model/workload.ts';
import { type EdgeRing, ringSlots } from './edge-ring.ts';
import type { TelemetryStore, WindowSum } from './telemetry-store.ts';

/** What is known besides the counters. */
export interface TopologyInput {
  readonly windowSeconds: number;
  readonly atMs: number;
  readonly revision: number;
  readonly services: readonly {
    readonly key: string;
    /** Default: service. */
    readonly kind?: 'service' | 'gateway';
    readonly name: string;
    readonly namespace: string;
    readonly project: string | null;
    readonly versions: readonly string[];
    readonly workloads: readonly { id: string; name: string; version: string | null; mesh: MeshState }[];
  }[];
  /** Hosts that no workload serves but ServiceEntries declare, by key. */
  readonly hosts: readonly string[];
  /** Active faults, splits and timeouts of an edge. */
  readonly badges: (from: string, to: string) => readonly Badge[];
}

/** The graph of the window: every known service, idle or not, plus whoever else was seen. Sorted, so that it is stable. */
export function buildTopology(store: TelemetryStore, input: TopologyInput): Topology {
  const pairs = new Map<string, EdgeRing[]>();
  const incoming = new Map<string, EdgeRing[]>();
  const serviceIds = new Set(input.services.map((service) => service.key));
  const ids = new Set([...serviceIds, ...input.hosts]);
  const known = (id: string) => ids.has(id) || id.startsWith('caller:') || id.startsWith('outside:');
  for (const ring of store.rings()) {
    // A service that is gone takes its edges along.
    if (!known(ring.from) || !known(ring.to)) continue;
    append(pairs, `${ring.from}->${ring.to}`, ring);
    append(incoming, ring.to, ring);
  }
  const edges = [...pairs].map(([id, rings]) => toEdge(id, rings, store, input)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const seen = edges.flatMap((edge) => [edge.from, edge.to]);
  const others = [...new Set([...seen, ...input.hosts])].filter((id) => !serviceIds.has(id)).sort();
  const nodes = [
    ...input.services.map((service) =>
      toServiceNode(service, figuresOf(incoming.get(service.key) ?? [], store, input)),
    ),
    ...others.map((id) => toOtherNode(id, figuresOf(incoming.get(id) ?? [], store, input))),
  ];
  return { windowSeconds: input.windowSeconds, atMs: input.atMs, revision: input.revision, nodes, edges };
}

function append(map: Map<string, EdgeRing[]>, key: string, ring: EdgeRing): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [ring]);
  else list.push(ring);
}

/** Figures that edges and nodes share; `null` where there is no data, which is not the same as zero. */
function toFigures({ sum, seconds }: WindowSum) {
  const hasRequests = sum.requests > 0;
  const hasTcp = !hasRequests && (sum.opened > 0 || sum.bytes > 0 || sum.active > 0);
  return {
    requestsPerSecond: hasRequests ? sum.requests / seconds : null,
    errorPercent: hasRequests ? (sum.errors / sum.requests) * 100 : null,
    p50Ms: sum.latency.percentileMs(50),
    p95Ms: sum.latency.percentileMs(95),
    p99Ms: sum.latency.percentileMs(99),
    tcp: hasTcp ? { connections: sum.active, bytesPerSecond: seconds === 0 ? 0 : sum.bytes / seconds } : null,
  };
}

function figuresOf(rings: readonly EdgeRing[], store: TelemetryStore, input: TopologyInput) {
  const http = toFigures(store.window(rings.filter(isHttp), input.windowSeconds));
  const tcp = toFigures(
    store.window(
      rings.filter((ring) => !isHttp(ring)),
      input.windowSeconds,
    ),
  );
  return {
    requestsPerSecond: http.requestsPerSecond,
    errorPercent: http.errorPercent,
    p95Ms: http.p95Ms,
    tcp: tcp.tcp,
  };
}

const isHttp = (ring: EdgeRing) => ring.protocol === 'http';

function toEdge(id: string, rings: EdgeRing[], store: TelemetryStore, input: TopologyInput): TopologyEdge {
  const [first] = rings;
  const { from, to } = first ?? { from: '', to: '' };
  const all = store.window(rings, input.windowSeconds);
  const http = toFigures(store.window(rings.filter(isHttp), input.windowSeconds));
  const tcpRings = rings.filter((ring) => !isHttp(ring));
  const tcp = toFigures(store.window(tcpRings, input.windowSeconds)).tcp;
  const hasHttp = rings.some(isHttp);
  return {
    id,
    from,
    to,
    protocol: hasHttp ? 'http' : 'tcp',
    ...toMtls(all.sum.isIdle ? store.window(rings, ringSlots) : all),
    requestsPerSecond: http.requestsPerSecond,
    errorPercent: http.errorPercent,
    p50Ms: http.p50Ms,
    p95Ms: http.p95Ms,
    p99Ms: http.p99Ms,
    // A connection on which nothing was said (a probe) does not make an HTTP edge a TCP one as well.
    tcp: hasHttp && tcp !== null && tcp.connections === 0 && tcp.bytesPerSecond === 0 ? null : tcp,
    flags: Object.fromEntries([...all.sum.flags].sort(([a], [b]) => (a < b ? -1 : 1))),
    badges: [...input.badges(from, to)],
    versions: toVersions(rings.filter(isHttp), store, input.windowSeconds),
  };
}

/** By requests where there are any, else by connections. */
function toMtls({ sum }: WindowSum): Pick<TopologyEdge, 'mtls' | 'mtlsPercent'> {
  const connections = Math.max(sum.active, sum.opened);
  const secured = Math.max(sum.mtlsActive, sum.mtlsOpened);
  const [part, whole] = sum.wireRequests > 0 ? [sum.mtlsRequests, sum.wireRequests] : [secured, connections];
  const mtlsPercent = whole === 0 ? 0 : Math.min(100, (part / whole) * 100);
  return { mtls: mtlsPercent === 100 ? 'closed' : mtlsPercent === 0 ? 'open' : 'half', mtlsPercent };
}

function toVersions(
  rings: readonly EdgeRing[],
  store: TelemetryStore,
  windowSeconds: number,
): TopologyEdge['versions'] {
  const byVersion = new Map<string | null, EdgeRing[]>();
  for (const ring of rings) byVersion.set(ring.version, [...(byVersion.get(ring.version) ?? []), ring]);
  const sums = [...byVersion].map(([version, list]) => ({ version, sum: store.window(list, windowSeconds).sum }));
  const total = sums.reduce((requests, { sum }) => requests + sum.requests, 0);
  if (total === 0) return [];
  return sums
    .filter(({ sum }) => sum.requests > 0)
    .map(({ version, sum }) => ({
      version,
      percent: (sum.requests / total) * 100,
      successPercent: ((sum.requests - sum.errors) / sum.requests) * 100,
      p95Ms: sum.latency.percentileMs(95),
    }))
    .sort((a, b) => ((a.version ?? '') < (b.version ?? '') ? -1 : 1));
}

type NodeFigures = Pick<TopologyNode, 'requestsPerSecond' | 'errorPercent' | 'p95Ms' | 'tcp'>;

function toServiceNode(service: TopologyInput['services'][number], figures: NodeFigures): TopologyNode {
  const isMeshed = (mesh: MeshState) => mesh === 'attached' || mesh === 'degraded';
  const meshed = service.workloads.filter((workload) => isMeshed(workload.mesh)).length;
  return {
    id: service.key,
    kind: service.kind ?? 'service',
    service: service.name,
    namespace: service.namespace,
    project: service.project,
    versions: [...service.versions],
    workloads: [...service.workloads],
    mesh: meshed === 0 ? 'detached' : meshed === service.workloads.length ? 'attached' : 'partly',
    ...figures,
  };
}

function toOtherNode(id: string, figures: NodeFigures): TopologyNode {
  const colon = id.indexOf(':');
  return {
    id,
    kind: id.startsWith('caller:') ? 'caller' : 'outside',
    service: id.slice(colon + 1),
    namespace: null,
    project: null,
    versions: [],
    workloads: [],
    mesh: 'detached',
    ...figures,
  };
}
