/** Renewal of sidecars, with an engine of fake sidecars: what it does, step by step, and what is left when a step fails. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Progress } from '../../../core/contract/shapes.ts';
import { Mesh } from '../../../core/control-plane/mesh/mesh.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeRuntime, fakeWorkload } from '../../support/fake-runtime.ts';
import type { FakeSidecar } from '../../support/fake-sidecar.ts';
import { MemoryResourceStore } from '../../support/memory-resource-store.ts';

const web = fakeWorkload('web');
const orders = fakeWorkload('orders');
let stateDir = '';
let runtime: FakeRuntime;
let mesh: Mesh;
let progress: Progress[] = [];
let notices: string[] = [];

function createMesh(): Mesh {
  const created = new Mesh({
    stateDir,
    version: '0.1.0',
    project: { dir: stateDir, name: 'test' },
    runtimes: [runtime],
    resources: new MemoryResourceStore(),
    log: silentLogger,
    leaseMs: 600,
  });
  progress = [];
  notices = [];
  created.listen({
    onChange: () => undefined,
    onCertificate: () => undefined,
    onNotice: ({ message }) => notices.push(message),
    onProgress: (step) => progress.push(step),
  });
  return created;
}

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'mesh-'));
  runtime = new FakeRuntime([web, orders]);
  mesh = createMesh();
});
afterEach(async () => {
  await mesh.close();
  await runtime.close();
  await rm(stateDir, { recursive: true, force: true });
});

/** Attaches both; from here on the log is empty. */
async function attached(): Promise<FakeSidecar> {
  await mesh.start();
  await mesh.attach({ all: true });
  runtime.log.length = 0;
  progress.length = 0;
  return runtime.sidecar('orders');
}

const typesOf = (sidecar: FakeSidecar) =>
  sidecar.received.map(({ type }) => type).filter((type) => type !== 'heartbeat');
const serialShown = () => mesh.certificates.show('orders').serial.toLowerCase().replace(/^0+/, '');
const serialUsed = (sidecar: FakeSidecar) => sidecar.certificateSerial?.replace(/^0+/, '');
const prepareSuccessor = (prepare: (sidecar: FakeSidecar) => void) => {
  runtime.prepare = prepare;
};

describe('renewal', () => {
  it('lets another sidecar take over before the older one gives its ports up, without touching rules or peers', async () => {
    const older = await attached();
    const [result] = await mesh.renew({ names: ['orders'] });
    expect(result).toMatchObject({ name: 'orders', mesh: 'attached', reason: null });
    expect(runtime.log).toEqual([
      'startSuccessor orders',
      'orders uses mTLS with web',
      'confirm successor of orders',
      'retire orders',
      'remove orders beside another',
    ]);
    const newer = runtime.sidecar('orders');
    expect(newer).not.toBe(older);
    expect(typesOf(newer).slice(0, 4)).toEqual(['hello', 'certificate.request', 'certificate.issued', 'push']);
    expect(older.received.at(-1)).toEqual({ type: 'retire', deadlineMs: 30_000 });
    expect(serialShown()).toBe(serialUsed(newer));
    expect(mesh.certificates.verify('orders').checks.every(({ ok }) => ok)).toBe(true);
    expect(progress.map(({ operation, step, state }) => `${operation} ${step} ${state}`)).toEqual([
      ...['sidecar', 'connect', 'configuration', 'switch', 'retire', 'remove'].map((step) => `renew ${step} running`),
      'renew remove done',
    ]);
  });

  it('brings later changes to the new sidecar, and its loss is the workload’s', async () => {
    await attached();
    await mesh.renew({ names: ['orders'] });
    const newer = runtime.sidecar('orders');
    const pushed = newer.configs.length;
    runtime.change([web, orders, fakeWorkload('cart')]);
    await eventually('the change', () => newer.configs.length > pushed);
    await eventually('acked by both', () => mesh.status().sidecars.acked === 2);
    newer.restart();
    await eventually('degraded', () => mesh.findWorkload('orders').mesh === 'degraded');
    await eventually('attached again', () => mesh.findWorkload('orders').mesh === 'attached');
    expect(runtime.log).toContain('redirect orders');
  });

  it('of all renews what is attached, one after the other until they have switched', async () => {
    await attached();
    runtime.change([web, orders, fakeWorkload('cart')]);
    const results = await mesh.renew({ all: true });
    expect(results.map(({ name }) => name).sort()).toEqual(['orders', 'web']);
    const starts = runtime.log.filter((line) => line.startsWith('startSuccessor') || line.startsWith('confirm'));
    expect(starts.map((line) => line.split(' ')[0])).toEqual([
      'startSuccessor',
      'confirm',
      'startSuccessor',
      'confirm',
    ]);
  });

  it('of what is not attached is refused', async () => {
    await mesh.start();
    await expect(mesh.renew({ names: ['orders'] })).rejects.toMatchObject({
      code: 'RENEW_FAILED',
      message: expect.stringMatching(/orders is not attached/),
    });
    expect(runtime.log).toEqual([]);
  });

  it('asked for twice is done once', async () => {
    await attached();
    await Promise.all([mesh.renew({ names: ['orders'] }), mesh.renew({ names: ['orders'] })]);
    expect(runtime.log.filter((line) => line === 'startSuccessor orders')).toHaveLength(1);
  });
});

