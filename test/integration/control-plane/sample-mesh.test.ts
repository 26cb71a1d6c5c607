/** The user's job on the sample shop, through the contract: attach, see, break, split, certificates, export, detach. */
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TopologyEdge } from '../../../core/contract/shapes.ts';
import { eventually } from '../../support/eventually.ts';
import { type SampleMesh, startSampleMesh } from '../../support/sample-mesh.ts';

let mesh: SampleMesh;
beforeAll(async () => {
  mesh = await startSampleMesh();
  await mesh.client.call('sample.start', {});
});
afterAll(() => mesh.close());

async function edge(from: string, to: string, windowSeconds = 10): Promise<TopologyEdge | undefined> {
  const topology = await mesh.client.call('topology.get', { windowSeconds });
  return topology.edges.find((candidate) => candidate.from === `${from}.shop` && candidate.to === `${to}.shop`);
}

/** Everything a workload has written since it started. */
async function readLog(workload: string): Promise<string> {
  let text = '';
  const stop = mesh.client.on('terminal.data', ({ data }) => {
    text += data;
  });
  const { id } = await mesh.client.call('terminal.open', { workload, target: 'workload', kind: 'logs' });
  await eventually('the log is told', () => text.includes('ready'));
  stop();
  await mesh.client.call('terminal.close', { id });
  return text;
}

/** Checkouts one after the other from `lanes` clients until `isOver`; statuses that the shop itself gives are fine. */
async function shopUntil(isOver: () => boolean, lanes: number): Promise<{ answers: number; losses: string[] }> {
  const workloads = await mesh.client.call('workload.list', {});
  const port = workloads.find(({ name }) => name === 'web')?.ports[0]?.port;
  const natural = new Set([200, 201, 402, 404, 500]);
  const losses: string[] = [];
  let answers = 0;
  const visit = () =>
    new Promise<void>((resolve) => {
      const sent = request(
        { host: '127.0.0.1', port, method: 'POST', path: '/checkout?product=cup', agent: false },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            body += chunk;
          });
          response.on('end', () => {
            answers += 1;
            if (!natural.has(response.statusCode ?? 0)) losses.push(`${response.statusCode} ${body}`);
            resolve();
          });
        },
      );
      sent.on('error', (error) => {
        losses.push(error.message);
        resolve();
      });
      sent.end();
    });
  const lane = async () => {
    while (!isOver()) await visit();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return { answers, losses };
}

test('from nothing to a live graph', async () => {
  const topology = await eventually('all edges have rates', async () => {
    const now = await mesh.client.call('topology.get', { windowSeconds: 10 });
    return now.edges.filter(({ requestsPerSecond, tcp }) => (requestsPerSecond ?? 0) > 0 || (tcp?.connections ?? 0) > 0)
      .length >= 7
      ? now
      : null;
  });
  const edges = topology.edges.map(({ from, to }) => `${from}->${to}`.replaceAll('.shop', ''));
  for (const expected of [
    'shoppers->web',
    'web->catalog',
    'web->orders',
    'catalog->inventory',
    'orders->inventory',
    'orders->payments',
    'orders->ledger',
  ]) {
    expect(edges).toContain(expected);
  }
  const workloads = await mesh.client.call('workload.list', {});
  expect(workloads.map(({ mesh: state }) => state)).toEqual(Array.from({ length: 8 }, () => 'attached'));
});

test('traffic between attached workloads is mutual TLS, also over TCP', async () => {
  for (const [from, to, protocol] of [
    ['web', 'orders', 'http'],
    ['orders', 'payments', 'http'],
    ['orders', 'ledger', 'tcp'],
  ] as const) {
    const seen = await eventually(`${from} to ${to} is closed`, async () => {
      const found = await edge(from, to, 5);
      return found?.mtls === 'closed' && found.protocol === protocol ? found : null;
    });
    expect(seen.protocol).toBe(protocol);
  }
});

