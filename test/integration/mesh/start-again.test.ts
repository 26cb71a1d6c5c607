import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ascending, prepareFakeMesh } from '../../support/fake-mesh.ts';
import { fakeWorkload } from '../../support/fake-runtime.ts';

const web = fakeWorkload('web');
const orders = fakeWorkload('orders');
const bench = prepareFakeMesh([web, orders]);

const stateOf = (name: string) => bench.mesh.findWorkload(name).mesh;
const order = (...lines: string[]) => lines.map((line) => bench.runtime.log.indexOf(line));

describe('a control plane that starts again', () => {
  it('takes over the sidecars that are there, without a moment of plaintext', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    await bench.mesh.close();
    expect(JSON.parse(await readFile(join(bench.stateDir, 'attached.json'), 'utf8')).workloads.sort()).toEqual([
      orders.id,
      web.id,
    ]);
    bench.replaceRuntime();
    for (const workload of [web, orders]) {
      const left = await bench.runtime.leaveSidecar(workload);
      left.revision = 40;
      left.certificateSerial = 'abc';
    }
    bench.startAgain();
    await bench.mesh.start();
    await eventually('all connected', () => bench.mesh.status().sidecars.acked === 2);
    await eventually('all attached', () => bench.mesh.workloads().every((workload) => workload.mesh === 'attached'));
    expect(bench.runtime.log).not.toContain('web uses plaintext with orders');
    expect(bench.runtime.log.filter((line) => line.startsWith('startSidecar'))).toEqual([]);
    await eventually(
      'the rules again',
      () => bench.runtime.log.filter((line) => line.startsWith('redirect')).length === 2,
    );
    expect(bench.mesh.certificates.list()).toHaveLength(2);
  });

  it('attaches again what was attached and has no sidecar any more', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ names: ['orders'] });
    await bench.mesh.close();
    bench.replaceRuntime();
    bench.startAgain();
    await bench.mesh.start();
    await eventually('attached', () => stateOf('orders') === 'attached');
    expect(stateOf('web')).toBe('detached');
  });

  it('finishes what an earlier one had only begun', async () => {
    await bench.runtime.leaveSidecar(orders);
    await bench.mesh.start();
    await eventually('attached', () => stateOf('orders') === 'attached');
    expect(ascending(order('startSidecar orders', 'redirect orders'))).toBe(true);
  });

  it('leaves the sidecars when it ends, unless it is told to detach', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    await bench.mesh.close();
    expect(bench.runtime.sidecars.size).toBe(2);
    expect(bench.runtime.log).not.toContain('undirect web');
    bench.replaceRuntime();
    bench.startAgain();
    await bench.mesh.start();
    await eventually('attached', () => bench.mesh.status().sidecars.attached === 2);
    await bench.mesh.close({ detach: true });
    expect(bench.runtime.sidecars.size).toBe(0);
  });
});

describe('cleanup', () => {
  it('detaches everything and says what else the runtime removed', async () => {
    await bench.mesh.start();
    await bench.mesh.attach({ all: true });
    expect(await bench.mesh.cleanup()).toEqual({ containers: ['left-over'], rules: [], images: [], problems: [] });
    expect(bench.runtime.sidecars.size).toBe(0);
    expect(bench.mesh.workloads().map((workload) => workload.mesh)).toEqual(['detached', 'detached']);
  });
});
