/** Sidecar containers are renewed while traffic goes on, and exactly one is left of each, also when it was cut short. */
import { appendFile, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerRuntime } from '../../core/control-plane/runtime/docker/docker-runtime.ts';
import { silentLogger } from '../../core/shared/logger.ts';
import { type DockerMesh, dockerProblem, startDockerMesh } from '../support/docker-mesh.ts';
import { httpService } from '../support/docker-programs.ts';
import { DockerShop, type LoadTotals } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import { distDir } from '../support/programs.ts';
import { RecordedRuntimeEvents } from '../support/runtime-events.ts';

const problem = await dockerProblem();
const targets = ['api', 'fresh', 'kept'];

describe.skipIf(problem !== null)('the renewal of sidecar containers', () => {
  const shop = new DockerShop();
  let mesh: DockerMesh;
  let projectDir: string;
  let otherDist: string;
  let otherImage = '';
  let loads: { read(): Promise<LoadTotals> }[];

  const names = () => targets.map((short) => shop.name(short));
  const sidecarsOf = async (short: string) => {
    const label = ['dev.meshdesk.role=sidecar', `dev.meshdesk.workload=${shop.id(short)}`];
    return await shop.docker.listContainers({ all: true, filters: { label } });
  };
  const idsOf = async () => (await Promise.all(targets.map(sidecarsOf))).map((found) => found.map(({ Id }) => Id));
  const stateOf = async (short: string) => {
    const { State, RestartCount, NetworkSettings } = await shop.docker.getContainer(shop.id(short)).inspect();
    return { pid: State.Pid, startedAt: State.StartedAt, restarts: RestartCount, network: NetworkSettings.Networks };
  };
  const serials = async () => {
    const listed = await mesh.client.call('certificate.list', {});
    return Object.fromEntries(listed.map(({ workload, serial }) => [workload.name, serial]));
  };
  const settled = () =>
    eventually('all attached, with nothing to say about it', async () => {
      const listed = (await mesh.client.call('workload.list', {})).filter(({ name }) => names().includes(name));
      return listed.length === targets.length && listed.every((each) => each.mesh === 'attached' && !each.reason);
    });
  /** Both loads answer this many more requests, and none has failed so far. */
  const flows = async (count = 300) => {
    for (const load of loads) {
      const from = (await load.read()).ok;
      await eventually(`${count} more answers`, async () => (await load.read()).ok >= from + count);
      const { failed, errors } = await load.read();
      expect({ failed, errors }).toEqual({ failed: 0, errors: {} });
    }
  };
  const oneEach = (ids: string[][]) => expect(ids.map(({ length }) => length)).toEqual(targets.map(() => 1));

  /** The product as it would be in another version: the same program, another content. */
  async function copyDist(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'dist-'));
    await mkdir(join(dir, 'dist'));
    await cp(join(distDir, 'sidecar'), join(dir, 'dist', 'sidecar'), { recursive: true });
    await appendFile(join(dir, 'dist', 'sidecar', 'sidecar.mjs'), `\n// ${shop.run}\n`);
    await symlink(join(distDir, '..', 'node_modules'), join(dir, 'node_modules'));
    return dir;
  }

  beforeAll(async () => {
    await shop.prepare();
    const service = { command: ['node', '-e', httpService], env: { NAME: 'api' }, port: 8080 };
    await shop.add({ name: 'api', aliases: ['api'], ...service });
    loads = [
      await shop.startLoad('http://api:8080/', 250, 'fresh', { kept: false, visible: true }),
      await shop.startLoad('http://api:8080/', 100, 'kept', { visible: true }),
    ];
    otherDist = await copyDist();
    projectDir = await mkdtemp(join(tmpdir(), 'renewal-'));
    mesh = await startDockerMesh(projectDir, join(otherDist, 'dist'));
    await mesh.client.call('workload.attach', { select: { names: names() } });
    await settled();
    otherImage = (await sidecarsOf('api'))[0]?.ImageID ?? '';
  });

  afterAll(async () => {
    await mesh?.close({ detach: true });
    await shop.close();
    await shop.docker.getImage(otherImage).remove({ force: true });
    await rm(projectDir, { recursive: true, force: true });
    await rm(otherDist, { recursive: true, force: true });
  });

  it('of clients and server loses no request of 250 new connections/s and of kept ones, and touches no target', async () => {
    await flows();
    const [ids, before, states] = [await idsOf(), await serials(), await Promise.all(targets.map(stateOf))];
    const rules = await shop.rulesOf('api');
    const results = await mesh.client.call('workload.renew', { select: { names: names() } });
    expect(results.map(({ mesh: state, reason }) => [state, reason])).toEqual(targets.map(() => ['attached', null]));
    await flows();
    const after = await idsOf();
    oneEach(after);
    expect(after.flat().filter((id) => ids.flat().includes(id))).toEqual([]);
    expect(await Promise.all(targets.map(stateOf))).toEqual(states);
    expect(await shop.rulesOf('api')).toBe(rules);
    const shown = await serials();
    for (const name of names()) {
      expect(shown[name]).not.toBe(before[name]);
      const { ok } = await mesh.client.call('certificate.verify', { workload: name });
      expect(ok).toBe(true);
    }
    await eventually('mutual TLS on every edge', async () => {
      const { edges } = await mesh.client.call('topology.get', { windowSeconds: 5 });
      const http = edges.filter(({ protocol }) => protocol === 'http');
      return http.length > 0 && http.every(({ mtls }) => mtls === 'closed');
    });
  });

  it('of an older program’s sidecars comes by itself when another version starts, without a failed request', async () => {
    const older = await idsOf();
    await mesh.close({ keep: true });
    mesh = await startDockerMesh(projectDir);
    const renewed = await eventually(
      'all are renewed',
      async () => {
        const ids = await idsOf();
        return ids.every(({ length }) => length === 1) && !ids.flat().some((id) => older.flat().includes(id)) && ids;
      },
      240_000,
    );
    await settled();
    await flows();
    await mesh.close({ keep: true });
    mesh = await startDockerMesh(projectDir);
    await settled();
    await flows();
    expect(await idsOf()).toEqual(renewed);
  });

  it('that was cut short before the switch leaves the older sidecar, after it the newer one', async () => {
    const before = await idsOf();
    await mesh.close({ keep: true });
    const stateDir = join(projectDir, '.meshdesk');
    const runtime = new DockerRuntime({ distDir, stateDir, log: silentLogger });
    await runtime.start(new RecordedRuntimeEvents());
    const adopted = await eventually('the engine', async () => {
      const found = await runtime.adopt();
      return found.length === targets.length && found;
    });
    const of = (short: string) => {
      const found = adopted.find(({ workloadId }) => workloadId === shop.id(short));
      if (found === undefined) throw new Error(`${short} has no sidecar`);
      return found;
    };
    await runtime.startSuccessor(of('api'));
    await (await runtime.startSuccessor(of('fresh'))).confirm();
    await runtime.close();
    expect((await idsOf()).map(({ length }) => length)).toEqual([2, 2, 1]);

    mesh = await startDockerMesh(projectDir);
    await settled();
    await eventually('one each', async () => (await idsOf()).every(({ length }) => length === 1));
    const [api, fresh, kept] = await idsOf();
    expect([api, kept]).toEqual([before[0], before[2]]);
    expect(fresh).not.toEqual(before[1]);
    await flows(100);
  });
});
