import { describe, expect, it } from 'vitest';
import type { Topology } from '../../../core/contract/shapes.ts';
import { buildObservedSplit, buildSeries } from '../../../core/control-plane/telemetry/build-series.ts';
import { buildTopology } from '../../../core/control-plane/telemetry/build-topology.ts';
import type { KnownWorkload, WorkloadDirectory } from '../../../core/control-plane/telemetry/resolve-edge.ts';
import { TelemetryStore } from '../../../core/control-plane/telemetry/telemetry-store.ts';
import type { EdgeCounters } from '../../../core/model/telemetry-report.ts';
import { httpEdge, tcpEdge, toReport } from '../../support/telemetry-report.ts';

class Directory implements WorkloadDirectory {
  readonly known: (KnownWorkload & { address: string })[] = [
    { id: 'web', service: 'web.shop', version: null, attached: true, address: '10.0.0.2' },
    { id: 'pay1', service: 'payments.shop', version: 'v1', attached: true, address: '10.0.0.3' },
    { id: 'pay2', service: 'payments.shop', version: 'v2', attached: true, address: '10.0.0.4' },
    { id: 'db', service: 'db.shop', version: '7', attached: false, address: '10.0.0.5' },
    { id: 'cron', service: 'cron.shop', version: null, attached: false, address: '10.0.0.6' },
  ];
  byId(id: string) {
    return this.known.find((workload) => workload.id === id) ?? null;
  }
  byAddress(address: string) {
    return this.known.find((workload) => workload.address === address) ?? null;
  }
  isLocal(address: string) {
    return address === '10.0.0.1';
  }
}

function createStore() {
  const time = { nowMs: 1_000_000_500 };
  const store = new TelemetryStore({
    clock: { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs },
    directory: new Directory(),
  });
  /** One report a second, the newest just now. */
  const seconds = (count: number, workload: string, edges: EdgeCounters[]) => {
    for (let second = 0; second < count; second += 1) {
      if (second > 0) time.nowMs += 1_000;
      store.take(workload, toReport(edges));
    }
  };
  return { time, store, seconds };
}

const services = ['web', 'payments', 'db', 'cron'].map((name) => ({
  key: `${name}.shop`,
  name,
  namespace: 'shop',
  project: 'shop',
  versions: name === 'payments' ? ['v1', 'v2'] : [],
  workloads: [{ id: name, name, version: null, mesh: name === 'web' ? ('attached' as const) : ('detached' as const) }],
}));

const topologyOf = (store: TelemetryStore, windowSeconds = 30): Topology =>
  buildTopology(store, { windowSeconds, atMs: 0, revision: 1, services, hosts: [], badges: () => [] });
const edgeOf = (topology: Topology, id: string) => {
  const edge = topology.edges.find((candidate) => candidate.id === id);
  if (edge === undefined) throw new Error(`${id} is not among ${topology.edges.map((other) => other.id).join(', ')}`);
  return edge;
};
const repeat = (count: number, ms: number) => new Array<number>(count).fill(ms);

describe('rates', () => {
  it('divide by the seconds that were covered, from the first one on', () => {
    const { store, seconds } = createStore();
    const edges = [httpEdge({ peerService: 'payments.shop', peerWorkload: 'pay1' }, repeat(20, 5))];
    seconds(1, 'web', edges);
    expect(edgeOf(topologyOf(store), 'web.shop->payments.shop').requestsPerSecond).toBe(20);
    seconds(4, 'web', edges);
    expect(edgeOf(topologyOf(store), 'web.shop->payments.shop').requestsPerSecond).toBe(20);
    seconds(60, 'web', edges);
    expect(edgeOf(topologyOf(store), 'web.shop->payments.shop').requestsPerSecond).toBe(20);
  });

  it('count a pause as no requests', () => {
    const { store, seconds } = createStore();
    seconds(10, 'web', [httpEdge({ peerService: 'payments.shop', peerWorkload: 'pay1' }, repeat(30, 5))]);
    seconds(11, 'web', []);
    expect(edgeOf(topologyOf(store, 20), 'web.shop->payments.shop').requestsPerSecond).toBeCloseTo(15, 5);
  });

  it('leave edges and nodes without traffic at null, not at zero', () => {
    const { store, seconds } = createStore();
    seconds(2, 'web', [httpEdge({ peerService: 'payments.shop', peerWorkload: 'pay1' }, repeat(3, 5))]);
    seconds(60, 'web', []);
    const topology = topologyOf(store);
    expect(edgeOf(topology, 'web.shop->payments.shop')).toMatchObject({
      requestsPerSecond: null,
      errorPercent: null,
      p95Ms: null,
      mtls: 'closed',
    });
    expect(topology.nodes.map(({ id, requestsPerSecond, tcp }) => [id, requestsPerSecond, tcp])).toEqual(
      services.map(({ key }) => [key, null, null]),
    );
  });
});

