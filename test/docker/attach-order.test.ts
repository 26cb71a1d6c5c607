/**
 * Containers that are attached one after the other while a client keeps its connections: whatever the order, in the end all of it
 * passes both sidecars, and no request is lost on the way.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TopologyEdge } from '../../core/contract/shapes.ts';
import { type DockerMesh, dockerProblem, startDockerMesh } from '../support/docker-mesh.ts';
import { httpService } from '../support/docker-programs.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';

const problem = await dockerProblem();

describe.skipIf(problem !== null)('one container attached after the other', () => {
  const shop = new DockerShop();
  let mesh: DockerMesh;
  let load: Awaited<ReturnType<DockerShop['startLoad']>>;

  const select = (short: string) => ({ select: { names: [shop.name(short)] } });
  const edge = async (): Promise<TopologyEdge | undefined> => {
    const { edges, nodes } = await mesh.client.call('topology.get', { windowSeconds: 4 });
    const idOf = (short: string) => nodes.find(({ service }) => service === shop.name(short))?.id;
    return edges.find(({ from, to }) => from === idOf('client') && to === idOf('api'));
  };
  const becomes = (what: string, test: (seen: TopologyEdge) => boolean) =>
    eventually(what, async () => {
      const seen = await edge();
      if (seen !== undefined && (seen.requestsPerSecond ?? 0) > 20 && test(seen)) return true;
      throw new Error(JSON.stringify(seen));
    });
  const more = async (count = 200) => {
    const { ok } = await load.read();
    await eventually(`${count} more answers`, async () => (await load.read()).ok > ok + count);
    const { failed, errors } = await load.read();
    expect({ failed, errors }).toEqual({ failed: 0, errors: {} });
  };

  beforeAll(async () => {
    await shop.prepare();
    await shop.add({
      name: 'api',
      command: ['node', '-e', httpService],
      env: { NAME: 'api' },
      aliases: ['api'],
      port: 8080,
    });
    mesh = await startDockerMesh();
    load = await shop.startLoad('http://api:8080/', 100, 'client', { visible: true });
    await eventually('load flows', async () => (await load.read()).ok > 100);
    await eventually('both are known', async () => {
      const names = (await mesh.client.call('workload.list', {})).map(({ name }) => name);
      return ['api', 'client'].every((short) => names.includes(shop.name(short)));
    });
  });

  afterAll(async () => {
    await mesh?.close({ detach: true });
    await shop.close();
  });

  it('sees the kept connections of a client that comes after its server', async () => {
    await mesh.client.call('workload.attach', select('api'));
    // The server's sidecar has them now, in plaintext, and would keep them for as long as the client does.
    await becomes('plaintext at the server', ({ mtls }) => mtls !== 'closed');
    await mesh.client.call('workload.attach', select('client'));
    await becomes('mutual TLS', ({ mtls, protocol }) => mtls === 'closed' && protocol === 'http');
    await more();
  });

  it('sees those of a client that comes before its server', async () => {
    await mesh.client.call('workload.detach', { ...select('api'), deadlineMs: 0 });
    await becomes('plaintext at the client', ({ mtls }) => mtls !== 'closed');
    await mesh.client.call('workload.attach', select('api'));
    await becomes('mutual TLS', ({ mtls }) => mtls === 'closed');
    await more();
  });
});
