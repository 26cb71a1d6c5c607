import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ascending, prepareFakeMesh } from '../../support/fake-mesh.ts';
import { fakeWorkload } from '../../support/fake-runtime.ts';

const web = fakeWorkload('web');
const orders = fakeWorkload('orders');
const bench = prepareFakeMesh([web, orders]);

const stateOf = (name: string) => bench.mesh.findWorkload(name).mesh;
const order = (...lines: string[]) => lines.map((line) => bench.runtime.log.indexOf(line));

describe('attach', () => {
  it('announces mutual TLS only after the traffic is redirected', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ names: ['web'] });
    const [result] = await bench.mesh.attach({ names: ['orders'] });
    expect(result).toMatchObject({
      name: 'orders',
      mesh: 'attached',
      reason: null,
      identity: 'spiffe://cluster.local/ns/shop/sa/orders',
    });
    const steps = order('startSidecar orders', 'redirect orders', 'web uses mTLS with orders');
    expect(ascending(steps), bench.runtime.log.join('\n')).toBe(true);
    expect(
      bench.runtime
        .sidecar('orders')
        .received.map(({ type }) => type)
        .filter((type) => type !== 'heartbeat')
        .slice(0, 4),
    ).toEqual(['hello', 'certificate.request', 'certificate.issued', 'push']);
    expect(
      bench.progress.filter((step) => step.workload === orders.id).map(({ step, state }) => `${step} ${state}`),
    ).toEqual([
      'sidecar running',
      'connect running',
      'configuration running',
      'redirect running',
      'announce running',
      'announce done',
    ]);
  });

  it('twice does nothing the second time', async () => {
    await bench.mesh.start();
    await Promise.all([bench.mesh.attach({ names: ['web'] }), bench.mesh.attach({ names: ['web'] })]);
    const before = [...bench.runtime.log];
    const [again] = await bench.mesh.attach({ names: ['web'] });
    expect(again?.mesh).toBe('attached');
    expect(bench.runtime.log).toEqual(before);
    expect(before.filter((line) => line === 'startSidecar web')).toHaveLength(1);
  });

  it('of all leaves out what cannot be attached and attaches the rest', async () => {
    bench.runtime.change([
      web,
      orders,
      fakeWorkload('host', { notAttachable: { code: 'HOST_NETWORK', message: 'on the host network' } }),
      fakeWorkload('old', { state: 'exited' }),
    ]);
    await bench.mesh.start();
    const results = await bench.mesh.attach({ all: true });
    expect(results.map(({ name, mesh: state }) => [name, state])).toEqual([
      ['orders', 'attached'],
      ['web', 'attached'],
    ]);
    expect(bench.mesh.status().sidecars).toEqual({ attached: 2, acked: 2 });
  });

  it.each([
    ['a host network', 'host', 'HOST_NETWORK', /on the host network/],
    ['a workload that does not run', 'old', 'NOT_RUNNING', /does not run/],
    ['a name that is not there', 'wep', 'NOT_FOUND', /Did you mean web\?/],
  ])('of %s is refused', async (_what, name, code, message) => {
    bench.runtime.change([
      web,
      fakeWorkload('host', { notAttachable: { code: 'HOST_NETWORK', message: 'on the host network' } }),
      fakeWorkload('old', { state: 'exited' }),
    ]);
    await bench.mesh.start();
    await expect(bench.mesh.attach({ names: [name] })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(bench.runtime.log).toEqual([]);
  });

  describe('is rolled back when it fails', () => {
    it.each([
      [
        'sidecar',
        () => bench.runtime.failures.set('startSidecar orders', new Error('no space')),
        /step sidecar\): no space/,
        [],
      ],
      [
        'connect',
        () => bench.runtime.failures.set('connect orders', new Error('no socket')),
        /step connect\): no socket/,
        ['remove orders'],
      ],
      [
        'connect',
        () => (bench.runtime.prepare = (sidecar) => (sidecar.certificateMode = 'fail')),
        /step connect\).*no entropy/,
        ['remove orders'],
      ],
      [
        'configuration',
        () => (bench.runtime.prepare = (sidecar) => (sidecar.ackMode = 'nack')),
        /step configuration\): cannot apply/,
        ['remove orders'],
      ],
      [
        'redirect',
        () => bench.runtime.failures.set('redirect orders', new Error('no iptables')),
        /step redirect\): no iptables/,
        ['redirect orders', 'undirect orders', 'remove orders'],
      ],
    ])('at step %s', async (_step, breakIt, message, undone) => {
      await bench.mesh.start();
      await bench.mesh.attach({ names: ['web'] });
      breakIt();
      bench.runtime.log.length = 0;
      await expect(bench.mesh.attach({ names: ['orders'] })).rejects.toMatchObject({
        code: 'ATTACH_FAILED',
        message: expect.stringMatching(message),
      });
      const done = bench.runtime.log.filter((line) => !line.includes(' uses '));
      expect(done).toEqual(['startSidecar orders', ...undone]);
      expect(stateOf('orders')).toBe('detached');
      expect(bench.runtime.sidecars.has('orders')).toBe(false);
      expect(bench.mesh.certificates.list().map(({ workload }) => workload.name)).toEqual(['web']);
      expect(bench.progress.at(-1)).toMatchObject({ operation: 'attach', state: 'failed' });
    });
  });

  it('reports those of several that failed beside those that did not', async () => {
    await bench.mesh.start();
    bench.runtime.failures.set('redirect orders', new Error('no iptables'));
    const results = await bench.mesh.attach({ names: ['web', 'orders'] });
    expect(results.map(({ name, mesh: state }) => [name, state])).toEqual([
      ['web', 'attached'],
      ['orders', 'detached'],
    ]);
    expect(results[1]?.reason).toMatch(/no iptables/);
  });
});

