/** Processes that somebody else starts, declared by WorkloadEntry files: listed, attached, called through the mesh, gone. */
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ListenersView, WorkloadView } from '../../../core/contract/shapes.ts';
import { eventually } from '../../support/eventually.ts';
import { type SampleMesh, startSampleMesh } from '../../support/sample-mesh.ts';

let mesh: SampleMesh;
const servers: Server[] = [];

beforeAll(async () => {
  mesh = await startSampleMesh();
});
afterAll(async () => {
  await mesh.close();
  for (const server of servers) end(server);
});

async function startServer(says: string, host = '127.0.0.1', port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((incoming, response) => response.end(`${says} ${incoming.url}`));
  server.listen(port, host);
  await once(server, 'listening');
  servers.push(server);
  return { server, port: (server.address() as AddressInfo).port };
}

function end(server: Server): void {
  server.closeAllConnections();
  server.close();
}

interface Declared {
  readonly port?: number;
  readonly address?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const fileOf = (name: string) => join(mesh.projectDir, `${name}.yaml`);
const declare = (name: string, { port, address = '127.0.0.1', labels = {} }: Declared) =>
  writeFile(
    fileOf(name),
    `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: dev }
spec:
  address: "${address}"
  labels: ${JSON.stringify(labels)}
${port === undefined ? '' : `  ports: { http: ${port} }\n`}`,
  );

const find = async (name: string): Promise<WorkloadView | undefined> =>
  (await mesh.client.call('workload.list', {})).find((workload) => workload.name === name);
const listed = (name: string, state: WorkloadView['state'] = 'running') =>
  eventually(`${name} is ${state}`, async () => {
    const workload = await find(name);
    return workload?.state === state ? workload : null;
  });
const attach = async (...names: string[]) => {
  for (const name of names) await listed(name);
  await mesh.client.call('workload.attach', { select: { names } });
};

async function listenersOf(name: string): Promise<ListenersView> {
  const listeners = (await find(name))?.listeners ?? null;
  if (listeners === null) throw new Error(`${name} has no listeners`);
  return listeners;
}

const outbound = async (name: string, service: string, port?: number) => {
  const { outbound: all } = await listenersOf(name);
  const found = all.find((one) => one.service === service && (port === undefined || one.port === port));
  if (found === undefined) throw new Error(`${name} has no listener for ${service}: ${JSON.stringify(all)}`);
  return found.url;
};
const httpProxy = async (name: string) => (await listenersOf(name)).httpProxy ?? '';
const get = async (url: string) => (await fetch(url)).text();

/** As a client does that has `HTTP_PROXY` set. */
async function getThroughProxy(proxy: string, url: string): Promise<string> {
  const { hostname, port } = new URL(proxy);
  const asked = request({ hostname, port, path: url, headers: { host: new URL(url).host } }).end();
  const [response] = await once(asked, 'response');
  let text = '';
  for await (const part of response) text += part;
  return text;
}

const refuses = (url: string) =>
  new Promise<boolean>((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port) });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });

test('a process is listed from the moment its file is there, and runs as soon as its port answers', async () => {
  const early = await startServer('early');
  end(early.server);
  await declare('early', { port: early.port, labels: { app: 'early' } });
  expect(await listed('early', 'exited')).toMatchObject({
    id: 'process:dev/early',
    runtime: 'process',
    stateText: `nothing listens on 127.0.0.1:${early.port}`,
    listeners: null,
  });
  await startServer('early', '127.0.0.1', early.port);
  expect(await listed('early')).toMatchObject({
    service: 'early',
    namespace: 'dev',
    version: null,
    mesh: 'detached',
    ports: [{ port: early.port, protocol: 'http' }],
  });
});

test('an attached process reaches another in all three ways, with mutual TLS once both are attached', async () => {
  const orders = await startServer('orders');
  await declare('orders', { port: orders.port });
  await declare('web', {});
  await attach('orders', 'web');
  const url = await outbound('web', 'orders.dev', orders.port);
  expect(await get(`${url}/direct?x=1`)).toBe('orders /direct?x=1');
  expect(await get(`${await httpProxy('web')}/proxy/orders/by-path`)).toBe('orders /by-path');
  expect(await getThroughProxy(await httpProxy('web'), `http://orders:${orders.port}/absolute`)).toBe(
    'orders /absolute',
  );
  const edge = await eventually('the edge is there', async () => {
    const { edges } = await mesh.client.call('topology.get', { windowSeconds: 30 });
    return edges.find(({ from, to }) => from === 'web.dev' && to === 'orders.dev');
  });
  expect(edge).toMatchObject({ protocol: 'http', mtls: 'closed', errorPercent: 0 });
});

test('what is not in the mesh reaches it at its inbound listener, and shows as a caller on this machine', async () => {
  const { inbound } = await listenersOf('orders');
  expect(await get(`${inbound[0]?.url}/from-outside`)).toBe('orders /from-outside');
  await eventually('the caller is shown', async () => {
    const { edges } = await mesh.client.call('topology.get', { windowSeconds: 30 });
    return edges.some(({ from, to }) => from === 'caller:host' && to === 'orders.dev');
  });
});