describe('an edge', () => {
  it('stays closed while the sidecar itself answers some of its requests', () => {
    const { store, seconds } = createStore();
    seconds(2, 'web', [
      httpEdge({ peerService: 'payments.shop', peerWorkload: 'pay1', peerAddress: '10.0.0.8' }, repeat(90, 10)),
      httpEdge({ peerService: 'payments.shop', mtls: false }, repeat(10, 1), { '5xx': 10 }, { flags: { FI: 10 } }),
    ]);
    expect(edgeOf(topologyOf(store), 'web.shop->payments.shop')).toMatchObject({
      mtls: 'closed',
      mtlsPercent: 100,
      errorPercent: 10,
    });
  });

  it('has exact shares and percentiles', () => {
    const { store, seconds } = createStore();
    seconds(2, 'web', [
      httpEdge({ peerService: 'payments.shop', peerWorkload: 'pay1' }, [...repeat(80, 10), ...repeat(10, 400)], {
        '5xx': 4,
        other: 1,
        '4xx': 5,
      }),
      httpEdge(
        { peerService: 'payments.shop', peerWorkload: 'pay2', peerAddress: '10.0.0.9', mtls: false },
        repeat(10, 20),
        {},
        { flags: { FI: 2 } },
      ),
    ]);
    const edge = edgeOf(topologyOf(store), 'web.shop->payments.shop');
    expect(edge).toMatchObject({
      protocol: 'http',
      mtls: 'half',
      mtlsPercent: 90,
      requestsPerSecond: 100,
      errorPercent: 5,
      flags: { FI: 4 },
    });
    expect(edge.p50Ms).toBeCloseTo(10, -0.5);
    expect(edge.p95Ms).toBeGreaterThan(375);
    expect(edge.p95Ms).toBeLessThan(425);
    expect(edge.versions.map(({ version, percent, successPercent }) => [version, percent, successPercent])).toEqual([
      ['v1', 90, (85 / 90) * 100],
      ['v2', 10, 100],
    ]);
  });

  it('of TCP shows connections and bytes', () => {
    const { store, seconds } = createStore();
    seconds(3, 'web', [
      tcpEdge(
        { peerService: 'db.shop', peerWorkload: 'db', mtls: false },
        { activeConnections: 4, bytesSent: 100, bytesReceived: 900, connectionsOpened: 1 },
      ),
    ]);
    const topology = topologyOf(store);
    expect(edgeOf(topology, 'web.shop->db.shop')).toMatchObject({
      protocol: 'tcp',
      mtls: 'open',
      requestsPerSecond: null,
      tcp: { connections: 4, bytesPerSecond: 1_000 },
    });
    expect(topology.nodes.find(({ id }) => id === 'db.shop')?.tcp).toEqual({ connections: 4, bytesPerSecond: 1_000 });
    seconds(1, 'web', []);
    expect(edgeOf(topologyOf(store), 'web.shop->db.shop').tcp?.connections).toBe(0);
  });

  it('forgets open connections of a sidecar that is gone', () => {
    const { store, seconds } = createStore();
    seconds(1, 'web', [tcpEdge({ peerService: 'db.shop' }, { activeConnections: 4 })]);
    store.forget('web');
    expect(edgeOf(topologyOf(store), 'web.shop->db.shop').tcp).toBe(null);
    expect(store.cost('web')).toBe(null);
  });
});

