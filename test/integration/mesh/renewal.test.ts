/** Renewal of sidecars, with an engine of fake sidecars: what it does, step by step, and what is left when a step fails. */

import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { prepareFakeMesh } from '../../support/fake-mesh.ts';
import { fakeWorkload } from '../../support/fake-runtime.ts';
import type { FakeSidecar } from '../../support/fake-sidecar.ts';

const web = fakeWorkload('web');
const orders = fakeWorkload('orders');
const bench = prepareFakeMesh([web, orders]);

/** Attaches both; from here on the log is empty. */
async function attached(): Promise<FakeSidecar> {
  await bench.mesh.start();
  await bench.mesh.attach({ all: true });
  bench.runtime.log.length = 0;
  bench.progress.length = 0;
  return bench.runtime.sidecar('orders');
}

const typesOf = (sidecar: FakeSidecar) =>
  sidecar.received.map(({ type }) => type).filter((type) => type !== 'heartbeat');
const serialShown = () => bench.mesh.certificates.show('orders').serial.toLowerCase().replace(/^0+/, '');
const serialUsed = (sidecar: FakeSidecar) => sidecar.certificateSerial?.replace(/^0+/, '');
const prepareSuccessor = (prepare: (sidecar: FakeSidecar) => void) => {
  bench.runtime.prepare = prepare;
};

describe('renewal', () => {
  it('lets another sidecar take over before the older one gives its ports up, without touching rules or peers', async () => {
    const older = await attached();
    const [result] = await bench.mesh.renew({ names: ['orders'] });
    expect(result).toMatchObject({ name: 'orders', mesh: 'attached', reason: null });
    expect(bench.runtime.log).toEqual([
      'startSuccessor orders',
      'orders uses mTLS with web',
      'confirm successor of orders',
      'retire orders',
      'remove orders beside another',
    ]);
    const newer = bench.runtime.sidecar('orders');
    expect(newer).not.toBe(older);
    expect(typesOf(newer).slice(0, 4)).toEqual(['hello', 'certificate.request', 'certificate.issued', 'push']);
    expect(older.told.at(-1)).toEqual({ type: 'retire', deadlineMs: 30_000 });
    expect(serialShown()).toBe(serialUsed(newer));
    expect(bench.mesh.certificates.verify('orders').checks.every(({ ok }) => ok)).toBe(true);
    expect(bench.progress.map(({ operation, step, state }) => `${operation} ${step} ${state}`)).toEqual([
      ...['sidecar', 'connect', 'configuration', 'switch', 'retire', 'remove'].map((step) => `renew ${step} running`),
      'renew remove done',
    ]);
  });

  it('brings later changes to the new sidecar, and its loss is the workload’s', async () => {
    await attached();
    await bench.mesh.renew({ names: ['orders'] });
    const newer = bench.runtime.sidecar('orders');
    const pushed = newer.configs.length;
    bench.runtime.change([web, orders, fakeWorkload('cart')]);
    await eventually('the change', () => newer.configs.length > pushed);
    await eventually('acked by both', () => bench.mesh.status().sidecars.acked === 2);
    newer.restart();
    await eventually('degraded', () => bench.mesh.findWorkload('orders').mesh === 'degraded');
    await eventually('attached again', () => bench.mesh.findWorkload('orders').mesh === 'attached');
    expect(bench.runtime.log).toContain('redirect orders');
  });

  it('of all renews what is attached, one after the other until they have switched', async () => {
    await attached();
    bench.runtime.change([web, orders, fakeWorkload('cart')]);
    const results = await bench.mesh.renew({ all: true });
    expect(results.map(({ name }) => name).sort()).toEqual(['orders', 'web']);
    const starts = bench.runtime.log.filter((line) => line.startsWith('startSuccessor') || line.startsWith('confirm'));
    expect(starts.map((line) => line.split(' ')[0])).toEqual([
      'startSuccessor',
      'confirm',
      'startSuccessor',
      'confirm',
    ]);
  });

  it('of what is not attached is refused', async () => {
    await bench.mesh.start();
    await expect(bench.mesh.renew({ names: ['orders'] })).rejects.toMatchObject({
      code: 'RENEW_FAILED',
      message: expect.stringMatching(/orders is not attached/),
    });
    expect(bench.runtime.log).toEqual([]);
  });

  it('asked for twice is done once', async () => {
    await attached();
    await Promise.all([bench.mesh.renew({ names: ['orders'] }), bench.mesh.renew({ names: ['orders'] })]);
    expect(bench.runtime.log.filter((line) => line === 'startSuccessor orders')).toHaveLength(1);
  });
});