test('all goes to payments v1 until a split says otherwise; then both are observed, and a header pins', async () => {
  const before = await mesh.client.call('split.show', { service: 'payments', windowSeconds: 5 });
  expect(before.configured).toBe(false);
  expect(before.observed.find(({ version }) => version === 'v1')?.percent).toBe(100);
  await mesh.client.call('split.set', {
    service: 'payments',
    weights: [
      { subset: 'v1', weight: 50 },
      { subset: 'v2', weight: 50 },
    ],
    pins: [{ name: 'x-beta', value: '1', subset: 'v2' }],
  });
  await eventually('both versions are seen', async () => {
    const { observed } = await mesh.client.call('split.show', { service: 'payments', windowSeconds: 5 });
    return observed.filter(({ percent }) => (percent ?? 0) > 15).length === 2;
  });
  expect(await readdir(join(mesh.projectDir, 'traffic'))).toEqual(['shop.payments.yaml']);
  const cleared = await mesh.client.call('split.clear', { service: 'payments' });
  expect(cleared.configured).toBe(false);
});

test('a fault shows on its edge and is taken away again', async () => {
  const fault = await mesh.client.call('fault.set', {
    from: 'web',
    to: 'catalog',
    action: { kind: 'abort', httpStatus: 503 },
    percent: 100,
  });
  await eventually('the errors are seen', async () => ((await edge('web', 'catalog', 1))?.errorPercent ?? 0) > 50);
  expect((await edge('web', 'catalog'))?.badges).toMatchObject([{ kind: 'fault', faultId: fault.id }]);
  expect(await mesh.client.call('fault.clear', { id: fault.id })).toEqual([]);
  await eventually('the errors are gone', async () => (await edge('web', 'catalog', 1))?.errorPercent === 0);
});

test('a certificate is shown, verified and rotated', async () => {
  const before = await mesh.client.call('certificate.show', { workload: 'payments-v1' });
  expect(before.spiffeId).toBe('spiffe://cluster.local/ns/shop/sa/payments');
  expect(before.chain.length).toBeGreaterThan(1);
  expect((await mesh.client.call('certificate.verify', { workload: 'payments-v1' })).ok).toBe(true);
  const [after] = await mesh.client.call('certificate.rotate', { workload: 'payments-v1' });
  expect(after?.serial).not.toBe(before.serial);
});

test('the export is written into a folder', async () => {
  const outDir = join(mesh.projectDir, 'export');
  const [result] = await mesh.client.call('export.write', { targets: ['istio'], outDir });
  expect(result?.files.length).toBeGreaterThan(2);
  expect(await readdir(outDir)).toContain('REPORT.md');
});

describe('under load', () => {
  test('rotation, detach and attach of everything lose no request', async () => {
    let over = false;
    const shopping = shopUntil(() => over, 12);
    try {
      await mesh.client.call('certificate.rotate', { all: true });
      await mesh.client.call('workload.detach', { select: { all: true } });
      const detached = await mesh.client.call('workload.list', {});
      expect(detached.map(({ mesh: state }) => state)).toEqual(Array.from({ length: 8 }, () => 'detached'));
      await mesh.client.call('workload.attach', { select: { all: true } });
    } finally {
      over = true;
    }
    const { answers, losses } = await shopping;
    expect(losses).toEqual([]);
    expect(answers).toBeGreaterThan(200);
    expect(await readLog('shoppers')).not.toContain('no answer');
    for (const workload of ['web', 'orders', 'catalog']) expect(await readLog(workload)).not.toContain('failed');
  });

  test('a killed service comes back and is attached again by itself', async () => {
    const find = async () => (await mesh.client.call('workload.list', {})).find(({ name }) => name === 'inventory');
    const before = await find();
    process.kill(Number(before?.stateText.replace('pid ', '')), 'SIGKILL');
    await eventually('it is attached again', async () => {
      const now = await find();
      return now?.incarnation !== before?.incarnation && now?.mesh === 'attached';
    });
  });
});

test('stopping the sample leaves no workload', async () => {
  await mesh.client.call('sample.stop', {});
  expect(await mesh.client.call('workload.list', {})).toEqual([]);
  expect((await mesh.client.call('mesh.status', {})).sample).toBe('stopped');
});
