import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Mesh } from '../../../core/control-plane/mesh/mesh.ts';
import type { EdgeCounters } from '../../../core/model/telemetry-report.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeRuntime, fakeWorkload } from '../../support/fake-runtime.ts';
import { MemoryResourceStore } from '../../support/memory-resource-store.ts';
import { httpEdge, tcpEdge } from '../../support/telemetry-report.ts';

const workloads = ['web', 'orders', 'payments-v1', 'payments-v2', 'db'].map((name) =>
  fakeWorkload(name, name === 'db' ? { ports: [{ port: 5432, protocol: 'tcp', publishedPort: null }] } : {}),
);
let stateDir = '';
let runtime: FakeRuntime;
let resources: MemoryResourceStore;
let mesh: Mesh;

function createMesh(): Mesh {
  return new Mesh({
    stateDir,
    version: '0.1.0',
    project: { dir: stateDir, name: 'test' },
    runtimes: [runtime],
    resources,
    log: silentLogger,
  });
}

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'mesh-'));
  runtime = new FakeRuntime(workloads);
  resources = new MemoryResourceStore();
  mesh = createMesh();
  await mesh.start();
  await mesh.attach({ all: true });
});
afterEach(async () => {
  await mesh.close();
  await runtime.close();
  await rm(stateDir, { recursive: true, force: true });
});

const configOf = (name: string) => {
  const config = runtime.sidecar(name).configs.at(-1);
  if (config === undefined) throw new Error(`${name} has no configuration`);
  return config;
};
const faultsOf = (name: string) =>
  (configOf(name).injections ?? []).map(({ id, service, percent }) => ({ id, service, percent }));
/** Has a sidecar report and waits until the mesh has it. */
async function report(
  name: string,
  edges: EdgeCounters[],
  faults: { id: string; seen: number; hits: number }[] = [],
): Promise<void> {
  const before = mesh.topology(60).edges.length;
  runtime.sidecar(name).report({ edges, faults });
  await eventually('the report', () => mesh.topology(60).edges.length > before);
}

const delay = { kind: 'delay', delayMs: 400 } as const;

