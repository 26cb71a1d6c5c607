/**
 * What the mesh does when parts of it, or of the application, are killed: every harm that was meant ends by itself, and
 * traffic goes on.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliProgram, type ServedControlPlane, serveControlPlane } from '../support/cli-control-plane.ts';
import { dockerProblem } from '../support/docker-mesh.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';

const problem = await dockerProblem();
const targets = ['web', 'orders', 'payments-v1', 'payments-v2', 'redis'];
const ok = '200 web > orders > paymentsv1 > redis:N';

describe.skipIf(problem !== null)('when parts are killed', () => {
  const shop = new DockerShop();
  let projectDir: string;
  let served: ServedControlPlane;

  const workload = async (short: string) => {
    const all = await served.call('workload.list', {});
    return all.find(({ name }) => name === shop.name(short));
  };
  const attached = (short: string) =>
    eventually(`${short} is attached`, async () => (await workload(short))?.mesh === 'attached');
  const sidecarOf = async (short: string) => {
    const listed = await shop.docker.listContainers({
      filters: { label: ['dev.meshdesk.role=sidecar', `dev.meshdesk.workload=${shop.id(short)}`] },
    });
    return listed.map(({ Id }) => Id);
  };

  beforeAll(async () => {
    await shop.start();
    await shop.add({ name: 'caller', command: ['sleep', '600'], labels: { 'dev.meshdesk.ignore': 'true' } });
    projectDir = await mkdtemp(join(tmpdir(), 'resilience-'));
    served = await serveControlPlane(projectDir);
    await served.call('workload.attach', { select: { names: targets.map((short) => shop.name(short)) } });
  });

  afterAll(async () => {
    await served?.call('workload.detach', {
      select: { names: targets.map((short) => shop.name(short)) },
      deadlineMs: 0,
    });
    await served?.stop();
    await rm(projectDir, { recursive: true, force: true });
    await shop.close();
  });

  it('attaches a target again by itself after it was restarted', async () => {
    const [before] = await sidecarOf('orders');
    await shop.docker.getContainer(shop.id('orders')).restart({ t: 1 });
    await eventually('another sidecar', async () => {
      const now = await sidecarOf('orders');
      return now.length === 1 && now[0] !== before;
    });
    await attached('orders');
    await eventually('rules in the new namespace', async () =>
      (await shop.rulesOf('orders')).includes('MESHDESK_OUTPUT'),
    );
    await eventually('the shop answers', async () => (await shop.call('caller', 'http://web:8080/')) === ok);
  });

  it('keeps names resolving through Docker’s DNS while redirected', async () => {
    const script = `require('node:dns').promises.lookup('payments').then((a)=>console.log(a.address))`;
    const address = (await shop.exec('orders', ['node', '-e', script])).trim();
    expect(address).toBe((await workload('payments-v1'))?.addresses[0]?.ip);
  });

  it('starts a killed sidecar again and resumes its configuration', async () => {
    const [id] = await sidecarOf('payments-v1');
    const pidsOf = async () => {
      const { Processes: rows, Titles: titles } = (await shop.docker.getContainer(id ?? '').top()) as {
        Processes: string[][];
        Titles: string[];
      };
      const [pid, command] = [titles.indexOf('PID'), titles.indexOf('CMD')];
      return rows.filter((row) => row[command]?.includes('sidecar.mjs')).map((row) => Number(row[pid]));
    };
    const [pid = 0] = await pidsOf();
    expect(pid).toBeGreaterThan(0);
    process.kill(pid, 'SIGKILL');
    await eventually('another process', async () => (await pidsOf()).some((now) => now !== pid));
    await eventually('the shop answers', async () => (await shop.call('caller', 'http://web:8080/')) === ok);
    // The control plane may notice the loss only now: attached and degraded follow each other until it is connected again.
    await eventually('attached, with nothing to say about it', async () => {
      const { mesh, reason } = (await workload('payments-v1')) ?? {};
      return mesh === 'attached' && reason === null;
    });
    expect(await sidecarOf('payments-v1')).toEqual([id]);
  });

  it('replaces a sidecar container that somebody removed', async () => {
    const [id = ''] = await sidecarOf('payments-v1');
    await shop.docker.getContainer(id).remove({ force: true });
    await eventually('another sidecar', async () => {
      const [now] = await sidecarOf('payments-v1');
      return now !== undefined && now !== id;
    });
    await attached('payments-v1');
    await eventually('the shop answers', async () => (await shop.call('caller', 'http://web:8080/')) === ok);
    await eventually('rules', async () => (await shop.rulesOf('payments-v1')).includes('MESHDESK_OUTPUT'));
  });

  it('drops a fault with its lease when the control plane is killed, keeps traffic, and adopts at the next start', async () => {
    await served.call('fault.set', {
      from: null,
      to: 'orders',
      action: { kind: 'abort', httpStatus: 503 },
      percent: 100,
    });
    await eventually('the fault hits', async () => (await shop.call('caller', 'http://web:8080/')).startsWith('503'));
    const sidecars = await Promise.all(targets.map(sidecarOf));
    await served.kill();
    // Nobody is there who could take it away: only the lease ends it.
    await eventually('the fault is gone', async () => (await shop.call('caller', 'http://web:8080/')) === ok);

    served = await serveControlPlane(projectDir);
    for (const short of targets) await attached(short);
    expect(await Promise.all(targets.map(sidecarOf))).toEqual(sidecars);
    expect((await served.call('fault.list', {})).filter(({ enabled }) => enabled)).toEqual([]);
    expect(await shop.call('caller', 'http://web:8080/')).toBe(ok);
  });

  it('refuses a container on the host’s network and one without a network, and says why', async () => {
    await shop.add({ name: 'hosted', command: ['sleep', '600'], networkMode: 'host' });
    await shop.add({ name: 'lonely', command: ['sleep', '600'], networkMode: 'none' });
    await eventually('both are seen', async () => (await workload('hosted')) && (await workload('lonely')));
    await expect(served.call('workload.attach', { select: { names: [shop.name('hosted')] } })).rejects.toThrow(
      /HOST_NETWORK .*host/,
    );
    await expect(served.call('workload.attach', { select: { names: [shop.name('lonely')] } })).rejects.toThrow(
      /NO_NETWORK/,
    );
    expect(await workload('hosted')).toMatchObject({ mesh: 'detached', notAttachable: { code: 'HOST_NETWORK' } });
  });

  it('keeps a long-lived TCP connection while detaching until the deadline, and then ends it', async () => {
    const script = `const s=require('node:net').connect(6379,'redis');let n=0;s.on('data',()=>{n++;console.log('pong '+n)});s.on('close',()=>{console.log('closed');process.exit()});s.on('error',()=>undefined);setInterval(()=>s.write('PING\\r\\n'),200);`;
    // The service itself may hold a connection of its own to the database: this has to be one more.
    const open = async () => {
      const { edges } = await served.call('topology.get', { windowSeconds: 5 });
      return edges
        .filter(({ protocol, from }) => protocol === 'tcp' && from.includes('orders'))
        .reduce((sum, { tcp }) => sum + (tcp?.connections ?? 0), 0);
    };
    const before = await open();
    const output = shop.exec('orders', ['node', '-e', script]);
    await eventually('the mesh sees the connection', async () => (await open()) > before);
    const detaching = served.call('workload.detach', { select: { names: [shop.name('orders')] }, deadlineMs: 12_000 });
    const kept = await eventually('it is shown as kept', async () => (await workload('orders'))?.keptConnections);
    expect(kept.tcp).toBeGreaterThan(0);
    await detaching;
    const printed = await output;
    expect(printed.match(/pong/g)?.length ?? 0).toBeGreaterThan(10);
    expect(printed).toContain('closed');
    expect(await shop.rulesOf('orders')).not.toContain('MESHDESK');
    await served.call('workload.attach', { select: { names: [shop.name('orders')] } });
  });

  it('removes everything with `meshdesk cleanup`, also when no control plane runs', async () => {
    await served.kill();
    const { stdout } = await promisify(execFile)(process.execPath, [
      cliProgram,
      'cleanup',
      '--project',
      projectDir,
      '--json',
    ]);
    const result = JSON.parse(stdout) as { containers: string[]; rules: string[]; problems: string[] };
    expect(result.problems).toEqual([]);
    expect(result.rules.filter((name) => name.startsWith(shop.run)).sort()).toEqual(
      targets.map((short) => shop.name(short)).sort(),
    );
    for (const short of targets) {
      expect(await sidecarOf(short)).toEqual([]);
      expect(await shop.rulesOf(short)).not.toContain('MESHDESK');
    }
    expect(await shop.call('caller', 'http://web:8080/')).toBe(ok);
    await rm(projectDir, { recursive: true, force: true });
    served = await serveControlPlane(projectDir);
  });
});
