/** The control stream of a running sidecar, from the control plane's side: real WebSocket over a real Unix socket. */
import { once } from 'node:events';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { FaultConfig, SidecarConfig } from '../../../core/model/sidecar-config.ts';
import { prepareClosers } from '../../support/closers.ts';
import { ControlClient } from '../../support/control-client.ts';
import { eventually } from '../../support/eventually.ts';
import { TestCa } from '../../support/test-ca.ts';
import { emptyConfig, freePort, serviceOf, spiffeIdOfName, TestSidecar } from '../../support/test-sidecar.ts';

const closers = prepareClosers();
const { listening } = closers;

async function start(options: Parameters<typeof TestSidecar.start>[0] = {}): Promise<TestSidecar> {
  const sidecar = await TestSidecar.start(options);
  closers.add(() => sidecar.close());
  return sidecar;
}

async function statusOf(port: number): Promise<number> {
  const outgoing = request({ host: '127.0.0.1', port, agent: false });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  response.resume();
  return response.statusCode;
}

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const probe = connect(port, '127.0.0.1');
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });

/** web's configuration with one outbound listener for orders, whose endpoint is `applicationPort`. */
function configFor(outboundPort: number, applicationPort: number, changes: Partial<SidecarConfig> = {}): SidecarConfig {
  return emptyConfig('web', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [],
      outbound: [{ listen: { host: '127.0.0.1', port: outboundPort }, service: 'orders.shop', port: 80 }],
      httpProxy: null,
    },
    services: [serviceOf('orders', 80, [{ ports: [{ port: 80, targetPort: applicationPort }] }])],
    ...changes,
  });
}

const abort: FaultConfig = {
  id: 'abort-all',
  service: 'orders.shop',
  route: null,
  action: { kind: 'abort', httpStatus: 418 },
  percent: 100,
  seed: 1,
  expiresAtMs: null,
};

const okServer = () => listening(createHttpServer((_incoming, response) => response.end('ok')));

