import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Progress } from '../../../core/contract/shapes.ts';
import { Mesh } from '../../../core/control-plane/mesh/mesh.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeRuntime, fakeWorkload } from '../../support/fake-runtime.ts';
import { MemoryResourceStore } from '../../support/memory-resource-store.ts';

const web = fakeWorkload('web');
const orders = fakeWorkload('orders');
let stateDir = '';
let runtime: FakeRuntime;
let mesh: Mesh;
let progress: Progress[] = [];

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
  created.listen({
    onChange: () => undefined,
    onCertificate: () => undefined,
    onNotice: () => undefined,
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

const stateOf = (name: string) => mesh.findWorkload(name).mesh;
const order = (...lines: string[]) => lines.map((line) => runtime.log.indexOf(line));
const ascending = (indexes: number[]) =>
  indexes.every((index, at) => index >= 0 && (at === 0 || index > (indexes[at - 1] ?? 0)));

describe('attach', () => {
  it('announces mutual TLS only after the traffic is redirected', async () => {
    await mesh.start();
    await mesh.attach({ names: ['web'] });
    const [result] = await mesh.attach({ names: ['orders'] });
    expect(result).toMatchObject({
      name: 'orders',
      mesh: 'attached',
      reason: null,
      identity: 'spiffe://cluster.local/ns/shop/sa/orders',
    });
    const steps = order('startSidecar orders', 'redirect orders', 'web uses mTLS with orders');
    expect(ascending(steps), runtime.log.join('\n')).toBe(true);
    expect(
      runtime
        .sidecar('orders')
        .received.map(({ type }) => type)
        .filter((type) => type !== 'heartbeat')
        .slice(0, 4),
    ).toEqual(['hello', 'certificate.request', 'certificate.issued', 'push']);
    expect(progress.filter((step) => step.workload === orders.id).map(({ step, state }) => `${step} ${state}`)).toEqual(
      [
        'sidecar running',
        'connect running',
        'configuration running',
        'redirect running',
        'announce running',
        'announce done',
      ],
    );
  });

  it('twice does nothing the second time', async () => {
    await mesh.start();
    await Promise.all([mesh.attach({ names: ['web'] }), mesh.attach({ names: ['web'] })]);
    const before = [...runtime.log];
    const [again] = await mesh.attach({ names: ['web'] });
    expect(again?.mesh).toBe('attached');
    expect(runtime.log).toEqual(before);
    expect(before.filter((line) => line === 'startSidecar web')).toHaveLength(1);
  });

  it('of all leaves out what cannot be attached and attaches the rest', async () => {
    runtime.change([
      web,
      orders,
      fakeWorkload('host', { notAttachable: { code: 'HOST_NETWORK', message: 'on the host network' } }),
      fakeWorkload('old', { state: 'exited' }),
    ]);
    await mesh.start();
    const results = await mesh.attach({ all: true });
    expect(results.map(({ name, mesh: state }) => [name, state])).toEqual([
      ['orders', 'attached'],
      ['web', 'attached'],
    ]);
    expect(mesh.status().sidecars).toEqual({ attached: 2, acked: 2 });
  });

  it.each([
    ['a host network', 'host', 'HOST_NETWORK', /on the host network/],
    ['a workload that does not run', 'old', 'NOT_RUNNING', /does not run/],
    ['a name that is not there', 'wep', 'NOT_FOUND', /Did you mean web\?/],
  ])('of %s is refused', async (_what, name, code, message) => {
    runtime.change([
      web,
      fakeWorkload('host', { notAttachable: { code: 'HOST_NETWORK', message: 'on the host network' } }),
      fakeWorkload('old', { state: 'exited' }),
    ]);
    await mesh.start();
    await expect(mesh.attach({ names: [name] })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(runtime.log).toEqual([]);
  });

  describe('is rolled back when it fails', () => {
    it.each([
      [
        'sidecar',
        () => runtime.failures.set('startSidecar orders', new Error('no space')),
        /step sidecar\): no space/,
        [],
      ],
      [
        'connect',
        () => runtime.failures.set('connect orders', new Error('no socket')),
        /step connect\): no socket/,
        ['remove orders'],
      ],
      [
        'connect',
        () => (runtime.prepare = (sidecar) => (sidecar.certificateMode = 'fail')),
        /step connect\).*no entropy/,
        ['remove orders'],
      ],
      [
        'configuration',
        () => (runtime.prepare = (sidecar) => (sidecar.ackMode = 'nack')),
        /step configuration\): cannot apply/,
        ['remove orders'],
      ],
      [
        'redirect',
        () => runtime.failures.set('redirect orders', new Error('no iptables')),
        /step redirect\): no iptables/,
        ['redirect orders', 'undirect orders', 'remove orders'],
      ],
    ])('at step %s', async (_step, breakIt, message, undone) => {
      await mesh.start();
      await mesh.attach({ names: ['web'] });
      breakIt();
      runtime.log.length = 0;
      await expect(mesh.attach({ names: ['orders'] })).rejects.toMatchObject({
        code: 'ATTACH_FAILED',
        message: expect.stringMatching(message),
      });
      const done = runtime.log.filter((line) => !line.includes(' uses '));
      expect(done).toEqual(['startSidecar orders', ...undone]);
      expect(stateOf('orders')).toBe('detached');
      expect(runtime.sidecars.has('orders')).toBe(false);
      expect(mesh.certificates.list().map(({ workload }) => workload.name)).toEqual(['web']);
      expect(progress.at(-1)).toMatchObject({ operation: 'attach', state: 'failed' });
    });
  });

  it('reports those of several that failed beside those that did not', async () => {
    await mesh.start();
    runtime.failures.set('redirect orders', new Error('no iptables'));
    const results = await mesh.attach({ names: ['web', 'orders'] });
    expect(results.map(({ name, mesh: state }) => [name, state])).toEqual([
      ['web', 'attached'],
      ['orders', 'detached'],
    ]);
    expect(results[1]?.reason).toMatch(/no iptables/);
  });
});

