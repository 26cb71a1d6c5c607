/** The life of a gateway: started and stopped, ports that come and go, over restarts, beside others; TCP and gRPC through it. */

import { once } from 'node:events';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../../core/control-plane/cli/program.ts';
import { eventually } from '../../support/eventually.ts';
import { GatewayProject, publishedAt } from '../../support/gateway-project.ts';
import { distDir } from '../../support/programs.ts';
import { ask, closeAll, keep, listening, readAll } from './clients.ts';

afterEach(closeAll);

const gatewayOn = (ports: readonly number[], name = 'edge', selector = 'istio: ingressgateway') => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name} }
spec:
  selector: { ${selector} }
  servers: [${ports.map((port) => `{ port: { number: ${port}, name: http-${port}, protocol: HTTP }, hosts: ["*"] }`).join(', ')}]
`;
const route = (port: number | undefined, gateways = 'edge') => `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all }
spec:
  hosts: ["*"]
  gateways: [${gateways}]
  http: [{ route: [{ destination: { host: httpbin, port: { number: ${port} } } }] }]
`;

async function start(yaml: (project: GatewayProject) => string, files: Record<string, string> = {}, count = 1) {
  const project = await GatewayProject.create([{ service: 'httpbin' }]);
  keep(() => project.close());
  for (const [path, text] of Object.entries(files)) await project.write(path, text);
  await project.write('gateway.yaml', yaml(project));
  await project.start(count);
  return project;
}

async function cli(project: GatewayProject, ...args: string[]) {
  const said = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof said) => ({
    write: (text: string) => {
      said[name] += text;
      return true;
    },
    isTTY: false,
  });
  const environment = {
    streams: { stdout: stream('stdout'), stderr: stream('stderr') },
    cwd: project.dir,
    env: {},
    distDir,
    version: '0.0.0-test',
  };
  const code = await runProgram([...args, '--project', project.dir], environment as never);
  return { code, ...said };
}

describe('a gateway', () => {
  it('takes ports up and gives them up while it runs, and goes with its Gateway', async () => {
    const project = await start(({ ports }) => gatewayOn([8080]) + route(ports.get('httpbin')));
    const first = publishedAt(await project.gateway('istio-ingressgateway'), 8080);
    expect((await ask({ port: first })).status).toBe(200);
    await project.write('gateway.yaml', gatewayOn([8080, 9080]) + route(project.ports.get('httpbin')));
    const both = await eventually('the second port', async () => {
      const gateway = await project.gateway('istio-ingressgateway');
      return gateway.listeners.length === 2 ? gateway : null;
    });
    expect(publishedAt(both, 8080)).toBe(first);
    await eventually('an answer at the second', () => ask({ port: publishedAt(both, 9080) }));
    await project.write('gateway.yaml', gatewayOn([9080]) + route(project.ports.get('httpbin')));
    await eventually('the first is closed', () =>
      ask({ port: first }).then(
        () => false,
        () => true,
      ),
    );
    await project.write('gateway.yaml', '');
    await eventually('it is gone', async () => (await project.mesh.client.call('gateway.list', {})).length === 0);
    await eventually('the second is closed', () =>
      ask({ port: publishedAt(both, 9080) }).then(
        () => false,
        () => true,
      ),
    );
  });

  it('is listed, stopped and started on the command line, and stays stopped while workloads come and go', async () => {
    const project = await start(({ ports }) => gatewayOn([8080]) + route(ports.get('httpbin')));
    const port = publishedAt(await project.gateway('istio-ingressgateway'), 8080);
    const listed = await cli(project, 'gateways');
    expect(listed).toMatchObject({ code: 0 });
    expect(listed.stdout + listed.stderr).toContain(port === 80 ? 'http://localhost' : `http://localhost:${port}`);
    expect((await cli(project, 'gateway', 'stop', 'default/edge')).code).toBe(0);
    await expect(ask({ port })).rejects.toThrow();
    const { client } = project.mesh;
    await client.call('workload.renew', { select: { all: true } });
    expect((await client.call('gateway.list', {}))[0]).toMatchObject({ mesh: 'detached', place: null });
    expect((await cli(project, 'gateway', 'start', 'istio-ingressgateway')).code).toBe(0);
    expect((await ask({ port })).status).toBe(200);
    const renewed = await client.call('workload.renew', { select: { all: true } });
    expect(renewed.map(({ name }) => name)).toEqual(['httpbin']);
    expect((await cli(project, 'gateway', 'stop', 'nobody')).code).toBe(1);
  });

  it('has its ports to itself: another with the same number gets another of this machine', async () => {
    const project = await start(
      ({ ports }) =>
        `${gatewayOn([8080])}---${gatewayOn([8080], 'second', 'app: second')}${route(ports.get('httpbin'), 'edge, second')}`,
    );
    const [one, two] = [await project.gateway('istio-ingressgateway'), await project.gateway('second')];
    expect(publishedAt(one, 8080)).not.toBe(publishedAt(two, 8080));
    for (const gateway of [one, two]) expect((await ask({ port: publishedAt(gateway, 8080) })).status).toBe(200);
  });

  it('passes TCP on by TCPRoute and by tcp rules, and counts its clients', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => socket.end(`echo ${data}`));
    });
    const target = await listening(server);
    const workload = `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ledger }
spec: { address: 127.0.0.1, ports: { tcp: ${target} }, labels: { app: ledger } }
`;
    const yaml = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: raw }
