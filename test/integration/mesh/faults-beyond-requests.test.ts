/** Faults that are not of requests, against the running sample shop: of processes, identities, connections and databases. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MethodInput } from '../../../core/contract/contract.ts';
import { eventually } from '../../support/eventually.ts';
import { type SampleMesh, startSampleMesh } from '../../support/sample-mesh.ts';

type Spec = Extract<MethodInput<'fault.set'>, { spec: unknown }>['spec'];

let mesh: SampleMesh;
beforeAll(async () => {
  mesh = await startSampleMesh();
  await mesh.client.call('sample.start', {});
});
afterAll(() => mesh.close());
afterEach(() => mesh.client.call('fault.clear', { all: true }));

const begin = (spec: Spec, id = 'fault') => mesh.client.call('fault.set', { id, spec });
const end = (id = 'fault') => mesh.client.call('fault.clear', { id });
const workload = async (name: string) => {
  const all = await mesh.client.call('workload.list', {});
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no workload ${name}`);
  return found;
};
const pidOf = async (name: string) => Number(/pid (\d+)/.exec((await workload(name)).stateText)?.[1]);
const stateOf = async (pid: number) => /State:\s+(\S)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];

/** Asks as `caller` does: at its own listener for the service. */
async function ask(caller: string, service: string): Promise<number> {
  const url = (await workload(caller)).listeners?.outbound.find((one) => one.service === service)?.url;
  return await new Promise((resolve) => {
    const sent = request(new URL('/', url), { agent: false, timeout: 20_000 }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(0));
    sent.end();
  });
}

describe.skipIf(process.platform !== 'linux')('a process of the sample shop', () => {
  test('stands still while it is paused, and goes on when the fault ends', async () => {
    const pid = await pidOf('inventory');
    await begin({ to: 'inventory', fault: { workload: { pause: {} } } });
    await eventually('it is stopped', async () => (await stateOf(pid)) === 'T');
    const written = async () => await readFile(join(mesh.projectDir, '.meshdesk', 'disturbed.json'), 'utf8');
    await eventually('it is counted', async () => {
      const [fault] = await mesh.client.call('fault.list', {});
      return fault?.enabled === true && fault.seen === 1 && fault.hits === 1;
    });
    expect(JSON.parse(await written())).toMatchObject({
      disturbed: [{ workload: 'process:inventory', what: 'pause' }],
    });
    await end();
    await eventually('it goes on', async () => (await stateOf(pid)) !== 'T');
    await eventually('nothing is written down', async () => JSON.parse(await written()).disturbed.length === 0);
    expect(await pidOf('inventory')).toBe(pid);
  });

  test('stands still in turns by a schedule, and goes on with the duration', async () => {
    const pid = await pidOf('inventory');
    await begin({
      to: 'inventory',
      fault: { workload: { pause: {} } },
      schedule: { on: '1s', off: '1s' },
      duration: '9s',
    });
    for (const wanted of [true, false, true]) {
      await eventually(`stopped: ${wanted}`, async () => ((await stateOf(pid)) === 'T') === wanted);
    }
    await eventually('the fault is off', async () => {
      const [fault] = await mesh.client.call('fault.list', {});
      return fault?.enabled === false;
    });
    await eventually('it goes on', async () => (await stateOf(pid)) !== 'T');
  });

  test('is started again by the shop when it is killed', async () => {
    const pid = await pidOf('inventory');
    await begin({ to: 'inventory', fault: { workload: { kill: {} } } });
    await eventually('another process', async () => {
      const now = await pidOf('inventory');
      return now > 0 && now !== pid;
    });
  });
});

describe('an identity', () => {
  test('makes callers fail while it is wrong, and the certificate of the mesh stays', async () => {
    const before = await mesh.client.call('certificate.show', { workload: 'payments-v1' });
    await eventually('payments answers', async () => (await ask('orders', 'payments.shop')) === 200);
    await begin({ to: 'payments', fault: { identity: { expiredCertificate: {} } } });
    await eventually('callers refuse it', async () => (await ask('orders', 'payments.shop')) === 503);
    expect(await mesh.client.call('certificate.show', { workload: 'payments-v1' })).toEqual(before);
    await eventually('both have taken it in', async () => {
      const [fault] = await mesh.client.call('fault.list', {});
      return fault?.applied.of === 2 && fault.applied.acked === 2;
    });
    await end();
    await eventually('payments answers', async () => (await ask('orders', 'payments.shop')) === 200);
  });
});

describe('connections of the shop', () => {
  test('are refused, and not after the fault', async () => {
    await begin({ from: 'orders', to: 'payments', fault: { tcp: { refuse: {} } } });
    await eventually('a request fails', async () => (await ask('orders', 'payments.shop')) === 503);
    const hits = async () => (await mesh.client.call('fault.list', {}))[0]?.hits ?? 0;
    await eventually('it is counted', async () => (await hits()) > 0);
    await end();
    await eventually('payments answers', async () => (await ask('orders', 'payments.shop')) === 200);
  });
});
