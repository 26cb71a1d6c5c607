/**
 * The user's job on real containers, in order, with 200 requests/s from a container and 50 from the host running from beginning to end: see, attach, watch,
 * certificates, fault, split, export, detach. No request may fail that the mesh was not told to fail.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TopologyEdge } from '../../core/contract/shapes.ts';
import { type DockerMesh, dockerProblem, startDockerMesh } from '../support/docker-mesh.ts';
import { DockerShop, type LoadTotals } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import { startHostLoad } from '../support/host-load.ts';
import { isRate, startMeasuring } from '../support/measured-rate.ts';

const problem = await dockerProblem();
const targets = ['web', 'orders', 'payments-v1', 'payments-v2', 'redis'];

describe.skipIf(problem !== null)('the user’s job on running containers', () => {
  const shop = new DockerShop();
  let mesh: DockerMesh;
  let load: Awaited<ReturnType<DockerShop['startLoad']>>;
  let hostLoad: ReturnType<typeof startHostLoad>;
  const before = new Map<string, unknown>();

  const inspect = async (short: string): Promise<unknown> => await shop.docker.getContainer(shop.id(short)).inspect();
  const workloads = async () => {
    const all = await mesh.client.call('workload.list', {});
    return all.filter(({ name }) => name.startsWith(shop.run));
  };
  const names = () => targets.map((short) => shop.name(short));
  const edge = async (from: string, to: string): Promise<TopologyEdge | undefined> => {
    const { edges, nodes } = await mesh.client.call('topology.get', { windowSeconds: 5 });
    const nodeOf = (service: string) => nodes.find((node) => node.service === service && node.kind === 'service')?.id;
    return edges.find((each) => each.from === nodeOf(from) && each.to === nodeOf(to));
  };
  const failures = ({ failed, errors }: LoadTotals) => ({ failed, errors });
  const clean = { failed: 0, errors: {} };

  beforeAll(async () => {
    await shop.start();
    mesh = await startDockerMesh();
    load = await shop.startLoad('http://web:8080/', 200);
    hostLoad = startHostLoad(await shop.publishedUrl('web'), 20);
    for (const short of targets) before.set(short, await inspect(short));
    await eventually('load flows', async () => (await load.read()).ok > 100);
  });

  afterAll(async () => {
    await mesh?.close({ detach: true });
    await shop.close();
  });

  it('lists the containers by compose project with ports, versions and state', async () => {
    const listed = await workloads();
    expect(listed.map(({ name }) => name).sort()).toEqual(names().sort());
    const payments = listed.filter(({ service }) => service === 'payments');
    expect(payments.map(({ version }) => version).sort()).toEqual(['v1', 'v2']);
    expect(new Set(payments.map(({ project, namespace }) => `${project} ${namespace}`))).toEqual(
      new Set([`${shop.project} ${shop.project}`]),
    );
    const redis = listed.find(({ service }) => service.endsWith('redis'));
    expect(redis).toMatchObject({
      project: null,
      namespace: 'default',
      state: 'running',
      mesh: 'detached',
      ports: [{ port: 6379, protocol: 'tcp' }],
    });
  });

  it('shows a started container and forgets a removed one', async () => {
    const container = await shop.add({ name: 'late', command: ['sleep', '60'] });
    await eventually('it appears', async () =>
      (await workloads()).some(({ name, state }) => name === shop.name('late') && state === 'running'),
    );
    await container.remove({ force: true });
    await eventually('it is gone', async () => !(await workloads()).some(({ name }) => name === shop.name('late')));
  });

  it('attaches all of them without losing a request or changing a target', async () => {
    const attached = await mesh.client.call('workload.attach', { select: { names: names() } });
    expect(attached.map((each) => [each.mesh, each.reason])).toEqual(targets.map(() => ['attached', null]));
    const reached = (await load.read()).sent;
    await eventually('300 more requests', async () => (await load.read()).ok > reached + 300);
    expect(failures(await load.read())).toEqual(clean);
    for (const short of targets) expect(await inspect(short)).toEqual(before.get(short));
  });

  it('leaves one set of rules after two runs of attach, and Docker’s DNS rules as they were', async () => {
    const once = await shop.rulesOf('orders');
    expect(once.match(/-A OUTPUT .*-j MESHDESK_OUTPUT/g)).toHaveLength(1);
    expect(once.match(/-A PREROUTING .*-j MESHDESK_INBOUND/g)).toHaveLength(1);
    expect(once).toMatch(/DOCKER_OUTPUT/);
    expect(once.indexOf('-j DOCKER_OUTPUT')).toBeLessThan(once.indexOf('-j MESHDESK_OUTPUT'));
    await mesh.client.call('workload.attach', { select: { names: names() } });
    expect(await shop.rulesOf('orders')).toBe(once);
  });

  it('draws real rates and percentiles, mutual TLS between workloads, and the database as TCP', async () => {
    const measured = await startMeasuring(async () => (await load.read()).ok + hostLoad.answers());
    const webToOrders = await eventually('web -> orders, as fast as the loads are', async () => {
      const found = await edge('web', 'orders');
      const rate = await measured();
      if (found?.mtls === 'closed' && isRate(found.requestsPerSecond, rate)) return found;
      throw new Error(`${rate}/s measured, ${JSON.stringify(found)} seen`);
    });
    expect(webToOrders).toMatchObject({ protocol: 'http', mtls: 'closed', errorPercent: 0 });
    for (const value of [webToOrders.p50Ms, webToOrders.p95Ms, webToOrders.p99Ms]) expect(value).toBeGreaterThan(0);
    await eventually('orders -> payments over mutual TLS, all to v1', async () => {
      const found = await edge('orders', 'payments');
      const versions = found?.versions.map(({ version, percent }) => `${version} ${percent}`).join();
      if (found?.protocol === 'http' && found.mtls === 'closed' && versions === 'v1 100') return true;
      throw new Error(JSON.stringify(found));
    });
    expect(failures(await load.read())).toEqual(clean);
  });

  it('does not see a connection that was open before, says so, and sees the next one as TCP over mutual TLS', async () => {
    const orders = (await workloads()).find(({ service }) => service === 'orders');
    expect(orders?.unseenConnections).toBeGreaterThan(0);
    // A new database connection from the orders container goes through the mesh.
    const answer = await shop.exec('orders', ['redis-cli', '-h', 'redis', 'ping']);
    expect(answer.trim()).toBe('PONG');
    const redisService = (await workloads()).find(({ name }) => name === shop.name('redis'))?.service ?? '';
    const toRedis = await eventually('orders -> redis, counted at both ends', async () => {
      const found = await edge('orders', redisService);
      return found?.mtls === 'closed' && found;
    });
    expect(toRedis.protocol).toBe('tcp');
  });

  it('rotates a certificate under load without a failed request', async () => {
    const shown = await mesh.client.call('certificate.show', { workload: shop.name('orders') });
    expect(shown.spiffeId).toBe(`spiffe://cluster.local/ns/${shop.project}/sa/orders`);
    expect(shown.chain.length).toBeGreaterThanOrEqual(2);
    const [rotated] = await mesh.client.call('certificate.rotate', { workload: shop.name('orders') });
    expect(rotated?.serial).not.toBe(shown.serial);
    expect((await mesh.client.call('certificate.verify', { workload: shop.name('orders') })).ok).toBe(true);
    const reached = (await load.read()).ok;
    await eventually('200 more requests', async () => (await load.read()).ok > reached + 200);
    expect(failures(await load.read())).toEqual(clean);
  });

  it('delays 30 % of an edge, shows it on the graph, and takes it away again', async () => {
    const fault = await mesh.client.call('fault.set', {
      from: 'orders',
      to: 'payments',
      action: { kind: 'delay', delayMs: 400 },
      percent: 30,
    });
    const slow = await eventually('the delay shows', async () => {
      const found = await edge('orders', 'payments');
      return found !== undefined && (found.p95Ms ?? 0) >= 390 ? found : null;
    });
    expect(slow.badges).toContainEqual(expect.objectContaining({ kind: 'fault', faultId: fault.id }));
    const seen = await eventually('hits', async () =>
      (await mesh.client.call('fault.list', {})).find(({ id, seen: count }) => id === fault.id && count >= 500),
    );
    expect((seen.hits / seen.seen) * 100).toBeGreaterThan(18);
    expect((seen.hits / seen.seen) * 100).toBeLessThan(42);
    await mesh.client.call('fault.clear', { id: fault.id });
    await eventually('the edge is fast again', async () => ((await edge('orders', 'payments'))?.p95Ms ?? 1_000) < 390);
    expect(failures(await load.read())).toEqual(clean);
  });

  it('splits 10 % to v2, observes it, and pins a header to v2', async () => {
    await mesh.client.call('split.set', {
      service: 'payments',
      weights: [
        { subset: 'v1', weight: 90 },
        { subset: 'v2', weight: 10 },
      ],
      pins: [{ name: 'x-user', value: 'beta', subset: 'v2' }],
    });
    await eventually('five requests with the header, all to v2', async () => {
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => shop.call('load', 'http://web:8080/', { 'x-user': 'beta' })),
      );
      if (answers.every((answer) => answer.includes('paymentsv2'))) return true;
      throw new Error(answers.join('; '));
    });
    // From here on it is in force.
    const start = await load.read();
    const now = await eventually('1,000 requests since', async () => {
      const totals = await load.read();
      return totals.ok > start.ok + 1_000 ? totals : null;
    });
    const v2 = (now.versions['v2'] ?? 0) - (start.versions['v2'] ?? 0);
    const v1 = (now.versions['v1'] ?? 0) - (start.versions['v1'] ?? 0);
    const share = (v2 / (v1 + v2)) * 100;
    expect(share).toBeGreaterThan(5);
    expect(share).toBeLessThan(15);
    const { observed } = await mesh.client.call('split.show', { service: 'payments', windowSeconds: 10 });
    expect(observed.find(({ version }) => version === 'v2')?.percent).toBeGreaterThan(2);
    expect(failures(now)).toEqual(clean);
  });

  it('exports Istio resources and a report into a folder', async () => {
    const out = await mkdtemp(join(tmpdir(), 'export-'));
    try {
      const [result] = await mesh.client.call('export.write', { targets: ['istio'], outDir: join(out, 'mesh') });
      const written = await readdir(join(out, 'mesh'), { recursive: true });
      expect(written.length).toBeGreaterThanOrEqual(result?.files.length ?? 1);
      const all = (result?.files ?? []).map(({ content }) => content).join('\n');
      for (const kind of ['VirtualService', 'DestinationRule', 'PeerAuthentication'])
        expect(all).toContain(`kind: ${kind}`);
      const first = result?.files[0];
      expect(await readFile(join(out, 'mesh', first?.path ?? ''), 'utf8')).toBe(first?.content);
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });

  it('detaches without losing a request and leaves nothing behind', async () => {
    const detached = await mesh.client.call('workload.detach', { select: { names: names() }, deadlineMs: 3_000 });
    expect(detached.map((each) => each.mesh)).toEqual(targets.map(() => 'detached'));
    const reached = (await load.read()).ok;
    await eventually('300 more requests', async () => (await load.read()).ok > reached + 300);
    expect(failures(await load.read())).toEqual(clean);
    const fromHost = await hostLoad.stop();
    expect(fromHost.failures).toEqual([]);
    expect(fromHost.answers).toBeGreaterThan(200);
    for (const short of targets) {
      expect(await shop.rulesOf(short)).not.toContain('MESHDESK');
      expect(stable(await inspect(short))).toEqual(stable(before.get(short)));
    }
    const ids = new Set(targets.map((short) => shop.id(short)));
    const ours = await shop.docker.listContainers({ all: true, filters: { label: ['dev.meshdesk.role'] } });
    expect(ours.filter(({ Labels }) => ids.has(Labels['dev.meshdesk.workload'] ?? ''))).toEqual([]);
  });
});

/** Without the ids of commands that the test itself ran in the container. */
function stable(inspected: unknown): unknown {
  return { ...(inspected as Record<string, unknown>), ExecIDs: null };
}
