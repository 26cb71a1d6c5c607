/** Renewal of the sidecars of host processes, with the real program, under load through a client's and a server's. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Mesh } from '../../../core/control-plane/mesh/mesh.ts';
import { ProcessRuntime } from '../../../core/control-plane/runtime/process/process-runtime.ts';
import { ConnectionLoad } from '../../support/connection-load.ts';
import { RecordedLog } from '../../support/contract-fixture.ts';
import { eventually } from '../../support/eventually.ts';
import { MemoryResourceStore } from '../../support/memory-resource-store.ts';
import { builtProgram } from '../../support/programs.ts';

let stateDir = '';
let runtime: ProcessRuntime;
let mesh: Mesh;
let notices: string[];
const closing: (() => unknown)[] = [];

async function startMesh(sharePorts: boolean): Promise<void> {
  const log = new RecordedLog();
  runtime = new ProcessRuntime({ sidecarProgram: builtProgram('sidecar'), portFile: null, sharePorts, log });
  mesh = new Mesh({
    stateDir,
    version: '0.1.0',
    project: { dir: stateDir, name: 'test' },
    runtimes: [runtime],
    resources: new MemoryResourceStore(),
    log,
  });
  notices = [];
  mesh.listen({
    onChange: () => undefined,
    onCertificate: () => undefined,
    onProgress: () => undefined,
    onNotice: ({ message }) => notices.push(message),
  });
  await mesh.start();
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

const member = (name: string, port: number | null, protocol: 'http' | 'tcp' = 'http') => ({
  name,
  service: name,
  namespace: 'demo',
  version: null,
  project: null,
  ports: port === null ? [] : [{ port, servicePort: 8080, protocol }],
  aliases: [name],
  pid: process.pid,
});

/** A client and `api`, both attached. Resolves with where the client reaches `api`. */
async function attachPair(port: number, protocol: 'http' | 'tcp' = 'http') {
  const [client] = await runtime.register([member('client', null), member('api', port, protocol)]);
  if (client === undefined) throw new Error('the client was not registered');
  await mesh.attach({ names: ['client', 'api'] });
  return client.outbound('api.demo', 8080);
}

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'mesh-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await mesh.close();
  await runtime.close();
  await rm(stateDir, { recursive: true, force: true });
});

describe('sidecars of host processes', () => {
  it('are renewed, the client’s and the server’s, without a failed request of 250 new connections/s and of kept ones', async () => {
    await startMesh(true);
    const address = await attachPair(await listening(createServer((_, response) => response.end('ok'))));
    const load = new ConnectionLoad(address, { newPerSecond: 250, kept: 8 });
    await load.more(500);
    const serials = () => mesh.certificates.list().map(({ serial }) => serial);
    const before = serials();
    for (const name of ['client', 'api', 'client']) {
      const [result] = await mesh.renew({ names: [name] });
      expect(result).toMatchObject({ name, mesh: 'attached', reason: null });
      await load.more(200);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(serials().filter((serial) => before.includes(serial))).toEqual([]);
    expect(mesh.certificates.verify('api').checks.every(({ ok }) => ok)).toBe(true);
    expect(notices).toEqual([]);
  });

  it('leave open TCP connections to the older one until they end', async () => {
    await startMesh(true);
    const address = await attachPair(await listening(createTcpServer((socket) => socket.pipe(socket))), 'tcp');
    const socket = connect(address);
    closing.push(() => socket.destroy());
    socket.on('error', () => undefined);
    const echoed = async (text: string) => {
      socket.write(text);
      return String((await once(socket, 'data'))[0]);
    };
    expect(await echoed('one')).toBe('one');
    let isRenewed = false;
    const renewing = mesh.renew({ names: ['client'] }, 60_000).then(() => {
      isRenewed = true;
    });
    const serial = mesh.certificates.show('client').serial;
    await eventually('it has switched', () => mesh.certificates.show('client').serial !== serial);
    expect(await echoed('two')).toBe('two');
    expect(isRenewed).toBe(false);
    socket.end();
    await renewing;
  });

  it('where ports are not shared are renewed with a short gap, and the result says so', async () => {
    await startMesh(false);
    const address = await attachPair(await listening(createServer((_, response) => response.end('ok'))));
    const load = new ConnectionLoad(address, { newPerSecond: 200, kept: 0 });
    await load.more(50);
    const [result] = await mesh.renew({ names: ['client'] });
    expect(result).toMatchObject({ mesh: 'attached', reason: expect.stringMatching(/cannot be shared/) });
    await load.more(50);
    await load.stop();
    expect(load.failures.filter((failure) => !/ECONNREFUSED|ECONNRESET|socket hang up/.test(failure))).toEqual([]);
    expect(mesh.findWorkload('client')).toMatchObject({ mesh: 'attached', reason: null });
  });
});
