/** An ingress gateway as a user has it: resources in files, applications attached, a browser at the published port. */
import { afterEach, describe, expect, it } from 'vitest';
import { bookinfoGateway } from '../../support/bookinfo.ts';
import { eventually } from '../../support/eventually.ts';
import { type Application, type Echo, GatewayProject, publishedAt } from '../../support/gateway-project.ts';
import { ask, closeAll, keep } from './clients.ts';

afterEach(closeAll);

async function start(applications: Application[], yaml: string): Promise<GatewayProject> {
  const project = await GatewayProject.create(applications);
  keep(() => project.close());
  // Ports in the texts are those of production; here each application has the one it got.
  const ported = yaml.replace(/@port\(([\w-]+)\)/g, (_, name) => String(project.ports.get(name)));
  await project.write('gateway.yaml', ported);
  await project.start();
  return project;
}

const bookinfo = bookinfoGateway.replace('number: 9080', 'number: @port(productpage-v1)');

describe('an ingress gateway', () => {
  it('serves the Gateway and VirtualService of Bookinfo from the machine’s own port, over mutual TLS inside', async () => {
    const project = await start([{ service: 'productpage', version: 'v1' }], bookinfo);
    const gateway = await project.gateway('istio-ingressgateway');
    expect(gateway).toMatchObject({
      namespace: 'istio-system',
      gateways: ['default/bookinfo-gateway'],
      place: 'process',
    });
    const port = publishedAt(gateway, 8080);
    const answer = await ask({ port, path: '/productpage?u=normal' });
    expect(answer.status).toBe(200);
    const seen = JSON.parse(answer.body) as Echo;
    expect(seen).toMatchObject({ service: 'productpage', url: '/productpage?u=normal' });
    expect(seen.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' });
    expect((await ask({ port, path: '/api/v1/products/1' })).status).toBe(200);
    expect((await ask({ port, path: '/elsewhere' })).status).toBe(404);
    const { client } = project.mesh;
    const edges = await eventually('the edges', async () => {
      const topology = await client.call('topology.get', { windowSeconds: 30 });
      const inside = topology.edges.find(({ to }) => to === 'productpage.default');
      const outside = topology.edges.find(({ to }) => to === 'istio-ingressgateway.istio-system');
      return inside?.requestsPerSecond && outside?.requestsPerSecond ? { inside, outside, topology } : null;
    });
    expect(edges.inside).toMatchObject({ from: 'istio-ingressgateway.istio-system', mtls: 'closed' });
    expect(edges.outside).toMatchObject({ from: 'caller:host', mtls: 'open' });
  });
});