describe('detach', () => {
  it('takes the rules away only after the others have acknowledged plaintext', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    const held = bench.runtime.sidecar('web');
    held.ackMode = 'hold';
    bench.runtime.log.length = 0;
    const detaching = bench.mesh.detach({ names: ['orders'] }, 1_000);
    await eventually('the announcement', () => bench.runtime.log.includes('web uses plaintext with orders'));
    expect(bench.runtime.log).not.toContain('undirect orders');
    held.ackMode = 'ack';
    held.releaseAcks();
    const [result] = await detaching;
    expect(result?.mesh).toBe('detached');
    expect(ascending(order('web uses plaintext with orders', 'undirect orders', 'drain orders', 'remove orders'))).toBe(
      true,
    );
    expect(bench.runtime.sidecars.has('orders')).toBe(false);
  });

  it('shows the connections that it waits for', async () => {
    bench.runtime.prepare = (sidecar) => {
      sidecar.drainMode = 'hold';
      sidecar.drainCounts = { http: 0, tcp: 3 };
    };
    await bench.mesh.start();
    await bench.mesh.attach({ names: ['orders'] });
    const detaching = bench.mesh.detach({ names: ['orders'] }, 60_000);
    await eventually('the kept connections', () => bench.mesh.findWorkload('orders').keptConnections?.tcp === 3);
    expect(stateOf('orders')).toBe('detaching');
    bench.runtime.sidecar('orders').finishDrain();
    expect((await detaching)[0]).toMatchObject({ mesh: 'detached', keptConnections: null });
  });

  it('is taken back by an attach while it drains', async () => {
    bench.runtime.prepare = (sidecar) => (sidecar.drainMode = 'hold');
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    const detaching = bench.mesh.detach({ names: ['orders'] }, 60_000);
    detaching.catch(() => undefined);
    await eventually('the drain', () => bench.runtime.log.includes('drain orders'));
    const [attached] = await bench.mesh.attach({ names: ['orders'] });
    expect(attached?.mesh).toBe('attached');
    await expect(detaching).rejects.toMatchObject({ code: 'CONFLICT' });
    await eventually('undrain', () => bench.runtime.log.includes('undrain orders'));
    expect(bench.runtime.log.slice(-4)).toContain('redirect orders');
    expect(bench.runtime.log).not.toContain('remove orders');
    await eventually(
      'mTLS again',
      () =>
        bench.runtime.log.at(-1) === 'web uses mTLS with orders' ||
        bench.runtime.log.includes('web uses mTLS with orders'),
    );
  });

  it('keeps the sidecar when the rules cannot be taken away, and says so', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ names: ['orders'] });
    bench.runtime.failures.set('undirect orders', new Error('busy'));
    await expect(bench.mesh.detach({ names: ['orders'] })).rejects.toMatchObject({
      code: 'DETACH_FAILED',
      message: expect.stringMatching(/step undirect\): busy/),
    });
    expect(bench.mesh.findWorkload('orders')).toMatchObject({
      mesh: 'degraded',
      reason: expect.stringMatching(/busy/),
    });
    bench.runtime.failures.clear();
    expect((await bench.mesh.detach({ names: ['orders'] }))[0]?.mesh).toBe('detached');
  });

  it('of what is not attached does nothing', async () => {
    await bench.mesh.start();
    expect((await bench.mesh.detach({ names: ['orders'] }))[0]).toMatchObject({ mesh: 'detached' });
    expect(bench.runtime.log).toEqual([]);
  });
});

