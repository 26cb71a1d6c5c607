/**
 * Faults of containers themselves, and of their connections: what they do to real containers, and that they are over when
 * they are switched off, when the control plane is killed, and after everything of it was.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MethodInput } from '../../core/contract/contract.ts';
import { type ServedControlPlane, serveControlPlane } from '../support/cli-control-plane.ts';
import { dockerProblem } from '../support/docker-mesh.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';

const problem = await dockerProblem();
const ok = '200 web > orders > paymentsv1 > redis:N';
type Spec = Extract<MethodInput<'fault.set'>, { spec: unknown }>['spec'];

describe.skipIf(problem !== null)('faults of containers', () => {
  const shop = new DockerShop();
  let projectDir: string;
  let served: ServedControlPlane;

  /** Of every process of a container: `T` is stopped. */
  const statesOf = async (short: string): Promise<string[]> => {
    const { Processes: rows, Titles: titles } = (await shop.docker
      .getContainer(shop.id(short))
      .top({ ps_args: '-o pid,stat' })) as { Processes: string[][]; Titles: string[] };
    return rows.map((row) => row[titles.indexOf('STAT')]?.[0] ?? '');
  };
  const isStopped = async (short: string) => (await statesOf(short)).every((state) => state === 'T');
  const runs = async (short: string) => (await statesOf(short)).every((state) => state !== 'T');
  const holders = async () => {
    const label = ['dev.meshdesk.role=hold', `dev.meshdesk.workload=${shop.id('orders')}`];
    return await shop.docker.listContainers({ all: true, filters: { label } });
  };
  const begin = (id: string, spec: Spec) => served.call('fault.set', { id, spec });
  const end = (id: string) => served.call('fault.clear', { id });
  const answer = () => shop.call('caller', 'http://web:8080/');

  beforeAll(async () => {
    await shop.start();
    await shop.add({ name: 'caller', command: ['sleep', '600'], labels: { 'dev.meshdesk.ignore': 'true' } });
    projectDir = await mkdtemp(join(tmpdir(), 'workload-faults-'));
    served = await serveControlPlane(projectDir);
    const names = ['web', 'orders', 'payments-v1', 'redis'].map((short) => shop.name(short));
    await served.call('workload.attach', { select: { names } });
  });

  afterAll(async () => {
    await served?.call('fault.clear', { all: true });
    await served?.call('workload.detach', { select: { all: true }, deadlineMs: 0 });
    await served?.stop();
    await rm(projectDir, { recursive: true, force: true });
    await shop.close();
  });

  it('pauses every workload of a service until it is switched off, and leaves no container behind', async () => {
    await begin('stop-orders', { to: 'orders', fault: { workload: { pause: {} } } });
    await eventually('orders is stopped', () => isStopped('orders'));
    expect(await holders()).toHaveLength(1);
    await end('stop-orders');
    await eventually('orders runs', () => runs('orders'));
    await eventually('nothing is left', async () => (await holders()).length === 0);
    expect(await answer()).toBe(ok);
  });

  it('ends a pause with its duration', async () => {
    await begin('brief', { to: 'orders', fault: { workload: { pause: {} } }, duration: '10s' });
    await eventually('orders is stopped', () => isStopped('orders'));
    await eventually('orders runs', () => runs('orders'));
    await end('brief');
  });

  it('ends a pause when the control plane is killed', async () => {
    await begin('stop-orders', { to: 'orders', fault: { workload: { pause: {} } } });
    await eventually('orders is stopped', () => isStopped('orders'));
    await served.kill();
    await eventually('orders runs', () => runs('orders'));
    served = await serveControlPlane(projectDir);
    await eventually('nothing is left', async () => (await holders()).length === 0);
    expect(await answer()).toBe(ok);
  });

  it('ends a pause at the next start when what held it was killed as well', async () => {
    await begin('stop-orders', { to: 'orders', fault: { workload: { pause: {} } } });
    await eventually('orders is stopped', () => isStopped('orders'));
    const [holder] = await holders();
    await shop.docker.getContainer(holder?.Id ?? '').kill({ signal: 'SIGKILL' });
    await served.kill();
    expect(await isStopped('orders')).toBe(true);
    served = await serveControlPlane(projectDir);
    await eventually('orders runs', () => runs('orders'));
    await eventually('nothing is left', async () => (await holders()).length === 0);
    await eventually('the shop answers', async () => (await answer()) === ok);
  });

  it('kills a workload, and starts it again when the fault ends', async () => {
    const target = shop.docker.getContainer(shop.id('payments-v1'));
    await begin('dead', { to: 'payments', fault: { workload: { kill: {} } } });
    await eventually('it is dead', async () => !(await target.inspect()).State.Running);
    await end('dead');
    await eventually('it runs', async () => (await target.inspect()).State.Running);
    await eventually('the shop answers', async () => (await answer()) === ok);
  });

  it('restarts a workload once', async () => {
    const target = shop.docker.getContainer(shop.id('web'));
    const before = (await target.inspect()).State.StartedAt;
    await begin('again', { to: 'web', fault: { workload: { restart: {} } } });
    const startedAt = async () => (await target.inspect()).State.StartedAt;
    await eventually('it has been restarted', async () => (await startedAt()) !== before);
    const after = await startedAt();
    await end('again');
    await eventually('the shop answers', async () => (await answer()) === ok);
    expect(await startedAt()).toBe(after);
  });

  it('resets connections to a database, on redirected traffic between containers', async () => {
    const script = `const s=require('node:net').connect(6379,'redis');s.on('data',(d)=>{console.log('data '+d);s.destroy()});s.on('error',(e)=>{console.log(e.code);process.exit()});s.on('close',()=>process.exit());s.write('PING\\r\\n')`;
    const ping = async () => (await shop.exec('orders', ['node', '-e', script])).trim();
    await eventually('redis answers', async () => (await ping()) === 'data +PONG');
    await begin('cut', {
      from: 'orders',
      to: shop.name('redis'),
      fault: { tcp: { resetPeer: { stream: 'downstream' } } },
    });
    await eventually('the connection is reset', async () => (await ping()) === 'ECONNRESET');
    await end('cut');
    await eventually('redis answers', async () => (await ping()) === 'data +PONG');
  });

  it('hides a name from one caller, and from nobody else', async () => {
    const script = `require('node:dns').promises.resolve4('payments').then((a)=>console.log('found '+a.length),(e)=>console.log(e.code))`;
    const lookUp = async (short: string) => (await shop.exec(short, ['node', '-e', script])).trim();
    expect(await lookUp('orders')).toBe('found 1');
    await begin('hidden', { from: 'orders', to: 'payments', fault: { dns: { nxdomain: {} } } });
    await eventually('orders does not find it', async () => (await lookUp('orders')) === 'ENOTFOUND');
    expect(await lookUp('web')).toBe('found 1');
    await end('hidden');
    await eventually('orders finds it', async () => (await lookUp('orders')) === 'found 1');
  });

  it('makes callers refuse the certificate of a service', async () => {
    // With a connection of its own: the application's may be older than the mesh.
    const ask = () => shop.call('web', 'http://orders:8080/');
    await eventually('orders answers', async () => (await ask()).startsWith('200'));
    await begin('stranger', { to: 'orders', fault: { identity: { unknownCa: {} } } });
    await eventually('web cannot reach orders', async () => (await ask()).startsWith('503'));
    await end('stranger');
    await eventually('orders answers', async () => (await ask()).startsWith('200'));
  });
});