describe('detach', () => {
  it('takes the rules away only after the others have acknowledged plaintext', async () => {
    await mesh.start();
    await mesh.attach({ all: true });
    const held = runtime.sidecar('web');
    held.ackMode = 'hold';
    runtime.log.length = 0;
    const detaching = mesh.detach({ names: ['orders'] }, 1_000);
    await eventually('the announcement', () => runtime.log.includes('web uses plaintext with orders'));
    expect(runtime.log).not.toContain('undirect orders');
    held.ackMode = 'ack';
    held.releaseAcks();
    const [result] = await detaching;
    expect(result?.mesh).toBe('detached');
    expect(ascending(order('web uses plaintext with orders', 'undirect orders', 'drain orders', 'remove orders'))).toBe(
      true,
    );
    expect(runtime.sidecars.has('orders')).toBe(false);
  });

  it('shows the connections that it waits for', async () => {
    runtime.prepare = (sidecar) => {
      sidecar.drainMode = 'hold';
      sidecar.drainCounts = { http: 0, tcp: 3 };
    };
    await mesh.start();
    await mesh.attach({ names: ['orders'] });
    const detaching = mesh.detach({ names: ['orders'] }, 60_000);
    await eventually('the kept connections', () => mesh.findWorkload('orders').keptConnections?.tcp === 3);
    expect(stateOf('orders')).toBe('detaching');
    runtime.sidecar('orders').finishDrain();
    expect((await detaching)[0]).toMatchObject({ mesh: 'detached', keptConnections: null });
  });

  it('is taken back by an attach while it drains', async () => {
    runtime.prepare = (sidecar) => (sidecar.drainMode = 'hold');
    await mesh.start();
    await mesh.attach({ all: true });
    const detaching = mesh.detach({ names: ['orders'] }, 60_000);
    detaching.catch(() => undefined);
    await eventually('the drain', () => runtime.log.includes('drain orders'));
    const [attached] = await mesh.attach({ names: ['orders'] });
    expect(attached?.mesh).toBe('attached');
    await expect(detaching).rejects.toMatchObject({ code: 'CONFLICT' });
    await eventually('undrain', () => runtime.log.includes('undrain orders'));
    expect(runtime.log.slice(-4)).toContain('redirect orders');
    expect(runtime.log).not.toContain('remove orders');
    await eventually(
      'mTLS again',
      () => runtime.log.at(-1) === 'web uses mTLS with orders' || runtime.log.includes('web uses mTLS with orders'),
    );
  });

  it('keeps the sidecar when the rules cannot be taken away, and says so', async () => {
    await mesh.start();
    await mesh.attach({ names: ['orders'] });
    runtime.failures.set('undirect orders', new Error('busy'));
    await expect(mesh.detach({ names: ['orders'] })).rejects.toMatchObject({
      code: 'DETACH_FAILED',
      message: expect.stringMatching(/step undirect\): busy/),
    });
    expect(mesh.findWorkload('orders')).toMatchObject({ mesh: 'degraded', reason: expect.stringMatching(/busy/) });
    runtime.failures.clear();
    expect((await mesh.detach({ names: ['orders'] }))[0]?.mesh).toBe('detached');
  });

  it('of what is not attached does nothing', async () => {
    await mesh.start();
    expect((await mesh.detach({ names: ['orders'] }))[0]).toMatchObject({ mesh: 'detached' });
    expect(runtime.log).toEqual([]);
  });
});