describe('who called whom', () => {
  const inbound = (peer: Partial<EdgeCounters['key']>) => [
    httpEdge({ direction: 'inbound', mtls: false, ...peer }, [5]),
  ];

  it.each([
    [
      'a caller with a sidecar is counted by its own sidecar',
      { peerSpiffeId: 'spiffe://cluster.local/ns/shop/sa/web' },
      null,
    ],
    ['so is one that came in plaintext', { peerAddress: '10.0.0.2' }, null],
    ['a caller without one is shown as itself', { peerAddress: '10.0.0.6' }, 'cron.shop->payments.shop'],
    ['a call through a published port comes from the host', { peerAddress: '10.0.0.1' }, 'caller:host->payments.shop'],
    ['anything else comes from outside', { peerAddress: '192.0.2.7' }, 'caller:outside->payments.shop'],
  ])('%s', (_what, peer, edge) => {
    const { store, seconds } = createStore();
    seconds(1, 'pay1', inbound(peer));
    expect(topologyOf(store).edges.map(({ id }) => id)).toEqual(edge === null ? [] : [edge]);
  });

  it('finds the service of a plain address, and shows a strange one as outside', () => {
    const { store, seconds } = createStore();
    seconds(1, 'web', [
      httpEdge({ peerAddress: '10.0.0.5', mtls: false }, [5]),
      httpEdge({ peerAddress: '192.0.2.1', mtls: false }, [5]),
    ]);
    const topology = topologyOf(store);
    expect(topology.edges.map(({ id }) => id)).toEqual(['web.shop->db.shop', 'web.shop->outside:192.0.2.1']);
    expect(topology.nodes.at(-1)).toMatchObject({
      id: 'outside:192.0.2.1',
      kind: 'outside',
      service: '192.0.2.1',
      requestsPerSecond: 1,
    });
  });

  it('shows hosts of ServiceEntries, idle or not, with the traffic to them', () => {
    const { store, seconds } = createStore();
    seconds(1, 'web', [httpEdge({ peerService: 'api.example.com', peerAddress: '192.0.2.1', mtls: false }, [5])]);
    const input = { windowSeconds: 30, atMs: 0, revision: 1, services, badges: () => [] };
    const topology = buildTopology(store, { ...input, hosts: ['api.example.com', 'idle.example.com'] });
    expect(topology.edges.map(({ id }) => id)).toEqual(['web.shop->api.example.com']);
    expect(topology.nodes.filter(({ kind }) => kind === 'outside')).toMatchObject([
      { id: 'api.example.com', service: 'api.example.com', requestsPerSecond: 1 },
      { id: 'idle.example.com', requestsPerSecond: null },
    ]);
    expect(buildTopology(store, { ...input, hosts: [] }).edges).toEqual([]);
  });
});

describe('series', () => {
  it('has one point a second, null where nothing was seen', () => {
    const { store, seconds, time } = createStore();
    seconds(2, 'web', [httpEdge({ peerService: 'payments.shop', peerWorkload: 'pay1' }, repeat(4, 10), { '5xx': 1 })]);
    seconds(2, 'web', []);
    const series = buildSeries(store, { from: 'web.shop', to: 'payments.shop', seconds: 10 }, [
      { atMs: time.nowMs - 3_000, kind: 'fault', text: 'on' },
      { atMs: time.nowMs - 30_000, kind: 'fault', text: 'old' },
    ]);
    expect(series.requestsPerSecond).toHaveLength(10);
    expect(series.requestsPerSecond.filter((rate) => rate !== null)).toEqual([4, 4]);
    expect(series.errorPercent.filter((rate) => rate !== null)).toEqual([25, 25]);
    expect(series.markers.map(({ text }) => text)).toEqual(['on']);
  });

  it('stays even when reports come a little early or late', () => {
    const { store, time } = createStore();
    time.nowMs = 1_000_000_990;
    for (const step of [1_000, 1_015, 990, 1_020, 980, 1_000]) {
      store.take('web', toReport([httpEdge({ peerService: 'payments.shop' }, repeat(10, 5))]));
      time.nowMs += step;
    }
    const series = buildSeries(store, { from: null, to: 'payments.shop', seconds: 8 }, []);
    expect(series.requestsPerSecond.filter((rate) => rate !== null)).toEqual([10, 10, 10, 10, 10, 10]);
  });

  it('forgets what is older than ten minutes', () => {
    const { store, seconds, time } = createStore();
    const edges = [httpEdge({ peerService: 'payments.shop' }, repeat(10, 5))];
    seconds(5, 'web', edges);
    time.nowMs += 700_000;
    seconds(3, 'web', edges);
    expect(store.window(store.rings(), 600).sum.requests).toBe(30);
  });
});

describe('the observed split', () => {
  it('is the share of each version over all callers', () => {
    const { store, seconds } = createStore();
    seconds(3, 'web', [
      httpEdge({ peerService: 'payments.shop', peerWorkload: 'pay1' }, repeat(9, 5)),
      httpEdge({ peerService: 'payments.shop', peerWorkload: 'pay2' }, [5], { '5xx': 1 }),
    ]);
    const query = { service: 'payments.shop', versions: ['v1', 'v2', 'v3'], windowSeconds: 30 };
    expect(buildObservedSplit(store, query)).toMatchObject([
      { version: 'v1', percent: 90, requests: 27, successPercent: 100 },
      { version: 'v2', percent: 10, requests: 3, successPercent: 0 },
      { version: 'v3', percent: 0, requests: 0, successPercent: null },
    ]);
  });
});

