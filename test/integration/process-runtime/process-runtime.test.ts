/** The process runtime with the real sidecar program: listeners, addresses, restart, and that nothing is left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SidecarConnection } from '../../../core/control-plane/push/sidecar-connection.ts';
import { ProcessRuntime } from '../../../core/control-plane/runtime/process/process-runtime.ts';
import type { Sidecar } from '../../../core/control-plane/runtime/runtime.ts';
import { systemClock } from '../../../core/control-plane/system-clock.ts';
import { compileSnapshot } from '../../../core/snapshot/compile-snapshot.ts';
import { toSidecarConfig } from '../../../core/snapshot/to-sidecar-config.ts';
import { eventually } from '../../support/eventually.ts';
import { builtProgram } from '../../support/programs.ts';
import { RecordedRuntimeEvents } from '../../support/runtime-events.ts';

let runtime: ProcessRuntime;
let events: RecordedRuntimeEvents;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  runtime = new ProcessRuntime({ sidecarProgram: builtProgram('sidecar'), portFile: null });
  events = new RecordedRuntimeEvents();
  await runtime.start(events);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await runtime.close();
});

async function startApi(): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => response.end(`api saw ${request.headers.host} ${request.url}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

const member = (name: string, port: number | null) => ({
  name,
  service: name,
  namespace: 'demo',
  version: null,
  project: null,
  ports: port === null ? [] : [{ port, servicePort: 8080, protocol: 'http' as const }],
  aliases: [name],
  pid: process.pid,
});

/** The control plane's part, without certificates: the api stays outside of the mesh. */
async function push(sidecar: Sidecar): Promise<SidecarConnection> {
  const snapshot = compileSnapshot({
    revision: 1,
    trustDomain: 'cluster.local',
    rootNamespace: 'istio-system',
    resources: [],
    faults: [],
    workloads: runtime.workloads().map((discovered) => ({
      discovered,
      attached: false,
      listeners: discovered.id === sidecar.workloadId ? sidecar.listeners : null,
      endpointPorts: [],
    })),
  });
  const config = toSidecarConfig(snapshot, sidecar.workloadId);
  if (config === null) throw new Error('no configuration was compiled');
  const nothing = () => undefined;
  let acked = false;
  const connection = await SidecarConnection.open(
    await sidecar.connect(),
    {
      onAck: () => {
        acked = true;
      },
      onNack: ({ message }) => {
        throw new Error(message);
      },
      onTelemetry: nothing,
      onDrainProgress: nothing,
      onLog: nothing,
      onClose: nothing,
    },
    { leaseMs: 6_000, clock: systemClock },
  );
  closing.push(() => connection.close());
  connection.push(config);
  await eventually('the sidecar has acknowledged', () => acked);
  return connection;
}

const get = async ({ host, port }: { host: string; port: number }, path: string) =>
  (await fetch(`http://${host}:${port}${path}`)).text();
const refuses = ({ host, port }: { host: string; port: number }) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });

describe('a sidecar of a host process', () => {
  async function attachClient() {
    const { port } = await startApi();
    const [client] = await runtime.register([member('client', null), member('api', port)]);
    if (client === undefined) throw new Error('the client was not registered');
    const sidecar = await runtime.startSidecar(client.id);
    const connection = await push(sidecar);
    return { client, sidecar, connection };
  }

  test('serves an outbound listener per service, /proxy/ paths, and is gone without a trace after remove', async () => {
    const { client, sidecar } = await attachClient();
    const outbound = client.outbound('api.demo', 8080);
    expect(await get(outbound, '/hello?x=1')).toContain('/hello?x=1');
    expect(await get(client.httpProxy(), '/proxy/api/hello')).toMatch(/^api saw api\S* \/hello$/);
    expect(await runtime.startSidecar(client.id)).toBe(sidecar);
    await sidecar.remove();
    await sidecar.remove();
    expect(await refuses(outbound)).toBe(true);
    await expect(sidecar.connect()).rejects.toMatchObject({ code: 'SIDECAR_UNREACHABLE' });
  });

  test('refuses new connections of its application from the moment it drains, and takes them again when it is undone', async () => {
    const { client, connection } = await attachClient();
    const outbound = client.outbound('api.demo', 8080);
    const drained = connection.drain(60_000, 'keep');
    await eventually('the listener refuses', () => refuses(outbound));
    expect(await refuses(client.httpProxy())).toBe(true);
    await drained;
    connection.undrain();
    await eventually('it serves again', async () => (await get(outbound, '/again')).includes('/again'));
  });

  test('is started again when it dies and resumes with its last configuration by itself', async () => {
    const { client, connection } = await attachClient();
    const outbound = client.outbound('api.demo', 8080);
    process.kill(connection.hello.pid, 'SIGKILL');
    await eventually('it was noticed', () => events.notices.some((notice) => notice.includes('client')));
    await eventually('it serves again', async () => (await get(outbound, '/again')).includes('/again'));
  });

  test('ends when the process that started it is gone', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sidecar-'));
    const socket = join(dir, 's.sock');
    const env = { PATH: process.env.PATH ?? '', MESHDESK_SOCKET: socket, MESHDESK_EXIT_WITH_PARENT: '1' };
    const child = spawn(process.execPath, [builtProgram('sidecar')], { env, stdio: ['pipe', 'ignore', 'ignore'] });
    await eventually('it listens', () => existsSync(socket));
    const exited = once(child, 'exit');
    child.stdin.end();
    expect((await exited)[0]).toBe(0);
    await rm(dir, { recursive: true });
  });
});

describe('the list of host processes', () => {
  test('follows a process that somebody else started by its port', async () => {
    const { server, port } = await startApi();
    await runtime.register([{ ...member('api', port), pid: process.pid }]);
    expect(runtime.workloads()).toMatchObject([
      { id: 'process:api', state: 'running', service: 'api', namespace: 'demo' },
    ]);
    server.closeAllConnections();
    server.close();
    await eventually('it is seen to have ended', () => events.workloads.at(-1)?.[0]?.state === 'exited');
    await expect(runtime.startSidecar('process:api')).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });

  test('gives every process an address for every other, in whatever order they come', async () => {
    const [first] = await runtime.register([member('first', null)]);
    const [second] = await runtime.register([member('second', 40_001)]);
    expect(first?.outbound('second.demo', 8080).port).not.toBe(second?.httpProxy().port);
    await expect(runtime.register([member('first', null)])).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(runtime.startSidecar('process:third')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