describe('what is attached', () => {
  it('is attached again when its namespace changes', async () => {
    await mesh.start();
    await mesh.attach({ names: ['orders'] });
    const first = runtime.sidecar('orders');
    runtime.change([web, { ...orders, state: 'exited' }]);
    await eventually('the sidecar to go', () => !runtime.sidecars.has('orders'));
    expect(mesh.findWorkload('orders')).toMatchObject({
      mesh: 'detached',
      reason: 'It is attached as soon as it runs.',
    });
    runtime.change([web, { ...orders, incarnation: '2' }]);
    await eventually('the new sidecar', () => stateOf('orders') === 'attached', 1_000);
    expect(runtime.sidecar('orders')).not.toBe(first);
    expect(runtime.log).not.toContain('undirect orders');
  });

  it('loses its sidecar when it is removed, and the others forget it', async () => {
    await mesh.start();
    await mesh.attach({ all: true });
    runtime.change([web]);
    await eventually('the sidecar to go', () => !runtime.sidecars.has('orders'));
    await eventually('a smaller mesh', () => mesh.status().sidecars.attached === 1);
    expect(mesh.topology().nodes.map(({ id }) => id)).toEqual(['web.shop']);
  });

  it('stays when the engine does not answer', async () => {
    await mesh.start();
    await mesh.attach({ names: ['orders'] });
    runtime.setEngine('connecting', []);
    runtime.setEngine('connected', [web, orders]);
    expect(stateOf('orders')).toBe('attached');
    expect(runtime.log).not.toContain('remove orders');
  });

  it('is degraded while its sidecar is away, and gets its rules again after a restart of it', async () => {
    await mesh.start();
    await mesh.attach({ all: true });
    runtime.log.length = 0;
    runtime.sidecar('orders').restart();
    await eventually('degraded', () => stateOf('orders') === 'degraded');
    await eventually('attached again', () => stateOf('orders') === 'attached');
    expect(runtime.log).toContain('redirect orders');
    expect(mesh.certificates.show('orders').rotations).toBe(1);
  });

  it('is degraded with the reason when it refuses a configuration, and well again after the next', async () => {
    await mesh.start();
    await mesh.attach({ names: ['web'] });
    runtime.sidecar('web').ackMode = 'nack';
    runtime.change([web, orders, fakeWorkload('cart')]);
    await eventually('degraded', () => stateOf('web') === 'degraded');
    expect(mesh.findWorkload('web').reason).toMatch(/cannot apply/);
    runtime.sidecar('web').ackMode = 'ack';
    runtime.change([web, orders]);
    await eventually('attached', () => stateOf('web') === 'attached');
  });

  it('is spoken to in plaintext while its sidecar cannot be reached', async () => {
    await mesh.start();
    await mesh.attach({ all: true });
    runtime.failures.set('connect orders', new Error('gone'));
    runtime.sidecar('orders').restart();
    await eventually('plaintext', () => runtime.log.includes('web uses plaintext with orders'), 5_000);
    runtime.log.length = 0;
    runtime.failures.clear();
    await eventually('attached again', () => stateOf('orders') === 'attached');
    await eventually('mTLS', () => runtime.log.includes('web uses mTLS with orders'));
    expect(ascending(order('redirect orders', 'web uses mTLS with orders'))).toBe(true);
  });
});