describe('a renewal that fails', () => {
  it.each([
    ['sidecar', () => runtime.failures.set('startSuccessor orders', new Error('no space')), /no space/, []],
    [
      'connect',
      () => runtime.failures.set('connect successor of orders', new Error('no socket')),
      /no socket/,
      ['remove orders beside another'],
    ],
    [
      'connect',
      () => prepareSuccessor((sidecar) => (sidecar.certificateMode = 'fail')),
      /no entropy/,
      ['remove orders beside another'],
    ],
    [
      'configuration',
      () => prepareSuccessor((sidecar) => (sidecar.ackMode = 'nack')),
      /cannot apply/,
      ['remove orders beside another'],
    ],
    [
      'switch',
      () => runtime.failures.set('confirm successor of orders', new Error('engine is gone')),
      /engine is gone/,
      ['confirm successor of orders', 'remove orders beside another'],
    ],
  ])('at step %s leaves the older sidecar as it was', async (step, breakIt, why, undone) => {
    const older = await attached();
    const serial = serialShown();
    breakIt();
    await expect(mesh.renew({ names: ['orders'] })).rejects.toMatchObject({
      code: 'RENEW_FAILED',
      message: expect.stringMatching(new RegExp(`step ${step}\\), the older sidecar goes on: .*${why.source}`)),
    });
    const done = runtime.log.filter((line) => !line.includes(' uses '));
    expect(done).toEqual(['startSuccessor orders', ...undone]);
    expect(runtime.sidecar('orders')).toBe(older);
    expect(runtime.successors.size).toBe(0);
    expect(mesh.findWorkload('orders')).toMatchObject({ mesh: 'attached', reason: null });
    expect(serialShown()).toBe(serial);
    expect(serialUsed(older)).toBe(serial);
    expect(typesOf(older)).not.toContain('retire');
    expect(progress.at(-1)).toMatchObject({ operation: 'renew', step, state: 'failed' });
    const pushed = older.configs.length;
    runtime.change([web, orders, fakeWorkload('cart')]);
    await eventually('the older one gets the next change', () => older.configs.length > pushed);
    runtime.failures.clear();
    prepareSuccessor(() => undefined);
    expect((await mesh.renew({ names: ['orders'] }))[0]).toMatchObject({ mesh: 'attached', reason: null });
  });

  it('at step remove says that the new one serves', async () => {
    await attached();
    runtime.failures.set('remove orders beside another', new Error('busy'));
    await expect(mesh.renew({ names: ['orders'] })).rejects.toMatchObject({
      message: expect.stringMatching(/step remove\), the new sidecar serves: busy/),
    });
    expect(mesh.findWorkload('orders').mesh).toBe('attached');
  });

  it('goes on when the older sidecar dies while it hands over', async () => {
    const older = await attached();
    older.drainMode = 'hold';
    const renewing = mesh.renew({ names: ['orders'] });
    await eventually('retire', () => runtime.log.includes('retire orders'));
    older.dropConnections();
    expect((await renewing)[0]).toMatchObject({ mesh: 'attached', reason: null });
    expect(runtime.log).toContain('remove orders beside another');
    expect(runtime.log.filter((line) => line.startsWith('startSidecar'))).toEqual([]);
  });
});

describe('where ports cannot be shared', () => {
  it('lets the older sidecar go first, and says that there was a gap', async () => {
    const older = await attached();
    let successor: FakeSidecar | null = null;
    prepareSuccessor((sidecar) => {
      successor = sidecar;
      sidecar.ackMode = 'nack';
      sidecar.nackCode = 'LISTEN_FAILED';
    });
    older.drainMode = 'hold';
    const renewing = mesh.renew({ names: ['orders'] });
    await eventually('retire', () => typesOf(older).includes('retire'));
    (successor as FakeSidecar | null as FakeSidecar).ackMode = 'ack';
    await eventually('the switch', () => typesOf(older).filter((type) => type === 'retire').length === 2);
    older.finishDrain();
    expect((await renewing)[0]).toMatchObject({ mesh: 'attached', reason: expect.stringMatching(/cannot be shared/) });
    expect(notices.join()).toMatch(/cannot be shared/);
    expect(mesh.findWorkload('orders')).toMatchObject({ mesh: 'attached', reason: null });
  });

  it('does not give up a port that somebody else has', async () => {
    const older = await attached();
    older.ackMode = 'nack';
    runtime.change([web, orders, fakeWorkload('cart')]);
    await eventually('degraded', () => mesh.findWorkload('orders').mesh === 'degraded');
    prepareSuccessor((sidecar) => {
      sidecar.ackMode = 'nack';
      sidecar.nackCode = 'LISTEN_FAILED';
    });
    await expect(mesh.renew({ names: ['orders'] })).rejects.toMatchObject({ code: 'RENEW_FAILED' });
    expect(typesOf(older)).not.toContain('retire');
  });
});