describe('what is attached', () => {
  it('is attached again when its namespace changes', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ names: ['orders'] });
    const first = bench.runtime.sidecar('orders');
    bench.runtime.change([web, { ...orders, state: 'exited' }]);
    await eventually('the sidecar to go', () => !bench.runtime.sidecars.has('orders'));
    expect(bench.mesh.findWorkload('orders')).toMatchObject({
      mesh: 'detached',
      reason: 'It is attached as soon as it runs.',
    });
    bench.runtime.change([web, { ...orders, incarnation: '2' }]);
    await eventually('the new sidecar', () => stateOf('orders') === 'attached');
    expect(bench.runtime.sidecar('orders')).not.toBe(first);
    expect(bench.runtime.log).not.toContain('undirect orders');
  });

  it('loses its sidecar when it is removed, and the others forget it', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    bench.runtime.change([web]);
    await eventually('the sidecar to go', () => !bench.runtime.sidecars.has('orders'));
    await eventually('a smaller mesh', () => bench.mesh.status().sidecars.attached === 1);
    expect(bench.mesh.topology().nodes.map(({ id }) => id)).toEqual(['web.shop']);
  });

  it('stays when the engine does not answer', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ names: ['orders'] });
    bench.runtime.setEngine('connecting', []);
    bench.runtime.setEngine('connected', [web, orders]);
    expect(stateOf('orders')).toBe('attached');
    expect(bench.runtime.log).not.toContain('remove orders');
  });

  it('is degraded while its sidecar is away, and gets its rules again after a restart of it', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    bench.runtime.log.length = 0;
    bench.runtime.sidecar('orders').restart();
    await eventually('degraded', () => stateOf('orders') === 'degraded');
    await eventually('attached again', () => stateOf('orders') === 'attached');
    expect(bench.runtime.log).toContain('redirect orders');
    expect(bench.mesh.certificates.show('orders').rotations).toBe(1);
  });

  it('is degraded with the reason when it refuses a configuration, and well again after the next', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ names: ['web'] });
    bench.runtime.sidecar('web').ackMode = 'nack';
    bench.runtime.change([web, orders, fakeWorkload('cart')]);
    await eventually('degraded', () => stateOf('web') === 'degraded');
    expect(bench.mesh.findWorkload('web').reason).toMatch(/cannot apply/);
    bench.runtime.sidecar('web').ackMode = 'ack';
    bench.runtime.change([web, orders]);
    await eventually('attached', () => stateOf('web') === 'attached');
  });

  it('is spoken to in plaintext while its sidecar cannot be reached', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    bench.runtime.failures.set('connect orders', new Error('gone'));
    bench.runtime.sidecar('orders').restart();
    await eventually('plaintext', () => bench.runtime.log.includes('web uses plaintext with orders'));
    bench.runtime.log.length = 0;
    bench.runtime.failures.clear();
    await eventually('attached again', () => stateOf('orders') === 'attached');
    await eventually('mTLS', () => bench.runtime.log.includes('web uses mTLS with orders'));
    expect(ascending(order('redirect orders', 'web uses mTLS with orders'))).toBe(true);
  });
});