spec: { gatewayClassName: istio, listeners: [{ name: tcp, port: 31400, protocol: TCP }] }
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: { name: ledger }
spec: { parentRefs: [{ name: raw }], rules: [{ backendRefs: [{ name: ledger, port: ${target} }] }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: istio-raw }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 31401, name: tcp, protocol: TCP }, hosts: ["*"] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ledger }
spec:
  hosts: ["*"]
  gateways: [istio-raw]
  tcp: [{ match: [{ port: 31401 }], route: [{ destination: { host: ledger, port: { number: ${target} } } }] }]
`;
    const project = await start(() => yaml, { 'ledger.yaml': workload }, 2);
    const ports = [
      publishedAt(await project.gateway('raw-istio'), 31400),
      publishedAt(await project.gateway('istio-ingressgateway'), 31401),
    ];
    for (const port of ports) {
      const socket = connect(port, '127.0.0.1');
      keep(() => socket.destroy());
      await once(socket, 'connect');
      socket.write('hello');
      expect((await readAll(socket)).toString()).toBe('echo hello');
    }
    await eventually('the client’s edge', async () => {
      const { edges } = await project.mesh.client.call('topology.get', { windowSeconds: 30 });
      return edges.some(({ from, to, tcp }) => from === 'caller:host' && to === 'raw-istio.default' && tcp !== null);
    });
  });

  it('carries gRPC by GRPCRoute to a server that speaks HTTP/2 only, trailers and all', async () => {
    const server = createHttp2Server();
    server.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'well' }));
      stream.resume();
      stream.end(`served ${headers[':path']}`);
    });
    const target = await listening(server);
    const workload = (name: string, portName: string, port: number) => `
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: 127.0.0.1, ports: { ${portName}: ${port} }, labels: { app: ${name} } }
`;
    const yaml = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: rpc }
spec: { gatewayClassName: istio, listeners: [{ name: http, port: 50051, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: carts }
spec:
  parentRefs: [{ name: rpc }]
  rules: [{ matches: [{ method: { service: shop.Cart, method: Add } }], backendRefs: [{ name: carts, port: ${target} }] }]
`;
    const project = await start(() => yaml, { 'carts.yaml': workload('carts', 'grpc', target) }, 2);
    const port = publishedAt(await project.gateway('rpc-istio'), 50051);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    keep(() => session.destroy());
    const call = async (path: string) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const answered = once(stream, 'response');
      const trailed = once(stream, 'trailers').catch(() => [{}]);
      stream.end();
      const [head] = await answered;
      let body = '';
      for await (const chunk of stream) body += String(chunk);
      return { head, body, trailers: head['grpc-status'] === undefined ? (await trailed)[0] : {} };
    };
    const answer = await call('/shop.Cart/Add');
    expect(answer).toMatchObject({
      body: 'served /shop.Cart/Add',
      trailers: { 'grpc-status': '0', 'grpc-message': 'well' },
    });
    expect((await call('/shop.Cart/Other')).head['grpc-status']).toBe('12');
  });

  it('has its port again when Meshdesk starts anew', async () => {
    const project = await start(({ ports }) => gatewayOn([8080]) + route(ports.get('httpbin')));
    const port = publishedAt(await project.gateway('istio-ingressgateway'), 8080);
    await project.restart();
    expect(publishedAt(await project.gateway('istio-ingressgateway'), 8080)).toBe(port);
    expect((await ask({ port })).status).toBe(200);
  });

  it('stays stopped when Meshdesk starts anew, and starts when it is told to', async () => {
    const project = await start(({ ports }) => gatewayOn([8080]) + route(ports.get('httpbin')));
    const port = publishedAt(await project.gateway('istio-ingressgateway'), 8080);
    expect((await cli(project, 'gateway', 'stop', 'istio-ingressgateway')).code).toBe(0);
    await project.restart();
    const { client } = project.mesh;
    await eventually('the application is attached again', async () => {
      const workloads = await client.call('workload.list', {});
      return workloads.some(({ name, mesh }) => name === 'httpbin' && mesh === 'attached');
    });
    await client.call('workload.renew', { select: { all: true } });
    expect((await client.call('gateway.list', {}))[0]).toMatchObject({ mesh: 'detached', place: null });
    expect((await cli(project, 'gateway', 'start', 'istio-ingressgateway')).code).toBe(0);
    expect((await ask({ port })).status).toBe(200);
    await project.restart();
    expect(publishedAt(await project.gateway('istio-ingressgateway'), 8080)).toBe(port);
  });
});
