import { afterEach, expect, test } from 'vitest';
import { PortPlan } from '../../../core/control-plane/runtime/process/port-plan.ts';
import { ProcessRuntime } from '../../../core/control-plane/runtime/process/process-runtime.ts';
import { SampleShop } from '../../../core/control-plane/sample/sample-shop.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { eventually } from '../../support/eventually.ts';
import { builtProgram } from '../../support/programs.ts';
import { RecordedRuntimeEvents } from '../../support/runtime-events.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startShop() {
  const runtime = new ProcessRuntime({ sidecarProgram: 'none', portFile: null });
  closing.push(() => runtime.close());
  const events = new RecordedRuntimeEvents();
  await runtime.start(events);
  const shop = new SampleShop({ runtime, program: builtProgram('sample'), log: silentLogger });
  closing.push(() => shop.close());
  await shop.start();
  return { runtime, shop, events };
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('starts eight processes that serve each other without a mesh, and leaves none behind', async () => {
  const { runtime, shop } = await startShop();
  const workloads = runtime.workloads();
  expect(workloads.map(({ name }) => name).sort()).toEqual(
    ['catalog', 'inventory', 'ledger', 'orders', 'payments-v1', 'payments-v2', 'shoppers', 'web'].sort(),
  );
  expect(workloads.every(({ state, addresses }) => state === 'running' && addresses[0]?.ip === '127.0.0.1')).toBe(true);
  const web = workloads.find(({ name }) => name === 'web');
  expect(web?.ports[0]).toMatchObject({ servicePort: 8080, protocol: 'http' });

  const order = await eventually('an order is accepted', async () => {
    const response = await fetch(`http://127.0.0.1:${web?.ports[0]?.port}/checkout?product=cup`, { method: 'POST' });
    return response.status === 201 ? ((await response.json()) as { ordered: unknown }) : null;
  });
  expect(order.ordered).toMatchObject({ product: 'cup', payment: { paid: true, version: 'v1' } });
  expect(JSON.stringify(order)).toMatch(/"ledger":"\+OK \d+"/);

  const pids = workloads.map(({ stateText }) => Number(stateText.replace('pid ', '')));
  expect(pids.every(isAlive)).toBe(true);
  await shop.stop();
  expect(runtime.workloads()).toEqual([]);
  await eventually('all processes have ended', () => !pids.some(isAlive));
});

test('starts a service again that was killed, as another incarnation', async () => {
  const { runtime } = await startShop();
  const find = () => runtime.workloads().find(({ name }) => name === 'payments-v2');
  const before = find();
  process.kill(Number(before?.stateText.replace('pid ', '')), 'SIGKILL');
  const after = await eventually('it runs again', () => {
    const now = find();
    return now?.state === 'running' && now.incarnation !== before?.incarnation ? now : null;
  });
  expect(after.id).toBe('process:payments-v2');
});

test('a port plan keeps its ports over restarts and never gives one port to two purposes', async () => {
  const plan = new PortPlan(null);
  const [first, second, again] = await plan.reserve(['a', 'b', 'a']);
  expect(first).toBe(again);
  expect(first).not.toBe(second);
  expect(plan.get('c')).toBeUndefined();
});