describe('a renewal that is overtaken', () => {
  it('by detach gives up before the switch, and nothing is left', async () => {
    await attached();
    prepareSuccessor((sidecar) => (sidecar.ackMode = 'hold'));
    const renewing = mesh.renew({ names: ['orders'] });
    renewing.catch(() => undefined);
    await eventually('the push', () => typesOf(runtime.successors.get('orders') as FakeSidecar).includes('push'));
    expect((await mesh.detach({ names: ['orders'] }))[0]?.mesh).toBe('detached');
    await expect(renewing).rejects.toMatchObject({ code: 'RENEW_FAILED' });
    expect(runtime.sidecars.has('orders')).toBe(false);
    expect(runtime.successors.size).toBe(0);
  });

  it('by detach waits for older connections no longer than detach does', async () => {
    const older = await attached();
    older.drainMode = 'hold';
    const renewing = mesh.renew({ names: ['orders'] }, 60_000);
    await eventually('retire', () => runtime.log.includes('retire orders'));
    const detaching = mesh.detach({ names: ['orders'] }, 1_000);
    await eventually('a shorter one', () =>
      older.received.some((message) => message.type === 'retire' && message.deadlineMs === 1_000),
    );
    older.finishDrain();
    await renewing;
    expect((await detaching)[0]?.mesh).toBe('detached');
    expect(runtime.sidecars.has('orders')).toBe(false);
  });

  it('by the end of the workload leaves nothing', async () => {
    await attached();
    prepareSuccessor((sidecar) => (sidecar.ackMode = 'hold'));
    const renewing = mesh.renew({ names: ['orders'] });
    renewing.catch(() => undefined);
    await eventually('the push', () => typesOf(runtime.successors.get('orders') as FakeSidecar).includes('push'));
    runtime.change([web, { ...orders, state: 'exited' }]);
    await expect(renewing).rejects.toMatchObject({ code: 'RENEW_FAILED' });
    await eventually('both are gone', () => !runtime.sidecars.has('orders') && runtime.successors.size === 0);
  });

  it('by the end of the control plane leaves the older sidecar to end by itself', async () => {
    const older = await attached();
    older.drainMode = 'hold';
    const renewing = mesh.renew({ names: ['orders'] }, 60_000);
    await eventually('retire', () => runtime.log.includes('retire orders'));
    await mesh.close();
    await renewing;
    expect(runtime.log).not.toContain('remove orders beside another');
    await older.close();
  });
});

describe('a control plane that starts', () => {
  async function restarted(): Promise<void> {
    await mesh.start();
    await mesh.attach({ all: true });
    await mesh.close();
    await runtime.close();
    runtime = new FakeRuntime([web, orders]);
    for (const workload of [web, orders]) (await runtime.leaveSidecar(workload)).revision = 40;
    mesh = createMesh();
  }

  it('renews sidecars of an older program, and leaves the others alone', async () => {
    await restarted();
    const older = runtime.sidecar('orders');
    runtime.outdated.add(orders.id);
    await mesh.start();
    await eventually('renewed', () => runtime.log.includes('remove orders beside another'));
    expect(runtime.sidecar('orders')).not.toBe(older);
    expect(runtime.log).not.toContain('startSuccessor web');
    await eventually('attached', () => mesh.workloads().every((workload) => workload.mesh === 'attached'));
    expect(runtime.log).not.toContain('web uses plaintext with orders');
  });

  it('keeps an older sidecar when its renewal fails, and says so', async () => {
    await restarted();
    const older = runtime.sidecar('orders');
    runtime.outdated.add(orders.id);
    runtime.failures.set('startSuccessor orders', new Error('no image'));
    await mesh.start();
    await eventually('a notice', () => notices.some((notice) => /older sidecar goes on.*no image/.test(notice)));
    expect(runtime.sidecar('orders')).toBe(older);
    await eventually('attached', () => mesh.findWorkload('orders').mesh === 'attached');
  });

  it('ends a sidecar that an earlier one had replaced', async () => {
    await restarted();
    const replaced = await runtime.leaveReplaced(orders);
    await mesh.start();
    await eventually('it is gone', () => runtime.log.includes('remove orders beside another'));
    expect(typesOf(replaced)).toEqual(['hello', 'retire']);
    await eventually('attached', () => mesh.findWorkload('orders').mesh === 'attached');
  });
});