describe('a fault', () => {
  it('goes to the sidecars of its caller only, and away again', async () => {
    const fault = await mesh.faults.set({ from: 'orders', to: 'payments', action: delay, percent: 30 });
    expect(fault).toMatchObject({
      id: 'orders-payments-delay',
      from: 'orders.shop',
      to: 'payments.shop',
      enabled: true,
      expiresInMs: null,
      applied: { of: 1, acked: 1 },
    });
    expect(faultsOf('orders')).toEqual([{ id: fault.id, service: 'payments.shop', percent: 30 }]);
    expect(faultsOf('web')).toEqual([]);
    expect(mesh.status().faultsActive).toBe(1);
    const off = await mesh.faults.toggle(fault.id, false);
    expect(off).toMatchObject({ enabled: false, applied: { of: 0, acked: 0 } });
    expect(faultsOf('orders')).toEqual([]);
    expect(await mesh.faults.clear({ all: true })).toEqual([]);
    expect(resources.all()).toEqual([]);
  });

  it('without a caller goes to all but the target', async () => {
    await mesh.faults.set({
      from: null,
      to: 'payments.shop',
      action: { kind: 'abort', httpStatus: 503 },
      percent: 100,
    });
    expect(faultsOf('web')).toHaveLength(1);
    expect(faultsOf('orders')).toHaveLength(1);
    expect(faultsOf('payments-v1')).toEqual([]);
  });

  it('ends by itself after its duration', async () => {
    const fault = await mesh.faults.set({ from: 'web', to: 'orders', action: delay, percent: 50, durationMs: 300 });
    expect(fault.expiresInMs).toBeGreaterThan(0);
    expect(configOf('web').injections?.[0]?.expiresAtMs).toBeGreaterThan(Date.now() - 1_000);
    await eventually('the end', () => faultsOf('web').length === 0);
    expect(mesh.faults.list()).toMatchObject([{ id: fault.id, enabled: false, expiresInMs: null }]);
  });

  it('is off after a restart of the control plane, its definition stays', async () => {
    await mesh.faults.set({ from: 'web', to: 'orders', action: delay, percent: 50 });
    await mesh.close();
    mesh = createMesh();
    await mesh.start();
    expect(mesh.faults.list()).toMatchObject([{ id: 'web-orders-delay', enabled: false, percent: 50 }]);
  });

  it('says what it did', async () => {
    const { id } = await mesh.faults.set({ from: 'web', to: 'orders', action: delay, percent: 50 });
    await report(
      'web',
      [httpEdge({ peerService: 'orders.shop' }, [400, 400, 5, 5], { '5xx': 1 })],
      [{ id, seen: 4, hits: 2 }],
    );
    const [view] = mesh.faults.list();
    expect(view).toMatchObject({ seen: 4, hits: 2, effect: { p95BeforeMs: null, errorPercentNow: 25 } });
    expect(view?.effect.p95NowMs).toBeGreaterThan(375);
    expect(mesh.topology(30).edges[0]).toMatchObject({
      id: 'web.shop->orders.shop',
      badges: [{ kind: 'fault', text: 'delay 400 ms for 50 %', faultId: id }],
    });
    expect(mesh.series({ from: 'web.shop', to: 'orders.shop', seconds: 60 }).markers).toMatchObject([
      { kind: 'fault' },
    ]);
    // Switched off and on again, the slow requests of its own are not taken for the time before it.
    await mesh.faults.toggle(id, false);
    expect((await mesh.faults.toggle(id, true)).effect.p95BeforeMs).toBeNull();
  });

  it('on an edge that spoke TCP, or to a TCP service, is refused', async () => {
    await expect(mesh.faults.set({ from: 'orders', to: 'db', action: delay, percent: 50 })).rejects.toMatchObject({
      code: 'UNSUPPORTED_PROTOCOL',
    });
    await report('web', [tcpEdge({ peerService: 'orders.shop' }, { bytesSent: 10, activeConnections: 1 })]);
    await expect(mesh.faults.set({ from: 'web', to: 'orders', action: delay, percent: 50 })).rejects.toMatchObject({
      code: 'UNSUPPORTED_PROTOCOL',
    });
    expect(mesh.faults.list()).toEqual([]);
  });

  it('on a service that is not there is refused with what was probably meant', async () => {
    await expect(mesh.faults.set({ from: 'web', to: 'order', action: delay, percent: 50 })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/Did you mean orders/),
    });
    const onRoute = { from: 'web', to: 'orders', action: delay, percent: 50, route: 'split' };
    await expect(mesh.faults.set(onRoute)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(mesh.faults.set({ ...onRoute, route: null, id: 'My fault' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    await expect(mesh.faults.toggle('nothing', true)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is replaced under its id, and stops when its file goes', async () => {
    const { id } = await mesh.faults.set({ from: 'web', to: 'orders', action: delay, percent: 50 });
    await mesh.faults.set({ id, from: 'web', to: 'orders', action: delay, percent: 80 });
    expect(faultsOf('web')).toEqual([{ id, service: 'orders.shop', percent: 80 }]);
    expect(mesh.faults.list()).toHaveLength(1);
    await resources.remove('FaultInjection', 'shop', id);
    await eventually('the end', () => faultsOf('web').length === 0);
  });
});

describe('a split', () => {
  it('is made of resources and reaches every caller', async () => {
    expect(mesh.splits.list()).toMatchObject([
      { service: 'payments', configured: false, weights: [], unavailable: null },
    ]);
    const split = await mesh.splits.set({
      service: 'payments',
      weights: [
        { subset: 'v1', weight: 90 },
        { subset: 'v2', weight: 10 },
      ],
      pins: [{ name: 'X-Beta', value: '1', subset: 'v2' }],
    });
    expect(split).toMatchObject({
      configured: true,
      versions: [
        { version: 'v1', workloads: 1 },
        { version: 'v2', workloads: 1 },
      ],
      weights: [
        { subset: 'v1', weight: 90 },
        { subset: 'v2', weight: 10 },
      ],
      pins: [{ name: 'x-beta', value: '1', subset: 'v2' }],
    });
    expect(split.applied.of).toBeGreaterThanOrEqual(2);
    expect(split.applied.acked).toBe(split.applied.of);
    expect(split.yaml).toContain('kind: VirtualService');
    const routes = configOf('orders').services.find(({ key }) => key === 'payments.shop')?.routes;
    expect(routes?.map(({ destinations }) => destinations.map(({ subset, weight }) => [subset, weight]))).toEqual([
      [['v2', expect.any(Number)]],
      [
        ['v1', 90],
        ['v2', 10],
      ],
    ]);
    await report('orders', [
      httpEdge({ peerService: 'payments.shop', peerWorkload: 'id-payments-v1' }, [5, 5, 5]),
      httpEdge({ peerService: 'payments.shop', peerWorkload: 'id-payments-v2' }, [5]),
    ]);
    expect(mesh.splits.show('payments').observed).toMatchObject([
      { version: 'v1', percent: 75 },
      { version: 'v2', percent: 25 },
    ]);
    expect(mesh.topology().edges[0]?.badges).toEqual([{ kind: 'split', text: '90/10 + 1 pinned' }]);
    const cleared = await mesh.splits.clear('payments');
    expect(cleared).toMatchObject({ configured: false, weights: [], yaml: '' });
    expect(resources.all()).toEqual([]);
  });

  it.each([
    [
      'to a version that does not run',
      { service: 'payments', weights: [{ subset: 'v3', weight: 100 }] },
      'UNKNOWN_SUBSET',
    ],
    ['of nothing', { service: 'payments', weights: [{ subset: 'v1', weight: 0 }] }, 'BAD_REQUEST'],
    ['of a service that is not there', { service: 'payment', weights: [{ subset: 'v1', weight: 100 }] }, 'NOT_FOUND'],
  ])('%s is refused', async (_what, input, code) => {
    await expect(mesh.splits.set(input)).rejects.toMatchObject({ code });
    expect(resources.all()).toEqual([]);
  });

  it('of a service with one version says why there is none', () => {
    expect(mesh.splits.show('web').unavailable).toMatch(/one version only/);
    expect(mesh.splits.show('db').unavailable).toMatch(/speaks TCP/);
  });
});

describe('certificates', () => {
  it('are shown, checked and rotated one by one', async () => {
    const before = mesh.certificates.show('orders');
    expect(before).toMatchObject({
      spiffeId: 'spiffe://cluster.local/ns/shop/sa/orders',
      subject: 'CN=orders.shop',
      rotations: 0,
    });
    expect(before.chain).toHaveLength(2);
    const halfLifeMs = (Date.parse(before.notAfter) - Date.now()) / 2;
    expect(Date.parse(before.rotatesAt) - Date.now()).toBeGreaterThan(halfLifeMs * 0.89);
    expect(Date.parse(before.rotatesAt) - Date.now()).toBeLessThanOrEqual(halfLifeMs);
    expect(mesh.certificates.verify('orders')).toMatchObject({ ok: true });
    const [after] = await mesh.certificates.rotate({ workload: 'orders' });
    expect(after?.serial).not.toBe(before.serial);
    expect(after?.serial).toBe(runtime.sidecar('orders').certificateSerial);
    expect(after?.rotations).toBe(1);
    expect(mesh.certificates.show('web').rotations).toBe(0);
  });

  it('of all are rotated, and those of a detached workload are gone', async () => {
    await mesh.detach({ names: ['db'] });
    expect((await mesh.certificates.rotate({ all: true })).map(({ rotations }) => rotations)).toEqual([1, 1, 1, 1]);
    expect(() => mesh.certificates.show('db')).toThrow(/not attached/);
  });

  it('change their root without a moment in which a sidecar trusts only one side', async () => {
    const old = mesh.certificates.show('web').chain[1] ?? '';
    const bundles: [string, string, number][] = [];
    for (const [name, sidecar] of runtime.sidecars) {
      sidecar.onMessage = (message) => {
        if (message.type === 'trust') bundles.push(['trust', name, message.trustBundlePem.length]);
        if (message.type === 'certificate.issued') bundles.push(['issued', name, message.trustBundlePem.length]);
      };
    }
    const rotated = await mesh.certificates.rotate({ root: true });
    expect(rotated).toHaveLength(5);
    for (const view of rotated) {
      expect(view.chain[1]).not.toBe(old);
      expect(mesh.certificates.verify(view.workload.id)).toMatchObject({ ok: true });
    }
    const firstIssued = bundles.findIndex(([kind]) => kind === 'issued');
    const lastIssued = bundles.findLastIndex(([kind]) => kind === 'issued');
    expect(new Set(bundles.slice(0, firstIssued).map(([, name]) => name)).size).toBe(5);
    expect(bundles.slice(0, lastIssued + 1).every(([, , roots]) => roots === 2)).toBe(true);
    for (const [name, sidecar] of runtime.sidecars) {
      await eventually(
        `${name} to drop the old root`,
        () => sidecar.trustBundle.length === 1 && sidecar.trustBundle[0] !== old,
      );
    }
  });

  it('of the next root are given out by the next control plane when this one ends in the middle', async () => {
    runtime.sidecar('web').ackMode = 'hold';
    const rotating = mesh.certificates.rotate({ root: true });
    rotating.catch(() => undefined);
    await eventually('the next root', () => runtime.sidecar('web').trustBundle.length === 2);
    await mesh.close();
    await rotating.catch(() => undefined);
    runtime.sidecar('web').ackMode = 'ack';
    const left = new FakeRuntime(workloads);
    const before = runtime;
    runtime = left;
    for (const workload of workloads) await left.leaveSidecar(workload);
    left.sidecar('db').ackMode = 'hold';
    mesh = createMesh();
    await mesh.start();
    await eventually('all but one', () => mesh.status().sidecars.acked === 4);
    expect([...left.sidecars.values()].every(({ trustBundle }) => trustBundle.length === 2)).toBe(true);
    left.sidecar('db').ackMode = 'ack';
    left.sidecar('db').releaseAcks();
    await eventually('one root', () =>
      [...left.sidecars.values()].every(({ trustBundle }) => trustBundle.length === 1),
    );
    for (const { workload } of mesh.certificates.list()) expect(mesh.certificates.verify(workload.id).ok).toBe(true);
    await before.close();
  });
});

describe('what is shown', () => {
  it('is said to have changed once a second while figures come in', async () => {
    const changes: string[] = [];
    const listener = { onCertificate: () => undefined, onProgress: () => undefined, onNotice: () => undefined };
    const stop = mesh.listen({ ...listener, onChange: (what) => changes.push(what) });
    await mesh.faults.set({ from: 'web', to: 'orders', action: delay, percent: 50 });
    changes.length = 0;
    runtime.sidecar('web').report({});
    await eventually('the changes', () => ['status', 'workloads', 'faults'].every((what) => changes.includes(what)));
    stop();
  });

  it('says what a sidecar has too much of, and how many datagrams pass it by', async () => {
    const figures = { rssBytes: 1, cpuUs: 1, eventLoopLagMs: 2, connections: 1, unseenConnections: 4 };
    const overload = {
      level: 'shed',
      reason: 'heap',
      shedRequests: 2,
      refusedConnections: 0,
      requests: 1,
      bufferedBytes: 0,
    } as const;
    runtime.sidecar('web').report({ process: { ...figures, overload, udp: { packetsSent: 3, packetsReceived: 5 } } });
    await eventually('the report', () => mesh.findWorkload('web').unseenConnections === 4);
    expect(mesh.findWorkload('web').cost).toMatchObject({ overload: 'heap', udpPerSecond: { sent: 3, received: 5 } });
    runtime.sidecar('web').report({ process: { ...figures, unseenConnections: 5 } });
    await eventually('the next report', () => mesh.findWorkload('web').unseenConnections === 5);
    expect(mesh.findWorkload('web').cost).not.toHaveProperty('overload');
  });

  it('has the cost of each sidecar and of all', async () => {
    runtime.sidecar('web').report({
      process: { rssBytes: 40_000_000, cpuUs: 50_000, eventLoopLagMs: 2, connections: 1, unseenConnections: 3 },
    });
    await eventually('the report', () => mesh.findWorkload('web').unseenConnections === 3);
    expect(mesh.findWorkload('web')).toMatchObject({
      cost: { rssBytes: 40_000_000, cpuPercent: 5, eventLoopLagMs: 2 },
    });
    expect(mesh.status().cost.sidecarsRssBytes).toBeGreaterThanOrEqual(40_000_000);
    expect(mesh.status()).toMatchObject({
      ready: true,
      mtlsMode: 'PERMISSIVE',
      sample: 'stopped',
      engine: { state: 'connected' },
    });
  });

  it('has a node for each service that is known, with its versions and state', async () => {
    await mesh.detach({ names: ['payments-v2'] });
    const nodes = Object.fromEntries(mesh.topology().nodes.map((node) => [node.id, node]));
    expect(nodes['payments.shop']).toMatchObject({ mesh: 'partly', versions: ['v1', 'v2'], requestsPerSecond: null });
    expect(nodes['web.shop']?.mesh).toBe('attached');
  });
});