describe('the control stream', () => {
  it('is a socket file for its owner only, and says what is in force', async () => {
    const ca = await TestCa.create();
    const sidecar = await start({ ca, name: 'web' });
    expect((await stat(sidecar.socketPath)).mode & 0o777).toBe(0o600);
    const hello = await sidecar.reconnect();
    expect(hello).toMatchObject({ version: 1, revision: null, pid: process.pid, node: process.version });
    expect(hello.certificateSerial).toMatch(/^[0-9a-f]+$/);
    await sidecar.control.push(emptyConfig('web', 41));
    expect((await sidecar.reconnect()).revision).toBe(41);
  });

  it('refuses a configuration that cannot be applied and keeps the last good one', async () => {
    const { control } = await start();
    const [port, taken] = [await freePort(), await listening(createServer())];
    const good = configFor(port, await okServer());
    expect(await control.push(good)).toEqual({ type: 'ack', revision: 1 });
    const blocked = configFor(taken, 1, { revision: 2 });
    expect(await control.push(blocked)).toMatchObject({ type: 'nack', revision: 2, code: 'LISTEN_FAILED' });
    control.sendRaw(JSON.stringify({ type: 'push', config: { ...good, revision: 3, surprise: true } }));
    expect(await control.next('nack')).toMatchObject({
      revision: 3,
      code: 'MESSAGE_INVALID',
      message: expect.stringContaining('surprise'),
    });
    const badRoute = structuredClone(good);
    badRoute.revision = 4;
    const destinations = [{ service: 'orders.shop', subset: null, port: null, weight: 100 }];
    badRoute.services[0]?.routes.push({ name: 'r', match: [{ uri: { regex: '(' } }], destinations, timeoutMs: null });
    expect(await control.push(badRoute)).toMatchObject({ type: 'nack', revision: 4, code: 'CONFIG_INVALID' });
    control.sendRaw('no json');
    expect(await control.next('nack')).toMatchObject({ revision: null });
    expect(await statusOf(port)).toBe(200);
  });

  it('opens and closes listeners with the configuration and leaves open connections alone', async () => {
    const { control } = await start();
    const [first, second] = [await freePort(), await freePort()];
    const application = await listening(createServer((socket) => socket.pipe(socket)));
    await control.push(configFor(first, application));
    const socket = connect(first, '127.0.0.1');
    closers.add(() => {
      socket.destroy();
    });
    socket.write('one');
    expect(String((await once(socket, 'data'))[0])).toBe('one');
    expect((await control.push(configFor(second, application, { revision: 2 }))).type).toBe('ack');
    expect(await isOpen(second)).toBe(true);
    expect(await isOpen(first)).toBe(false);
    socket.write('two');
    expect(String((await once(socket, 'data'))[0])).toBe('two');
  });

  it('gives way to a newer connection', async () => {
    const sidecar = await start();
    const older = sidecar.control;
    sidecar.control = await ControlClient.open(sidecar.socketPath);
    await eventually('the older connection to be closed', () => older.closed !== null);
    expect(older.closed?.code).toBe(4001);
    await sidecar.control.hello();
    expect(await sidecar.control.push(emptyConfig('web', 5))).toEqual({ type: 'ack', revision: 5 });
  });

  it('closes a connection that does not begin with hello, or speaks another version', async () => {
    const sidecar = await start();
    const silent = await ControlClient.open(sidecar.socketPath);
    silent.send({ type: 'heartbeat', nowMs: 0 });
    await eventually('the close', () => silent.closed !== null);
    const newer = await ControlClient.open(sidecar.socketPath);
    newer.sendRaw(JSON.stringify({ type: 'hello', version: 99, leaseMs: 1, nowMs: 1 }));
    await eventually('the close', () => newer.closed !== null);
    expect([silent.closed?.code, newer.closed?.code]).toEqual([1002, 1002]);
  });

  it('drops faults when the lease lapses, and a new control plane has to push them again', async () => {
    const sidecar = await start({ leaseMs: 3_000 });
    const port = await freePort();
    sidecar.control.startHeartbeats(250);
    const config = configFor(port, await okServer(), { faults: [abort] });
    await sidecar.control.push(config);
    expect(await statusOf(port)).toBe(418);
    const reports = sidecar.control.reports.length;
    // One a second.
    await eventually('more than a lease to pass', () => sidecar.control.reports.length > reports + 3);
    expect(await statusOf(port)).toBe(418);
    sidecar.control.close();
    await eventually('the fault to end by itself', async () => (await statusOf(port)) === 200);
    await sidecar.reconnect(60_000);
    expect(await statusOf(port)).toBe(200);
    await sidecar.control.push({ ...config, revision: 2 });
    expect(await statusOf(port)).toBe(418);
  });

  it("ends a fault at the time the control plane said, by the control plane's clock", async () => {
    const sidecar = await start();
    const [port, application] = [await freePort(), await okServer()];
    const theirNow = Date.now() - 3_600_000;
    sidecar.control.send({ type: 'heartbeat', nowMs: theirNow });
    const fault = { ...abort, expiresAtMs: theirNow + 4_000 };
    await sidecar.control.push(configFor(port, application, { faults: [fault] }));
    expect(await statusOf(port)).toBe(418);
    await eventually('the fault to expire', async () => (await statusOf(port)) === 200);
  });

  it('reports every second, and counts on while nobody listens', async () => {
    const sidecar = await start();
    const port = await freePort();
    await sidecar.control.push(configFor(port, await okServer()));
    sidecar.control.close();
    for (let index = 0; index < 5; index += 1) expect(await statusOf(port)).toBe(200);
    await sidecar.reconnect();
    const edge = await eventually('a report', () =>
      sidecar.control.reports.flatMap(({ edges }) => edges).find(({ requests }) => requests['2xx'] > 0),
    );
    expect(edge.requests['2xx']).toBe(5);
    const { process: figures } = sidecar.control.reports[0] ?? {};
    expect(figures?.rssBytes).toBeGreaterThan(1e6);
    expect(figures?.unseenConnections).toBeNull();
    await eventually('a second report', () => sidecar.control.reports.length >= 2);
    const [first, second] = sidecar.control.reports;
    expect(second?.fromMs).toBe(first?.toMs);
  });

  it('says why a certificate was not installed', async () => {
    const ca = await TestCa.create();
    const { control } = await start();
    control.send({ type: 'certificate.request', id: 'r', spiffeId: spiffeIdOfName('web') });
    const { csrPem } = await control.next('certificate.csr');
    const chainPem = [await ca.sign(csrPem, spiffeIdOfName('orders'))];
    control.send({ type: 'certificate.issued', id: 'r', chainPem, trustBundlePem: [ca.rootPem] });
    expect(await control.next('certificate.failed')).toMatchObject({
      id: 'r',
      message: expect.stringContaining('not for'),
    });
  });
});

