/** Traffic to outside hosts by way of an egress gateway, as in the task of Istio’s documentation. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type Echo, GatewayProject } from '../../support/gateway-project.ts';
import { ask, closeAll, keep, listening } from './clients.ts';

afterEach(closeAll);

/** Of the documentation, but for the address of the host, which is one of this machine. */
const egress = (port: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: cnn
spec:
  hosts:
  - edition.cnn.com
  ports:
  - number: 80
    name: http-port
    protocol: HTTP
  resolution: STATIC
  endpoints:
  - address: 127.0.0.1
    ports: { http-port: ${port} }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: istio-egressgateway
spec:
  selector:
    istio: egressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - edition.cnn.com
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: egressgateway-for-cnn
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets:
  - name: cnn
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: direct-cnn-through-egress-gateway
spec:
  hosts:
  - edition.cnn.com
  gateways:
  - istio-egressgateway
  - mesh
  http:
  - match:
    - gateways:
      - mesh
      port: 80
    route:
    - destination:
        host: istio-egressgateway.istio-system.svc.cluster.local
        subset: cnn
        port:
          number: 80
      weight: 100
  - match:
    - gateways:
      - istio-egressgateway
      port: 80
    route:
    - destination:
        host: edition.cnn.com
        port:
          number: 80
      weight: 100
`;

async function proxyOf(project: GatewayProject, name: string): Promise<number> {
  const workloads = await project.mesh.client.call('workload.list', {});
  const url = workloads.find((workload) => workload.name === name)?.listeners?.httpProxy;
  return Number(new URL(url ?? '').port);
}

describe('an egress gateway', () => {
  it('takes a request from the sidecar over mutual TLS, and sends it on to the host outside', async () => {
    const outside = await listening(
      createServer((request, response) => response.end(JSON.stringify({ url: request.url, headers: request.headers }))),
    );
    const project = await GatewayProject.create([{ service: 'sleep' }]);
    keep(() => project.close());
    await project.write('egress.yaml', egress(outside));
    await project.start();
    await project.gateway('istio-egressgateway');
    const port = await proxyOf(project, 'sleep');
    const answer = await eventually('an answer by way of the gateway', async () => {
      const got = await ask({ port, path: 'http://edition.cnn.com/politics', headers: { host: 'edition.cnn.com' } });
      return got.status === 200 && got.body.includes('x-forwarded-for') ? got : null;
    });
    const seen = JSON.parse(answer.body) as Echo;
    expect(seen).toMatchObject({ url: '/politics', headers: { host: 'edition.cnn.com' } });
    const edges = await eventually('both edges', async () => {
      const { edges: all } = await project.mesh.client.call('topology.get', { windowSeconds: 30 });
      const to = (end: string) => all.find((edge) => edge.to === end && edge.requestsPerSecond);
      const [inside, out] = [to('istio-egressgateway.istio-system'), to('edition.cnn.com')];
      return inside && out ? { inside, out } : null;
    });
    expect(edges.inside).toMatchObject({ from: 'sleep.default', mtls: 'closed' });
    expect(edges.out).toMatchObject({ from: 'istio-egressgateway.istio-system' });
  });

  it('lets in with ISTIO_MUTUAL who comes with a certificate of the mesh, and nobody else', async () => {
    const outside = await listening(createServer((_request, response) => response.end('outside')));
    const project = await GatewayProject.create([{ service: 'sleep' }]);
    keep(() => project.close());
    await project.write(
      'egress.yaml',
      egress(outside).replace(
        '      protocol: HTTP\n    hosts:',
        '      protocol: HTTPS\n    tls: { mode: ISTIO_MUTUAL }\n    hosts:',
      ),
    );
    await project.start();
    const gateway = await project.gateway('istio-egressgateway');
    const port = await proxyOf(project, 'sleep');
    const answer = await eventually('an answer by way of the gateway', async () => {
      const got = await ask({ port, path: 'http://edition.cnn.com/', headers: { host: 'edition.cnn.com' } });
      return got.status === 200 ? got : null;
    });
    expect(answer.body).toBe('outside');
    const published = gateway.listeners[0]?.published ?? 0;
    const socket = connect(published, '127.0.0.1');
    keep(() => socket.destroy());
    socket.write('GET / HTTP/1.1\r\nHost: edition.cnn.com\r\n\r\n');
    const closed = await new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (data) => {
        text += String(data);
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });
    expect(closed).toBe('');
  });
});
