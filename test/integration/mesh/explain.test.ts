/** Explanations against the running sample shop: what they say is what the sidecars then do. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Explanation, RecentRequest } from '../../../core/contract/explain-shapes.ts';
import { eventually } from '../../support/eventually.ts';
import { type SampleMesh, startSampleMesh } from '../../support/sample-mesh.ts';

let mesh: SampleMesh;
beforeAll(async () => {
  mesh = await startSampleMesh();
  await mesh.client.call('sample.start', {});
  await mesh.client.call('split.set', {
    service: 'payments',
    weights: [
      { subset: 'v1', weight: 100 },
      { subset: 'v2', weight: 0 },
    ],
    pins: [{ name: 'x-beta', value: 'yes', subset: 'v2' }],
  });
});
afterAll(() => mesh.close());

const explain = (url: string, headers: Explanation['request']['headers'] = []) =>
  mesh.client.call('request.explain', { from: 'orders', method: 'GET', url, headers });

/** Asks as orders does: at its own listener for the service. */
async function askAsOrders(service: string, path: string, headers: Record<string, string>): Promise<number> {
  const workloads = await mesh.client.call('workload.list', {});
  const listeners = workloads.find(({ name }) => name === 'orders')?.listeners;
  const url = listeners?.outbound.find((outbound) => outbound.service === service)?.url;
  return await new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { headers, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function find(path: string): Promise<RecentRequest | null> {
  const recent = await mesh.client.call('request.recent', { from: 'orders', to: 'payments.shop', limit: 500 });
  return recent.find((one) => one.path === path) ?? null;
}

test('requests of a service that is not there are an error, with what may be meant', async () => {
  await expect(mesh.client.call('request.recent', { from: null, to: 'paymnts', limit: 5 })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('payments'),
  });
});

describe('a given request', () => {
  test('names the rules in order, the destination, the endpoint and what is in force', async () => {
    const explanation = await explain('http://payments:8080/charge', [{ name: 'X-Beta', value: 'yes' }]);
    expect(explanation).toMatchObject({
      caller: { name: 'orders', service: 'orders.shop' },
      config: { state: 'in-force' },
      service: 'payments.shop',
      outcome: { kind: 'forward', destination: { subset: 'v2', share: 100, endpoints: [{ name: 'payments-v2' }] } },
      timeoutMs: null,
      retries: { attempts: 2 },
      recorded: null,
    });
    expect(explanation.config.ackedRevision).toBe(explanation.config.revision);
    expect(explanation.routes.map(({ outcome }) => outcome)).toEqual(['matched', 'not reached']);
    const other = await explain('payments:8080/charge');
    expect(other.routes[0]).toMatchObject({
      outcome: 'did not match',
      reasons: ['header x-beta = "yes": the request has absent'],
    });
    expect(other.outcome).toMatchObject({ destination: { subset: 'v1' } });
  });

  test('of a caller that is not attached says that nothing of it applies yet', async () => {
    await mesh.client.call('workload.detach', { select: { names: ['catalog'] } });
    const given = { from: 'catalog', url: 'http://payments:8080/' };
    expect(await mesh.client.call('request.explain', given)).toMatchObject({
      config: { state: 'without-sidecar' },
      service: 'payments.shop',
    });
    await mesh.client.call('workload.attach', { select: { names: ['catalog'] } });
  });

  test('to nobody, from nobody and without an address is refused with a code', async () => {
    expect((await explain('http://example.com/')).outcome).toMatchObject({ kind: 'answer', status: 404, flag: 'NR' });
    const refused = (from: string, url: string) =>
      mesh.client.call('request.explain', { from, url }).then(
        () => null,
        (error: { code: string }) => error.code,
      );
    expect(await refused('nobody', 'http://payments/')).toBe('NOT_FOUND');
    expect(await refused('orders', '/charge')).toBe('BAD_REQUEST');
    expect(await refused('orders', 'ftp://payments/')).toBe('BAD_REQUEST');
  });
});

describe('a recorded request', () => {
  test('keeps the headers that decided, no others, and is explained as it happened', async () => {
    const path = '/limits?mark=1';
    // Of a busy second only some are told.
    const recorded = await eventually('one of them is told', async () => {
      await askAsOrders('payments.shop', path, { 'x-beta': 'yes', 'x-other': '1', cookie: 'a=b' });
      return await find(path);
    });
    expect(recorded).toMatchObject({
      caller: 'orders',
      endpoint: 'payments-v2',
      version: 'v2',
      port: 8080,
      attempts: 1,
      headers: [{ name: 'x-beta', value: 'yes' }],
    });
    const explanation = await mesh.client.call('request.explain', { id: recorded.id });
    expect(explanation).toMatchObject({
      route: recorded.route,
      outcome: { kind: 'forward', destination: { subset: 'v2' } },
      recorded: { id: recorded.id },
    });
  });

  test('that is not kept is not found', async () => {
    const asked = mesh.client.call('request.explain', { id: 'r999999' });
    await expect(asked).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