describe('drain', () => {
  async function withTcpConnection() {
    const sidecar = await start();
    const port = await freePort();
    const application = await listening(createServer((socket) => socket.pipe(socket)));
    await sidecar.control.push(configFor(port, application));
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    closers.add(() => {
      socket.destroy();
    });
    socket.write('hello');
    await once(socket, 'data');
    return { sidecar, socket };
  }

  const isAlive = async (socket: Socket) => {
    socket.write('still there?');
    return String((await once(socket, 'data'))[0]) === 'still there?';
  };

  it('keeps TCP connections until they end and tells how many there are', async () => {
    const { sidecar, socket } = await withTcpConnection();
    sidecar.control.send({ type: 'drain', deadlineMs: 60_000, tcp: 'keep' });
    expect(await sidecar.control.next('drain.progress')).toEqual({ type: 'drain.progress', http: 0, tcp: 1 });
    expect(await isAlive(socket)).toBe(true);
    socket.end();
    expect(await sidecar.control.next('drained')).toEqual({ type: 'drained', http: 0, tcp: 0 });
  });

  it('cuts what is left at the deadline and says how much that was', async () => {
    const { sidecar, socket } = await withTcpConnection();
    sidecar.control.send({ type: 'drain', deadlineMs: 300, tcp: 'keep' });
    expect(await sidecar.control.next('drained')).toEqual({ type: 'drained', http: 0, tcp: 1 });
    await eventually('the connection to be closed', () => socket.destroyed);
  });

  it('closes TCP connections at once when asked to', async () => {
    const { sidecar, socket } = await withTcpConnection();
    sidecar.control.send({ type: 'drain', deadlineMs: 60_000, tcp: 'close' });
    await eventually('the connection to be closed', () => socket.destroyed);
    expect(await sidecar.control.next('drained')).toEqual({ type: 'drained', http: 0, tcp: 0 });
  });

  it('refuses new connections of explicit outbound listeners until it is taken back', async () => {
    const sidecar = await start();
    const port = await freePort();
    await sidecar.control.push(configFor(port, await okServer()));
    sidecar.control.send({ type: 'drain', deadlineMs: 60_000, tcp: 'keep' });
    await sidecar.control.next('drained');
    expect(await isOpen(port)).toBe(false);
    sidecar.control.send({ type: 'undrain' });
    await eventually('the listener to be back', () => isOpen(port));
    expect(await statusOf(port)).toBe(200);
  });

  it('can be taken back', async () => {
    const { sidecar, socket } = await withTcpConnection();
    sidecar.control.send({ type: 'drain', deadlineMs: 2_000, tcp: 'keep' });
    await sidecar.control.next('drain.progress');
    sidecar.control.send({ type: 'undrain' });
    const reports = sidecar.control.reports.length;
    await eventually('the deadline to pass', () => sidecar.control.reports.length > reports + 2);
    expect(await isAlive(socket)).toBe(true);
  });
});

describe('a restart of the sidecar', () => {
  it('resumes with configuration and certificate, without faults, before any control plane is there', async () => {
    const ca = await TestCa.create();
    const sidecar = await start({ ca, name: 'web' });
    const port = await freePort();
    await sidecar.control.push(configFor(port, await okServer(), { revision: 7, faults: [abort] }));
    expect(await statusOf(port)).toBe(418);
    expect((await stat(`${sidecar.socketPath}.state`)).mode & 0o777).toBe(0o600);
    expect(await readFile(`${sidecar.socketPath}.state`, 'utf8')).not.toContain('abort-all');
    await sidecar.restart();
    expect(await statusOf(port)).toBe(200);
    const hello = await sidecar.reconnect();
    expect(hello.revision).toBe(7);
    expect(hello.certificateSerial).not.toBeNull();
  });

  it('starts empty when the saved state is of no use', async () => {
    const sidecar = await start();
    await sidecar.control.push(emptyConfig('web', 3));
    await chmod(`${sidecar.socketPath}.state`, 0o600);
    await writeFile(`${sidecar.socketPath}.state`, '{"formatVersion":1,"config":{}}');
    await sidecar.restart();
    expect((await sidecar.reconnect()).revision).toBeNull();
    expect(sidecar.log.join('')).toContain('saved state is of no use');
  });

  it('refuses a socket that another sidecar serves', async () => {
    const sidecar = await start();
    const dir = sidecar.socketPath.replace('/sidecar.sock', '');
    await expect(TestSidecar.start({ dir })).rejects.toThrow('another sidecar serves');
  });
});
