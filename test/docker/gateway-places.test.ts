/** Gateways that lead to containers and host processes at once, and whose ports come and go under load. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerMesh, dockerProblem, startDockerMesh } from '../support/docker-mesh.ts';
import { httpService } from '../support/docker-programs.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import { publishedAt } from '../support/gateway-project.ts';

const problem = await dockerProblem();

interface Answer {
  readonly status: number | null;
  readonly body: string;
}

/** On a connection of its own. */
function ask(port: number, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? null, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

const gatewayOf = (name: string, selector: string, ports: readonly number[]) => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name} }
spec:
  selector: { istio: ${selector} }
  servers: [${ports.map((port) => `{ port: { number: ${port}, name: http-${port}, protocol: HTTP }, hosts: ["*"] }`).join(', ')}]
`;

describe.skipIf(problem !== null)('gateways of containers and host processes', () => {
  const shop = new DockerShop();
  let mesh: DockerMesh;
  const host = createServer((request, response) => response.end(`process ${request.url}`));
  let hostPort = 0;

  const write = (path: string, text: string) => writeFile(join(mesh.projectDir, path), text);
  const gateway = (name: string, ports: readonly number[], place: 'docker' | 'process') =>
    eventually(`gateway ${name}`, async () => {
      const found = (await mesh.client.call('gateway.list', {})).find((one) => one.name === name);
      const published = new Map(found?.listeners.map(({ port, published: at }) => [port, at]));
      const isUp = found?.mesh === 'attached' && found.place === place;
      return isUp && published.size === ports.length && ports.every((port) => published.get(port) != null)
        ? found
        : null;
    });
  const answers = (port: number, path: string, text: string) =>
    eventually(`${path} at ${port}`, async () => {
      const answer = await ask(port, path);
      if (answer.status !== 200 || !answer.body.includes(text)) throw new Error(JSON.stringify(answer));
      return true;
    });
  const ours = async (role: string, name = 'istio-ingressgateway') => {
    const owner = createHash('sha256').update(join(mesh.projectDir, '.meshdesk')).digest('hex').slice(0, 12);
    const label = [`dev.meshdesk.role=${role}`, `dev.meshdesk.owner=${owner}`];
    const list = await shop.docker.listContainers({ all: true, filters: { label } });
    return list
      .filter(({ Labels }) => Labels['dev.meshdesk.workload'] === `gateway:istio-system/${name}`)
      .map(({ Id }) => Id);
  };
  const routes = (toProcess: boolean) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all }
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
    ${toProcess ? `- { match: [{ uri: { prefix: /process } }], route: [{ destination: { host: worker, port: { number: ${hostPort} } } }] }` : ''}
    - route: [{ destination: { host: web.${shop.project}.svc.cluster.local, port: { number: 8080 } } }]
`;

  beforeAll(async () => {
    await shop.prepare();
    await shop.add({
      name: 'web',
      command: ['node', '-e', httpService],
      env: { NAME: 'web', VERSION: 'v1' },
      aliases: ['web'],
      port: 8080,
      labels: { 'com.docker.compose.project': shop.project, 'com.docker.compose.service': 'web' },
    });
    host.listen(0, '127.0.0.1');
    await once(host, 'listening');
    hostPort = (host.address() as AddressInfo).port;
    mesh = await startDockerMesh();
    await mesh.client.call('workload.attach', { select: { names: [shop.name('web')] } });
  }, 180_000);

  afterAll(async () => {
    await mesh?.close({ detach: true });
    await shop.close();
    host.closeAllConnections();
    host.close();
  });

  it('take ports up and give them up without losing a connection, in the same container', async () => {
    await write('routes.yaml', routes(false));
    await write('gateway.yaml', gatewayOf('edge', 'ingressgateway', [80]));
    const first = publishedAt(await gateway('istio-ingressgateway', [80], 'docker'), 80);
    await answers(first, '/', 'web');
    const before = await ours('gateway');
    const load = { sent: 0, failed: [] as string[], isOver: false };
    const sending = (async () => {
      while (!load.isOver) {
        load.sent += 1;
        const answer = await ask(first, '/').catch((error: Error) => ({ status: null, body: error.message }));
        if (answer.status !== 200) load.failed.push(answer.body);
      }
    })();
    await write('gateway.yaml', gatewayOf('edge', 'ingressgateway', [80, 8444, 9080]));
    const found = await gateway('istio-ingressgateway', [80, 8444, 9080], 'docker');
    for (const port of [8444, 9080]) await answers(publishedAt(found, port), '/', 'web');
    await write('gateway.yaml', gatewayOf('edge', 'ingressgateway', [80, 8444]));
    const fewer = await gateway('istio-ingressgateway', [80, 8444], 'docker');
    await answers(publishedAt(fewer, 8444), '/', 'web');
    await eventually('the port that was given up is closed', () =>
      ask(publishedAt(found, 9080), '/').then(
        () => false,
        () => true,
      ),
    );
    load.isOver = true;
    await sending;
    expect(load.failed).toEqual([]);
    expect(load.sent).toBeGreaterThan(10);
    expect(await ours('gateway')).toEqual(before);
    expect(await ours('relay')).toHaveLength(1);
  });

  it('come back at all their ports when their container is killed', async () => {
    const [before, relay] = [await ours('gateway'), await ours('relay')];
    const { listeners } = await gateway('istio-ingressgateway', [80, 8444], 'docker');
    await shop.docker.getContainer(before[0] ?? '').kill();
    for (const { published } of listeners) await answers(published ?? 0, '/', 'web');
    expect(await ours('gateway')).toHaveLength(1);
    expect(await ours('gateway')).not.toEqual(before);
    await eventually('the old relay is gone', async () => !(await ours('relay')).some((id) => relay.includes(id)));
    await write('gateway.yaml', gatewayOf('edge', 'ingressgateway', [80, 8444, 9080]));
    await gateway('istio-ingressgateway', [80, 8444, 9080], 'docker');
    await write('gateway.yaml', gatewayOf('edge', 'ingressgateway', [80, 9080]));
    await gateway('istio-ingressgateway', [80, 9080], 'docker');
  });

  it('are on the networks of containers only while these run, so that the networks can be removed', async () => {
    const network = () => shop.docker.getNetwork(shop.project).inspect();
    const isOn = async () => {
      const [id = ''] = await ours('gateway');
      return Object.keys((await network()).Containers ?? {}).includes(id);
    };
    expect(await isOn()).toBe(true);
    const before = await ours('gateway');
    await shop.docker.getContainer(shop.id('web')).stop({ t: 0 });
    await eventually('nobody is left', async () => Object.keys((await network()).Containers ?? {}).length === 0);
    await shop.docker.getContainer(shop.id('web')).start();
    const found = await gateway('istio-ingressgateway', [80, 9080], 'docker');
    for (const port of [80, 9080]) await answers(publishedAt(found, port), '/', 'web');
    expect(await ours('gateway')).toEqual(before);
  });

  it('have those ports again under a later control plane, and leave nothing behind', async () => {
    const { projectDir } = mesh;
    const container = await shop.docker.getContainer((await ours('gateway'))[0] ?? '').inspect();
    const own = container.NetworkSettings.Networks[container.HostConfig.NetworkMode ?? '']?.NetworkID;
    expect(container.HostConfig.NetworkMode).toMatch(/^meshdesk-gateways-/);
    const before = [await ours('gateway'), await ours('relay')];
    const port = publishedAt(await gateway('istio-ingressgateway', [80, 9080], 'docker'), 9080);
    await mesh.close({ detach: false, keep: true });
    await answers(port, '/', 'web');
    mesh = await startDockerMesh(projectDir);
    expect(publishedAt(await gateway('istio-ingressgateway', [80, 9080], 'docker'), 9080)).toBe(port);
    expect([await ours('gateway'), await ours('relay')]).toEqual(before);
    const seen = await eventually('who called', async () => {
      await answers(port, '/', 'web');
      const { edges } = await mesh.client.call('topology.get', { windowSeconds: 30 });
      return edges.find(({ to }) => to === 'istio-ingressgateway.istio-system');
    });
    expect(seen.from).toBe('caller:host');
    await write('gateway.yaml', '');
    await eventually(
      'nothing is left',
      async () => [...(await ours('gateway')), ...(await ours('relay'))].length === 0,
    );
    const networks = () => shop.docker.listNetworks({ filters: { label: ['dev.meshdesk.role=network'] } });
    await eventually('their network is gone', async () => !(await networks()).some(({ Id }) => Id === own));
  });

  it('run as a process where routes lead to both, and reach both with mutual TLS', async () => {
    const entry = `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: worker }
spec: { address: 127.0.0.1, ports: { http: ${hostPort} }, labels: { app: worker } }
`;
    await write('worker.yaml', entry);
    await eventually('the worker', async () => {
      const workloads = await mesh.client.call('workload.list', {});
      return workloads.some(({ name, state }) => name === 'worker' && state === 'running');
    });
    await mesh.client.call('workload.attach', { select: { names: ['worker'] } });
    await write('routes.yaml', routes(true));
    await write('gateway.yaml', gatewayOf('edge', 'ingressgateway', [80]));
    const port = publishedAt(await gateway('istio-ingressgateway', [80], 'process'), 80);
    await answers(port, '/process', 'process /process');
    await answers(port, '/', 'web');
    const edges = await eventually('edges to both', async () => {
      await ask(port, '/process');
      await ask(port, '/');
      const { edges: all } = await mesh.client.call('topology.get', { windowSeconds: 30 });
      const own = all.filter(({ from, requestsPerSecond }) => from.startsWith('istio-ingress') && requestsPerSecond);
      return own.length === 2 && own.every(({ mtls }) => mtls === 'closed') ? own : null;
    });
    expect(edges.map(({ to }) => to).sort()).toEqual(['worker.default', `web.${shop.project}`].sort());
  });

  it('are reached from containers when the mesh’s routes lead to them, at the address of that network only', async () => {
    await write(
      'egress.yaml',
      `${gatewayOf('out', 'egressgateway', [80])}---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: ${shop.project} }
spec:
  hosts: [outside.example.com]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${hostPort} } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: outside, namespace: ${shop.project} }
spec:
  hosts: [outside.example.com]
  gateways: [mesh, default/out]
  http:
    - match: [{ gateways: [mesh] }]
      route: [{ destination: { host: istio-egressgateway.istio-system.svc.cluster.local, port: { number: 80 } } }]
    - match: [{ gateways: [default/out] }]
      route: [{ destination: { host: outside.example.com, port: { number: 80 } } }]
`,
    );
    const found = await gateway('istio-egressgateway', [80], 'process');
    await eventually('an answer from outside', async () => {
      const answer = await shop.call('web', 'http://outside.example.com/by-egress');
      if (!answer.includes('process /by-egress')) throw new Error(answer);
      return true;
    });
    const { addresses } = (await mesh.client.call('workload.list', {})).find(({ id }) => id === found.id) ?? {};
    expect(addresses?.map(({ network }) => network)).toEqual(['loopback', shop.project]);
    expect(addresses?.every(({ ip }) => ip !== '' && ip !== '0.0.0.0')).toBe(true);
    const ingress = (await mesh.client.call('workload.list', {})).find(({ name }) => name === 'istio-ingressgateway');
    expect(ingress?.addresses.find(({ network }) => network === shop.project)?.ip).toBe('');
  });
});
