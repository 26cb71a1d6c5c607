import { describe, expect, it } from 'vitest';
import { maxEdges, maxSamples, Telemetry } from '../../../core/data-plane/telemetry/telemetry.ts';
import { type EdgeKey, TelemetryReport } from '../../../core/model/telemetry-report.ts';
import { Histogram } from '../../../core/shared/histogram.ts';

const key = (changes: Partial<EdgeKey> = {}): EdgeKey => ({
  direction: 'outbound',
  peerService: 'orders.shop',
  peerWorkload: 'orders-1',
  peerAddress: '10.0.0.2',
  peerSpiffeId: null,
  port: 80,
  protocol: 'http/1.1',
  mtls: false,
  ...changes,
});

function createTelemetry() {
  const clock = { at: 1_000, nowMs: () => clock.at, monotonicMs: () => clock.at };
  const figures = { rssBytes: 1, cpuUs: 2, eventLoopLagMs: 0.5, connections: 3, unseenConnections: null };
  return { clock, telemetry: new Telemetry({ clock, processFigures: () => figures }) };
}

describe('Telemetry', () => {
  it('reports counters as differences, open connections as they are, and nothing of a silent edge', () => {
    const { telemetry, clock } = createTelemetry();
    const edge = telemetry.edge(key());
    edge.connectionOpened();
    edge.request(200, '', 1_500);
    edge.request(503, 'FI,DI', 90);
    edge.request(0, '', 10);
    edge.bytes(10, 20);
    clock.at = 2_000;
    const first = TelemetryReport.parse(telemetry.takeReport());
    expect(first).toMatchObject({ fromMs: 1_000, toMs: 2_000 });
    expect(first.edges).toHaveLength(1);
    expect(first.edges[0]).toMatchObject({
      requests: { '1xx': 0, '2xx': 1, '3xx': 0, '4xx': 0, '5xx': 1, other: 1 },
      flags: { FI: 1, DI: 1 },
      bytesSent: 10,
      bytesReceived: 20,
      connectionsOpened: 1,
      connectionsClosed: 0,
      activeConnections: 1,
    });
    const latency = new Histogram();
    latency.merge(first.edges[0]?.latencyUs ?? []);
    expect(latency.total).toBe(3);

    const second = telemetry.takeReport();
    expect(second.edges[0]).toMatchObject({ connectionsOpened: 0, activeConnections: 1, bytesSent: 0, latencyUs: [] });
    edge.connectionClosed();
    expect(telemetry.takeReport().edges[0]).toMatchObject({ connectionsClosed: 1, activeConnections: 0 });
    expect(telemetry.takeReport().edges).toEqual([]);
  });

  it('says in one report what a skipped one would have said', () => {
    const { telemetry } = createTelemetry();
    telemetry.edge(key()).request(200, '', 1);
    telemetry.edge(key()).request(200, '', 1);
    expect(telemetry.takeReport().edges[0]?.requests['2xx']).toBe(2);
  });

  it('keeps at most a thousand edges and loses no count beyond', () => {
    const { telemetry } = createTelemetry();
    for (let peer = 0; peer < maxEdges + 500; peer += 1) {
      telemetry.edge(key({ peerAddress: `10.0.${peer >> 8}.${peer & 255}` })).request(200, '', 1);
    }
    const { edges } = telemetry.takeReport();
    expect(edges.length).toBeLessThanOrEqual(maxEdges + 1);
    expect(edges.reduce((sum, edge) => sum + edge.requests['2xx'], 0)).toBe(maxEdges + 500);
    expect(edges.find((edge) => edge.key.peerAddress === null)?.requests['2xx']).toBe(500);
  });

  it('forgets an edge after a silent minute and counts again for somebody who held on to it', () => {
    const { telemetry, clock } = createTelemetry();
    const held = telemetry.edge(key());
    held.request(200, '', 1);
    telemetry.takeReport();
    clock.at += 120_000;
    telemetry.takeReport();
    expect(telemetry.takeReport().edges).toEqual([]);
    held.request(200, '', 1);
    expect(telemetry.takeReport().edges.reduce((sum, edge) => sum + edge.requests['2xx'], 0)).toBe(1);
  });

  it('keeps few samples and leaves room for failed ones', () => {
    const { telemetry } = createTelemetry();
    const sample = {
      service: null,
      workload: null,
      route: null,
      method: 'GET',
      path: '/',
      flags: '',
      durationMs: 1,
      mtls: true,
    };
    for (let index = 0; index < 100; index += 1) telemetry.sample({ ...sample, status: 200 });
    telemetry.sample({ ...sample, status: 503, flags: 'FI' });
    for (let index = 0; index < 100; index += 1) telemetry.sample({ ...sample, status: 500 });
    const { samples } = telemetry.takeReport();
    expect(samples).toHaveLength(maxSamples);
    expect(samples.filter(({ status }) => status === 503)).toHaveLength(1);
    expect(telemetry.takeReport().samples).toEqual([]);
  });

  it('counts how often a fault was considered and applied', () => {
    const { telemetry } = createTelemetry();
    telemetry.faultSeen('f1', true);
    telemetry.faultSeen('f1', false);
    expect(telemetry.takeReport().faults).toEqual([{ id: 'f1', seen: 2, hits: 1 }]);
    expect(telemetry.takeReport().faults).toEqual([]);
  });
});