test('two versions listen on ports of their own, and a split between them goes to the right one', async () => {
  const [v1, v2] = [await startServer('one'), await startServer('two')];
  await declare('payments-v1', { port: v1.port, labels: { version: 'v1' } });
  await declare('payments-v2', { port: v2.port, labels: { version: 'v2' } });
  await attach('payments-v1', 'payments-v2');
  const url = await outbound('web', 'payments.dev', v1.port);
  for (const [subset, says] of [
    ['v1', 'one'],
    ['v2', 'two'],
  ] as const) {
    const weights = ['v1', 'v2'].map((version) => ({ subset: version, weight: version === subset ? 100 : 0 }));
    await mesh.client.call('split.set', { service: 'payments.dev', weights, pins: [] });
    await eventually(`${subset} answers`, async () => (await get(`${url}/`)) === `${says} /`);
    expect(await Promise.all([1, 2, 3, 4].map(() => get(`${url}/`)))).toEqual(Array(4).fill(`${says} /`));
  }
});

const hasIpv6 = await startServer('probe', '::1').then(
  () => true,
  () => false,
);

test.skipIf(!hasIpv6).each(['::1', 'localhost'])(
  'a process that listens on %s only is reached, attached or not',
  async (address) => {
    const name = `six-${address.length}`;
    const { port } = await startServer(name, '::1');
    await declare(name, { port, address });
    await listed(name);
    const url = await eventually('the listener for it', () => outbound('web', `${name}.dev`).catch(() => null));
    await eventually('it answers, detached', async () => (await get(`${url}/`)) === `${name} /`);
    await attach(name);
    expect(await get(`${url}/`)).toBe(`${name} /`);
    const { inbound } = await listenersOf(name);
    expect(await get(`${inbound[0]?.url}/`)).toBe(`${name} /`);
  },
);

test('a process that is started again finds its listeners where they were', async () => {
  await attach('early');
  const before = await listenersOf('early');
  const { port } = (await listed('early')).ports[0] ?? { port: 0 };
  const running = servers.findLast((server) => server.listening && (server.address() as AddressInfo).port === port);
  if (running !== undefined) end(running);
  expect(await listed('early', 'exited')).toMatchObject({ mesh: 'attached', listeners: before });
  expect(await refuses(before.httpProxy ?? '')).toBe(false);
  await startServer('early again', '127.0.0.1', port);
  expect(await listed('early')).toMatchObject({ mesh: 'attached', listeners: before });
  await eventually('it is reached', async () =>
    (await get(`${await outbound('web', 'early.dev')}/`)).startsWith('early again'),
  );
});

test('a changed entry is attached again as what it says now', async () => {
  const { port } = await startServer('moved');
  const { id } = await listed('early');
  await declare('early', { port, labels: { app: 'moved' } });
  await eventually('it is attached again', async () => {
    const now = await find('early');
    return now?.service === 'moved' && now.mesh === 'attached';
  });
  expect((await find('early'))?.id).toBe(id);
  const url = await eventually('the others have a listener', () => outbound('web', 'moved.dev').catch(() => null));
  await eventually('it is reached', async () => (await get(`${url}/`)) === 'moved /');
});

test('two entries of one name live in namespaces of their own, and the sample shop beside them', async () => {
  const { port } = await startServer('other');
  const entry = (namespace: string) =>
    `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: catalog, namespace: ${namespace} }\nspec: { address: 127.0.0.1, ports: { http: ${port} } }\n`;
  await writeFile(fileOf('catalogs'), `${entry('one')}---\n${entry('two')}`);
  await mesh.client.call('sample.start', {});
  const all = await mesh.client.call('workload.list', {});
  expect(all.filter(({ name }) => name === 'catalog').map(({ id }) => id)).toEqual(
    expect.arrayContaining(['process:one/catalog', 'process:two/catalog', 'process:catalog']),
  );
  await mesh.client.call('sample.stop', {});
  await rm(fileOf('catalogs'));
  await eventually('they are gone', async () => (await find('catalog')) === undefined);
});

test('without its file a process is gone, and nothing of its sidecar listens any more', async () => {
  const { inbound, outbound: others, httpProxy: proxy } = await listenersOf('web');
  const addresses = [...inbound, ...others].map(({ url }) => url).concat(proxy ?? []);
  expect(addresses.length).toBeGreaterThan(4);
  await rm(fileOf('web'));
  await eventually('it is gone', async () => (await find('web')) === undefined);
  for (const address of addresses) await eventually(`${address} refuses`, () => refuses(address));
  await rm(fileOf('orders'));
  await eventually('nobody has a listener for it', async () => {
    const { outbound: left } = await listenersOf('early');
    return left.every(({ service }) => service !== 'orders.dev' && service !== 'web.dev');
  });
});

test('processes whose file is there attach again after a restart of the control plane, on the same ports', async () => {
  const before = await listenersOf('early');
  await mesh.controlPlane.close({ detach: false });
  expect(await refuses(before.httpProxy ?? '')).toBe(true);
  mesh = await startSampleMesh({ projectDir: mesh.projectDir });
  await eventually('it is attached', async () => (await find('early'))?.mesh === 'attached');
  expect((await listenersOf('early')).httpProxy).toBe(before.httpProxy);
});
