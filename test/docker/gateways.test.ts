/** Gateways in front of real containers: what a developer does with curl and a browser on the host. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bookinfoGateway } from '../support/bookinfo.ts';
import { type DockerMesh, dockerProblem, startDockerMesh } from '../support/docker-mesh.ts';
import { httpService } from '../support/docker-programs.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import { publishedAt } from '../support/gateway-project.ts';
import { createServingPair, type ServingPair } from '../support/serving-certificates.ts';

const run = promisify(execFile);
const problem = await dockerProblem();

describe.skipIf(problem !== null)('gateways in front of containers', () => {
  const shop = new DockerShop();
  let mesh: DockerMesh;
  let pair: ServingPair;

  const curl = async (...args: string[]) => {
    const { stdout } = await run('curl', ['-sS', '--max-time', '20', ...args]);
    return stdout;
  };
  const write = async (path: string, text: string) => {
    await mkdir(join(mesh.projectDir, 'secrets'), { recursive: true });
    await writeFile(join(mesh.projectDir, path), text);
  };
  const gateway = (name: string, ports: readonly number[]) =>
    eventually(`gateway ${name}`, async () => {
      const found = (await mesh.client.call('gateway.list', {})).find((one) => one.name === name);
      const published = new Map(found?.listeners.map(({ port, published: at }) => [port, at]));
      return found?.mesh === 'attached' && ports.every((port) => published.get(port) != null) ? found : null;
    });

  const bookinfo = () =>
    bookinfoGateway
      .replace('number: 8080', 'number: 80')
      .replace('host: productpage', `host: productpage.${shop.project}.svc.cluster.local`)
      .replace('number: 9080', 'number: 8080');

  beforeAll(async () => {
    await shop.prepare();
    for (const version of ['v1', 'v2']) {
      await shop.add({
        name: `productpage-${version}`,
        command: ['node', '-e', httpService],
        env: { NAME: 'productpage', VERSION: version },
        ...(version === 'v1' ? { aliases: ['productpage'] } : {}),
        port: 8080,
        labels: {
          'com.docker.compose.project': shop.project,
          'com.docker.compose.service': 'productpage',
          'dev.meshdesk.version': version,
        },
      });
    }
    pair = await createServingPair('shop.example.com');
    mesh = await startDockerMesh();
    await write('gateway.yaml', bookinfo());
    await mesh.client.call('workload.attach', {
      select: { names: ['productpage-v1', 'productpage-v2'].map((name) => shop.name(name)) },
    });
  }, 180_000);

  afterAll(async () => {
    await mesh?.close({ detach: true });
    await shop.close();
  });

  it('answers curl on the host through a published port, with mutual TLS to the attached containers', async () => {
    const found = await gateway('istio-ingressgateway', [80]);
    expect(found.place).toBe('docker');
    const port = publishedAt(found, 80);
    expect(await curl(`http://127.0.0.1:${port}/productpage`)).toContain('productpage');
    expect(await curl('-o', '/dev/null', '-w', '%{http_code}', `http://127.0.0.1:${port}/other`)).toBe('404');
    const edge = await eventually('the edge behind the gateway', async () => {
      const { edges } = await mesh.client.call('topology.get', { windowSeconds: 30 });
      // Of both ends' reports; that of the gateway may be the first.
      return edges.find(
        ({ from, requestsPerSecond, mtls }) =>
          from.startsWith('istio-ingressgateway') && requestsPerSecond && mtls === 'closed',
      );
    });
    expect(edge).toMatchObject({ to: `productpage.${shop.project}`, mtls: 'closed' });
  });

  it('serves HTTPS with the certificate of the project, refuses clients without theirs with MUTUAL, splits by weights', async () => {
    await write('secrets/shop-credential.crt', pair.server.chainPem);
    await write('secrets/shop-credential.key', pair.server.keyPem);
    await write('secrets/shop-credential.ca.crt', pair.caPem);
    await write('secrets/root.crt', pair.caPem);
    await write('secrets/client.pem', `${pair.client.cert}\n${pair.client.key}`);
    const tlsServer = (number: number, mode: string) =>
      `  - { port: { number: ${number}, name: https-${number}, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: ${mode}, credentialName: shop-credential } }\n`;
    await write(
      'tls.yaml',
      `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: tls }
spec:
  selector: { istio: ingressgateway }
  servers:
${tlsServer(443, 'SIMPLE')}${tlsServer(8444, 'MUTUAL')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: tls }
spec:
  hosts: [shop.example.com]
  gateways: [tls]
  http:
    - route:
        - { destination: { host: productpage.${shop.project}.svc.cluster.local, subset: v1, port: { number: 8080 } }, weight: 50 }
        - { destination: { host: productpage.${shop.project}.svc.cluster.local, subset: v2, port: { number: 8080 } }, weight: 50 }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: productpage, namespace: ${shop.project} }
spec:
  host: productpage.${shop.project}.svc.cluster.local
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
`,
    );
    // The two new ports come by a relay.
    const found = await gateway('istio-ingressgateway', [80, 443, 8444]);
    const https = (port: number, ...more: string[]) => {
      const at = publishedAt(found, port);
      const known = [
        '--resolve',
        `shop.example.com:${at}:127.0.0.1`,
        '--cacert',
        join(mesh.projectDir, 'secrets/root.crt'),
      ];
      return curl(...known, ...more, `https://shop.example.com:${at}/`);
    };
    const bodies = await eventually('both versions', async () => {
      const seen = await Promise.all(Array.from({ length: 12 }, () => https(443)));
      return ['v1', 'v2'].every((version) => seen.some((body) => body.includes(version))) ? seen : null;
    });
    expect(bodies.every((body) => body.includes('productpage'))).toBe(true);
    await expect(https(8444)).rejects.toThrow();
    expect(await https(8444, '--cert', join(mesh.projectDir, 'secrets/client.pem'))).toContain('productpage');
  });

  it('sends a container’s requests to a host outside by way of the egress gateway, as Istio’s task has it', async () => {
    await shop.add({
      name: 'outside',
      command: ['node', '-e', httpService],
      env: { NAME: 'outside', VERSION: 'v1' },
      aliases: ['outside'],
      port: 8080,
      labels: { 'dev.meshdesk.ignore': 'true' },
    });
    // In the namespace of the caller, as in the task: where else a rule stands, this caller does not look.
    const gateways = 'istio-egressgateway.istio-system.svc.cluster.local';
    await write(
      'egress.yaml',
      `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: cnn, namespace: ${shop.project} }
spec:
  hosts: [edition.cnn.com]
  ports: [{ number: 80, name: http-port, protocol: HTTP }]
  resolution: DNS
  endpoints: [{ address: outside, ports: { http-port: 8080 } }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: istio-egressgateway, namespace: ${shop.project} }
spec:
  selector: { istio: egressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [edition.cnn.com] }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: egressgateway-for-cnn, namespace: ${shop.project} }
spec: { host: ${gateways}, subsets: [{ name: cnn }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: direct-cnn-through-egress-gateway, namespace: ${shop.project} }
spec:
  hosts: [edition.cnn.com]
  gateways: [istio-egressgateway, mesh]
  http:
    - match: [{ gateways: [mesh], port: 80 }]
      route: [{ destination: { host: ${gateways}, subset: cnn, port: { number: 80 } }, weight: 100 }]
    - match: [{ gateways: [istio-egressgateway], port: 80 }]
      route: [{ destination: { host: edition.cnn.com, port: { number: 80 } }, weight: 100 }]
`,
    );
    await gateway('istio-egressgateway', [80]);
    await eventually('an answer from outside', async () => {
      const answer = await shop.call('productpage-v1', 'http://edition.cnn.com/politics');
      if (!answer.includes('outside')) throw new Error(answer);
      return true;
    });
    const edges = await eventually('both edges', async () => {
      const { edges: all } = await mesh.client.call('topology.get', { windowSeconds: 30 });
      const to = (end: string) => all.find((edge) => edge.to === end && edge.requestsPerSecond);
      const [inside, out] = [to('istio-egressgateway.istio-system'), to('edition.cnn.com')];
      return inside?.mtls === 'closed' && out ? { inside, out } : null;
    });
    expect(edges.inside).toMatchObject({ from: `productpage.${shop.project}`, mtls: 'closed' });
    expect(edges.out.from).toBe('istio-egressgateway.istio-system');
  });

  it('is taken over by a later control plane, and leaves no container behind when its Gateways go', async () => {
    const engine = new Docker();
    const containers = () =>
      engine
        .listContainers({ all: true, filters: { label: ['dev.meshdesk.role=gateway'] } })
        .then((list) =>
          list.filter(({ Labels }) => Labels['dev.meshdesk.workload'] === 'gateway:istio-system/istio-ingressgateway'),
        );
    const [before] = await containers();
    const port = publishedAt(await gateway('istio-ingressgateway', [80]), 80);
    const { projectDir } = mesh;
    await mesh.close({ detach: false, keep: true });
    expect(await curl(`http://127.0.0.1:${port}/productpage`)).toContain('productpage');
    mesh = await startDockerMesh(projectDir);
    const found = await gateway('istio-ingressgateway', [80]);
    expect(publishedAt(found, 80)).toBe(port);
    expect((await containers()).map(({ Id }) => Id)).toEqual([before?.Id]);
    expect(await curl(`http://127.0.0.1:${port}/productpage`)).toContain('productpage');
    await write('gateway.yaml', '');
    await write('tls.yaml', '');
    await write('egress.yaml', '');
    await eventually('no gateway is left', async () => (await containers()).length === 0);
  });
});