describe('recent requests', () => {
  const sample = {
    atMs: 5,
    service: 'payments.shop',
    workload: 'pay2',
    route: 'split',
    method: 'GET',
    path: '/',
    status: 200,
    flags: '',
    durationMs: 3,
    mtls: true,
  };

  it('name both ends and the version', () => {
    const { store } = createStore();
    store.take('web', toReport([], [sample, { ...sample, atMs: 7, status: 503, flags: 'FI' }]));
    expect(store.recent({ from: 'web.shop', to: 'payments.shop', limit: 1 })).toEqual([
      expect.objectContaining({
        atMs: 7,
        from: 'web.shop',
        to: 'payments.shop',
        version: 'v2',
        status: 503,
        flags: 'FI',
      }),
    ]);
    expect(store.recent({ from: null, to: 'db.shop', limit: 10 })).toEqual([]);
  });

  it('of an unmeshed caller come from the inbound side', () => {
    const { store } = createStore();
    const inbound = httpEdge({ direction: 'inbound', peerAddress: '10.0.0.6', mtls: false }, [5]);
    store.take('pay1', toReport([inbound], [{ ...sample, service: null, workload: null, mtls: false }]));
    expect(store.recent({ from: null, to: null, limit: 10 })).toMatchObject([
      { from: 'cron.shop', to: 'payments.shop', version: 'v1' },
    ]);
  });
});

function cpuMsSince(begin: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1_000;
}

describe('a mesh of 200 workloads', () => {
  it('keeps ten minutes of all edges in bounded memory and draws the graph quickly', () => {
    const time = { nowMs: 1_000_000_500 };
    const names = Array.from({ length: 200 }, (_, index) => `w${index}`);
    const directory: WorkloadDirectory = {
      byId: (id) => ({ id, service: `${id}.shop`, version: 'v1', attached: true }),
      byAddress: () => null,
      isLocal: () => false,
    };
    const store = new TelemetryStore({ clock: { nowMs: () => time.nowMs, monotonicMs: () => 0 }, directory });
    const latencies = Array.from({ length: 40 }, (_, index) => 1 + index * 0.7);
    const reports = names.map((_, index) =>
      toReport(
        [1, 2, 3].map((step) =>
          httpEdge(
            { peerService: `w${(index + step * 7) % 200}.shop`, peerWorkload: `w${(index + step * 7) % 200}` },
            latencies,
          ),
        ),
      ),
    );
    const before = process.memoryUsage();
    // Time of the processor: how long it takes on the wall says as much of what else this machine does.
    const startedAt = process.cpuUsage();
    for (let second = 0; second < 600; second += 1) {
      for (const [index, name] of names.entries()) store.take(name, reports[index] ?? toReport([]));
      time.nowMs += 1_000;
    }
    const perSecondMs = cpuMsSince(startedAt) / 600;
    const all = names.map((name) => ({
      key: `${name}.shop`,
      name,
      namespace: 'shop',
      project: null,
      versions: ['v1'],
      workloads: [],
    }));
    const draw = () =>
      buildTopology(store, { windowSeconds: 30, atMs: 0, revision: 1, services: all, hosts: [], badges: () => [] });
    const after = process.memoryUsage();
    const draws = Array.from({ length: 5 }, () => {
      const drawnAt = process.cpuUsage();
      return { topology: draw(), ms: cpuMsSince(drawnAt) };
    });
    const drawMs = Math.min(...draws.map(({ ms }) => ms));
    const topology = draws[0]?.topology ?? draw();
    const megabytes = (after.heapUsed + after.external - before.heapUsed - before.external) / 1e6;
    expect(topology.edges).toHaveLength(600);
    expect(edgeOf(topology, 'w0.shop->w7.shop').requestsPerSecond).toBe(40);
    expect(megabytes).toBeLessThan(250);
    expect(perSecondMs).toBeLessThan(100);
    expect(drawMs).toBeLessThan(1_000);
    process.stdout.write(
      `200 workloads, 600 edges, 10 min: ${megabytes.toFixed(0)} MB, ${perSecondMs.toFixed(1)} ms of work a second, graph in ${drawMs.toFixed(0)} ms\n`,
    );
  }, 60_000);
});
