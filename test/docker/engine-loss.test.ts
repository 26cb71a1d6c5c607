/** An engine that is absent, appears, goes away and comes back: states, never a crash, and everything resumes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { EngineStatus } from '../../core/contract/shapes.ts';
import { DockerRuntime } from '../../core/control-plane/runtime/docker/docker-runtime.ts';
import { findEngine } from '../../core/control-plane/runtime/docker/engine-address.ts';
import { silentLogger } from '../../core/shared/logger.ts';
import { dockerProblem } from '../support/docker-mesh.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import { builtProgram, distDir } from '../support/programs.ts';
import { UnixProxy } from '../support/unix-proxy.ts';

const socketPath = findEngine().options?.socketPath;
const problem =
  (await dockerProblem()) ?? (socketPath === undefined ? 'the engine is not on a socket of this machine' : null);
const sleeper = ['node', '-e', 'process.once("SIGTERM",()=>process.exit());setInterval(()=>{},1e6)'];

describe.skipIf(problem !== null)('a container engine that comes and goes', () => {
  const shop = new DockerShop();
  const statuses: EngineStatus[] = [];
  let dir: string;
  let proxy: UnixProxy;
  let runtime: DockerRuntime;

  const names = () => runtime.workloads().map(({ name }) => name);
  const state = () => runtime.engine().state;

  beforeAll(async () => {
    builtProgram('sidecar');
    await shop.prepare();
    await shop.add({ name: 'target', command: sleeper });
    dir = await mkdtemp(join(tmpdir(), 'engine-loss-'));
    proxy = new UnixProxy(join(dir, 'engine.sock'), socketPath ?? '');
    vi.stubEnv('DOCKER_HOST', `unix://${proxy.path}`);
    vi.stubEnv('MESHDESK_SIDECAR_IMAGE', 'host');
    runtime = new DockerRuntime({ distDir, stateDir: dir, log: silentLogger });
    const ignore = () => undefined;
    await runtime.start({
      onWorkloads: ignore,
      onProgress: ignore,
      onNotice: ignore,
      onEngine: (status) => statuses.push(status),
    });
  });

  afterAll(async () => {
    await runtime?.close();
    await proxy?.cut();
    await shop.close();
    await rm(dir, { recursive: true, force: true });
    vi.unstubAllEnvs();
  });

  it('is unavailable at first, with the reason, and every call says so', async () => {
    expect(runtime.engine()).toMatchObject({ state: 'unavailable', endpoint: `unix://${proxy.path}` });
    expect(runtime.engine().message).toBeTruthy();
    expect(runtime.workloads()).toEqual([]);
    expect(await runtime.adopt()).toEqual([]);
    await expect(
      runtime.openTerminal({ workloadId: 'x', target: 'workload', kind: 'logs', columns: 80, rows: 24 }),
    ).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    const [check] = await runtime.doctor();
    expect(check).toMatchObject({ status: 'fail', fix: expect.stringContaining('DOCKER_HOST') as string });
    expect((await runtime.cleanup()).problems).toHaveLength(1);
  });

  it('is connected by itself once it answers, and its containers are listed', async () => {
    await proxy.open();
    await eventually('connected', () => state() === 'connected');
    expect(names()).toContain(shop.name('target'));
  });

  it('keeps sidecars over a lost connection and sees what happened meanwhile', async () => {
    const sidecar = await runtime.startSidecar(shop.id('target'));
    try {
      await proxy.cut();
      await eventually('unavailable', () => state() === 'unavailable');
      const connecting = async () => await sidecar.connect();
      await expect(connecting()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
      await shop.add({ name: 'meanwhile', command: sleeper });
      await proxy.open();
      await eventually('connected', () => state() === 'connected');
      await eventually('what was started meanwhile', () => names().includes(shop.name('meanwhile')));
      const again = await runtime.adopt();
      expect(again.map(({ workloadId }) => workloadId)).toContain(shop.id('target'));
      const stream = await sidecar.connect();
      stream.destroy();
      await shop.add({ name: 'afterwards', command: sleeper });
      await eventually('events flow again', () => names().includes(shop.name('afterwards')));
    } finally {
      await eventually('connected', () => state() === 'connected');
      await sidecar.remove();
    }
  });

  it('has told every change of state, in order', () => {
    const states = statuses.map((status) => status.state);
    const changes = states.filter((state, index) => state !== states[index - 1]);
    expect(changes).toEqual(['unavailable', 'connected', 'unavailable', 'connected']);
  });
});