describe('a control plane that starts again', () => {
  it('takes over the sidecars that are there, without a moment of plaintext', async () => {
    await mesh.start();
    await mesh.attach({ all: true });
    await mesh.close();
    expect(JSON.parse(await readFile(join(stateDir, 'attached.json'), 'utf8')).workloads.sort()).toEqual([
      orders.id,
      web.id,
    ]);
    runtime = new FakeRuntime([web, orders]);
    for (const workload of [web, orders]) {
      const left = await runtime.leaveSidecar(workload);
      left.revision = 40;
      left.certificateSerial = 'abc';
    }
    mesh = createMesh();
    await mesh.start();
    await eventually('all connected', () => mesh.status().sidecars.acked === 2);
    await eventually('all attached', () => mesh.workloads().every((workload) => workload.mesh === 'attached'));
    expect(runtime.log).not.toContain('web uses plaintext with orders');
    expect(runtime.log.filter((line) => line.startsWith('startSidecar'))).toEqual([]);
    await eventually('the rules again', () => runtime.log.filter((line) => line.startsWith('redirect')).length === 2);
    expect(mesh.certificates.list()).toHaveLength(2);
  });

  it('attaches again what was attached and has no sidecar any more', async () => {
    await mesh.start();
    await mesh.attach({ names: ['orders'] });
    await mesh.close();
    runtime = new FakeRuntime([web, orders]);
    mesh = createMesh();
    await mesh.start();
    await eventually('attached', () => stateOf('orders') === 'attached');
    expect(stateOf('web')).toBe('detached');
  });

  it('finishes what an earlier one had only begun', async () => {
    await runtime.leaveSidecar(orders);
    await mesh.start();
    await eventually('attached', () => stateOf('orders') === 'attached');
    expect(ascending(order('startSidecar orders', 'redirect orders'))).toBe(true);
  });

  it('leaves the sidecars when it ends, unless it is told to detach', async () => {
    await mesh.start();
    await mesh.attach({ all: true });
    await mesh.close();
    expect(runtime.sidecars.size).toBe(2);
    expect(runtime.log).not.toContain('undirect web');
    runtime = new FakeRuntime([web, orders]);
    mesh = createMesh();
    await mesh.start();
    await eventually('attached', () => mesh.status().sidecars.attached === 2);
    await mesh.close({ detach: true });
    expect(runtime.sidecars.size).toBe(0);
  });
});

describe('cleanup', () => {
  it('detaches everything and says what else the runtime removed', async () => {
    await mesh.start();
    await mesh.attach({ all: true });
    expect(await mesh.cleanup()).toEqual({ containers: ['left-over'], rules: [], images: [], problems: [] });
    expect(runtime.sidecars.size).toBe(0);
    expect(mesh.workloads().map((workload) => workload.mesh)).toEqual(['detached', 'detached']);
  });
});