describe('a renewal that fails', () => {
  it.each([
    ['sidecar', () => bench.runtime.failures.set('startSuccessor orders', new Error('no space')), /no space/, []],
    [
      'connect',
      () => bench.runtime.failures.set('connect successor of orders', new Error('no socket')),
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
      () => bench.runtime.failures.set('confirm successor of orders', new Error('engine is gone')),
      /engine is gone/,
      ['confirm successor of orders', 'remove orders beside another'],
    ],
  ])('at step %s leaves the older sidecar as it was', async (step, breakIt, why, undone) => {
    const older = await attached();
    const serial = serialShown();
    breakIt();
    await expect(bench.mesh.renew({ names: ['orders'] })).rejects.toMatchObject({
      code: 'RENEW_FAILED',
      message: expect.stringMatching(new RegExp(`step ${step}\\), the older sidecar goes on: .*${why.source}`)),
    });
    const done = bench.runtime.log.filter((line) => !line.includes(' uses '));
    expect(done).toEqual(['startSuccessor orders', ...undone]);
    expect(bench.runtime.sidecar('orders')).toBe(older);
    expect(bench.runtime.successors.size).toBe(0);
    expect(bench.mesh.findWorkload('orders')).toMatchObject({ mesh: 'attached', reason: null });
    expect(serialShown()).toBe(serial);
    expect(serialUsed(older)).toBe(serial);
    expect(typesOf(older)).not.toContain('retire');
    expect(bench.progress.at(-1)).toMatchObject({ operation: 'renew', step, state: 'failed' });
    const pushed = older.configs.length;
    bench.runtime.change([web, orders, fakeWorkload('cart')]);
    await eventually('the older one gets the next change', () => older.configs.length > pushed);
    bench.runtime.failures.clear();
    prepareSuccessor(() => undefined);
    expect((await bench.mesh.renew({ names: ['orders'] }))[0]).toMatchObject({ mesh: 'attached', reason: null });
  });

  it('at step remove says that the new one serves', async () => {
    await attached();
    bench.runtime.failures.set('remove orders beside another', new Error('busy'));
    await expect(bench.mesh.renew({ names: ['orders'] })).rejects.toMatchObject({
      message: expect.stringMatching(/step remove\), the new sidecar serves: busy/),
    });
    expect(bench.mesh.findWorkload('orders').mesh).toBe('attached');
  });

  it('goes on when the older sidecar dies while it hands over', async () => {
    const older = await attached();
    older.drainMode = 'hold';
    const renewing = bench.mesh.renew({ names: ['orders'] });
    await eventually('retire', () => bench.runtime.log.includes('retire orders'));
    older.dropConnections();
    expect((await renewing)[0]).toMatchObject({ mesh: 'attached', reason: null });
    expect(bench.runtime.log).toContain('remove orders beside another');
    expect(bench.runtime.log.filter((line) => line.startsWith('startSidecar'))).toEqual([]);
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
    const renewing = bench.mesh.renew({ names: ['orders'] });
    await eventually('retire', () => typesOf(older).includes('retire'));
    (successor as FakeSidecar | null as FakeSidecar).ackMode = 'ack';
    await eventually('the switch', () => typesOf(older).filter((type) => type === 'retire').length === 2);
    older.finishDrain();
    expect((await renewing)[0]).toMatchObject({ mesh: 'attached', reason: expect.stringMatching(/cannot be shared/) });
    expect(bench.notices.join()).toMatch(/cannot be shared/);
    expect(bench.mesh.findWorkload('orders')).toMatchObject({ mesh: 'attached', reason: null });
  });

  it('does not give up a port that somebody else has', async () => {
    const older = await attached();
    older.ackMode = 'nack';
    bench.runtime.change([web, orders, fakeWorkload('cart')]);
    await eventually('degraded', () => bench.mesh.findWorkload('orders').mesh === 'degraded');
    prepareSuccessor((sidecar) => {
      sidecar.ackMode = 'nack';
      sidecar.nackCode = 'LISTEN_FAILED';
    });
    await expect(bench.mesh.renew({ names: ['orders'] })).rejects.toMatchObject({ code: 'RENEW_FAILED' });
    expect(typesOf(older)).not.toContain('retire');
  });
});

describe('a renewal that is overtaken', () => {
  it('by detach gives up before the switch, and nothing is left', async () => {
    await attached();
    prepareSuccessor((sidecar) => (sidecar.ackMode = 'hold'));
    const renewing = bench.mesh.renew({ names: ['orders'] });
    renewing.catch(() => undefined);
    await eventually('the push', () => typesOf(bench.runtime.successors.get('orders') as FakeSidecar).includes('push'));
    expect((await bench.mesh.detach({ names: ['orders'] }))[0]?.mesh).toBe('detached');
    await expect(renewing).rejects.toMatchObject({ code: 'RENEW_FAILED' });
    expect(bench.runtime.sidecars.has('orders')).toBe(false);
    expect(bench.runtime.successors.size).toBe(0);
  });

  it('by detach waits for older connections no longer than detach does', async () => {
    const older = await attached();
    older.drainMode = 'hold';
    const renewing = bench.mesh.renew({ names: ['orders'] }, 60_000);
    await eventually('retire', () => bench.runtime.log.includes('retire orders'));
    const detaching = bench.mesh.detach({ names: ['orders'] }, 1_000);
    await eventually('a shorter one', () =>
      older.received.some((message) => message.type === 'retire' && message.deadlineMs === 1_000),
    );
    older.finishDrain();
    await renewing;
    expect((await detaching)[0]?.mesh).toBe('detached');
    expect(bench.runtime.sidecars.has('orders')).toBe(false);
  });

  it('by the end of the workload leaves nothing', async () => {
    await attached();
    prepareSuccessor((sidecar) => (sidecar.ackMode = 'hold'));
    const renewing = bench.mesh.renew({ names: ['orders'] });
    renewing.catch(() => undefined);
    await eventually('the push', () => typesOf(bench.runtime.successors.get('orders') as FakeSidecar).includes('push'));
    bench.runtime.change([web, { ...orders, state: 'exited' }]);
    await expect(renewing).rejects.toMatchObject({ code: 'RENEW_FAILED' });
    await eventually(
      'both are gone',
      () => !bench.runtime.sidecars.has('orders') && bench.runtime.successors.size === 0,
    );
  });

  it('by the end of the control plane leaves the older sidecar to end by itself', async () => {
    const older = await attached();
    older.drainMode = 'hold';
    const renewing = bench.mesh.renew({ names: ['orders'] }, 60_000);
    await eventually('retire', () => bench.runtime.log.includes('retire orders'));
    await bench.mesh.close();
    await renewing;
    expect(bench.runtime.log).not.toContain('remove orders beside another');
    await older.close();
  });
});

describe('a control plane that starts', () => {
  async function restarted(): Promise<void> {
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    await bench.mesh.close();
    await bench.runtime.close();
    bench.replaceRuntime();
    for (const workload of [web, orders]) (await bench.runtime.leaveSidecar(workload)).revision = 40;
    bench.startAgain();
  }

  it('renews sidecars of an older program, and leaves the others alone', async () => {
    await restarted();
    const older = bench.runtime.sidecar('orders');
    bench.runtime.outdated.add(orders.id);
    await bench.mesh.start();
    await eventually('renewed', () => bench.runtime.log.includes('remove orders beside another'));
    expect(bench.runtime.sidecar('orders')).not.toBe(older);
    expect(bench.runtime.log).not.toContain('startSuccessor web');
    await eventually('attached', () => bench.mesh.workloads().every((workload) => workload.mesh === 'attached'));
    expect(bench.runtime.log).not.toContain('web uses plaintext with orders');
  });

  it('keeps an older sidecar when its renewal fails, and says so', async () => {
    await restarted();
    const older = bench.runtime.sidecar('orders');
    bench.runtime.outdated.add(orders.id);
    bench.runtime.failures.set('startSuccessor orders', new Error('no image'));
    await bench.mesh.start();
    await eventually('a notice', () => bench.notices.some((notice) => /older sidecar goes on.*no image/.test(notice)));
    expect(bench.runtime.sidecar('orders')).toBe(older);
    await eventually('attached', () => bench.mesh.findWorkload('orders').mesh === 'attached');
  });

  it('ends a sidecar that an earlier one had replaced', async () => {
    await restarted();
    const replaced = await bench.runtime.leaveReplaced(orders);
    await bench.mesh.start();
    await eventually('it is gone', () => bench.runtime.log.includes('remove orders beside another'));
    expect(typesOf(replaced)).toEqual(['hello', 'retire']);
    await eventually('attached', () => bench.mesh.findWorkload('orders').mesh === 'attached');
  });
});
