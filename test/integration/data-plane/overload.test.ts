/** The shipped program under more than it can carry: memory stays bounded, the control stream answers, and it recovers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limitsFor, openFilesLimit } from '../../../core/data-plane/overload/open-files.ts';
import { ControlClient } from '../../support/control-client.ts';
import { eventually } from '../../support/eventually.ts';
import { builtProgram } from '../../support/programs.ts';
import { emptyConfig, freePort } from '../../support/test-sidecar.ts';

/** As in guard.sh. */
const flags = ['--max-semi-space-size=1', '--max-old-space-size=128', '--single-threaded', '--optimize-for-size'];
const floodSize = 20_000;
const maxRssBytes = 300e6;

let closers: (() => unknown)[] = [];
let control: ControlClient;
let process_: ChildProcess;
let port: number;

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

async function startProgram(applicationPort: number, protocol: 'http' | 'tcp'): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'overload-'));
  const socketPath = join(dir, 's.sock');
  process_ = spawn(process.execPath, [...flags, builtProgram('sidecar')], {
    env: { MESHDESK_SOCKET: socketPath, MESHDESK_STATE: 'off', MESHDESK_LOG: 'error' },
    stdio: 'ignore',
  });
  closers.push(async () => {
    control.close();
    process_.kill('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  });
  control = await eventually('the control stream', () => ControlClient.open(socketPath).catch(() => null));
  await control.hello();
  port = await freePort();
  const listen = { host: '127.0.0.1', port };
  const config = emptyConfig('orders', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [{ listen, target: { host: '127.0.0.1', port: applicationPort }, port: 8080 }],
      outbound: [],
      httpProxy: null,
    },
    inbound: { mtls: 'DISABLE', ports: [{ port: 8080, protocol, mtls: 'DISABLE' }] },
  });
  expect((await control.push(config)).type).toBe('ack');
}

const rssBytes = async () => {
  const status = await readFile(`/proc/${process_.pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
};

/** Opens connections from a process of its own, a process may only have so many; each says `greeting` and is then silent. */
async function flood(count: number, greeting: string): Promise<ChildProcess> {
  const code = `
    const { connect } = require('node:net');
    let left = ${count}, open = 0, over = 0;
    const next = () => {
      if (left-- <= 0) return;
      const socket = connect(${port}, '127.0.0.1', () => { open += 1; socket.write(${JSON.stringify(greeting)}); done(); });
      socket.on('error', () => undefined);
      socket.on('close', () => { over += 1; });
      socket.once('error', done);
      let told = false;
      function done() { if (told) return; told = true; next(); }
      socket.resume();
    };
    for (let index = 0; index < 64; index += 1) next();
    const timer = setInterval(() => { if (left < 0) { process.stdout.write('done\\n'); clearInterval(timer); } }, 50);
    setInterval(() => undefined, 1000);
    process.stdin.resume().on('end', () => process.exit());`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
  closers.push(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

async function get(): Promise<number> {
  const outgoing = request({ host: '127.0.0.1', port, agent: false });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  response.resume();
  return response.statusCode;
}

beforeEach(() => {
  closers = [];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

describe.skipIf(process.platform !== 'linux')('a flood', () => {
  it(`of ${floodSize} connections takes no more memory than it may, keeps the control stream alive, and passes`, async () => {
    const application = createHttpServer((_incoming, response) => response.end('ok'));
    await startProgram(await listening(application), 'http');
    expect(await get()).toBe(200);
    const children: ChildProcess[] = [];
    for (let index = 0; index < 4; index += 1) children.push(await flood(floodSize / 4, 'GET / HT'));
    const { connectionsPerListener } = limitsFor(openFilesLimit());
    await eventually('the refusal of all that are too many', () => {
      const refused = control.reports.map(({ process: { overload } }) => overload?.refusedConnections ?? 0);
      return refused.reduce((sum, count) => sum + count, 0) >= floodSize - connectionsPerListener;
    });
    expect(Math.max(...control.reports.map(({ process: { connections } }) => connections))).toBeLessThanOrEqual(
      connectionsPerListener,
    );
    const rss = await rssBytes();
    if (process.env['MESHDESK_TEST_FIGURES']) process.stderr.write(`flood: ${Math.round(rss / 1e6)} MB\n`);
    expect(rss).toBeLessThan(maxRssBytes);
    const reports = control.reports.length;
    await eventually('two more reports', () => (control.reports.length >= reports + 2 ? true : null));
    expect((await control.push(emptyConfig('orders', 1))).type).toBe('ack');
    for (const child of children) child.kill('SIGKILL');
    await eventually('nothing open', () => (control.reports.at(-1)?.process.connections === 0 ? true : null));
  }, 60_000);

  it('of slow readers of large answers waits, and takes no more memory than it may', async () => {
    const chunk = Buffer.alloc(256 * 1024, 'x');
    const application = createServer((socket) => {
      const write = () => {
        while (socket.write(chunk));
      };
      socket.on('drain', write);
      write();
    });
    await startProgram(await listening(application), 'tcp');
    const readers = Array.from({ length: 400 }, () => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.on('error', () => undefined);
      socket.pause();
      closers.push(() => socket.destroy());
      return socket;
    });
    await eventually('all of them to be served', () =>
      (control.reports.at(-1)?.edges.reduce((sum, { activeConnections }) => sum + activeConnections, 0) ?? 0) >= 400
        ? true
        : null,
    );
    let last = -1;
    await eventually(
      'the flow to stand',
      () => {
        const sent =
          control.reports
            .at(-1)
            ?.edges.reduce((sum, { bytesSent, bytesReceived }) => sum + bytesSent + bytesReceived, 0) ?? 0;
        const isStill = sent === 0 && control.reports.length !== last;
        last = control.reports.length;
        return isStill ? true : null;
      },
      20_000,
    );
    const rss = await rssBytes();
    if (process.env['MESHDESK_TEST_FIGURES']) process.stderr.write(`slow readers: ${Math.round(rss / 1e6)} MB\n`);
    expect(rss).toBeLessThan(maxRssBytes);
    for (const reader of readers) reader.destroy();
    await eventually('nothing open', () => (control.reports.at(-1)?.process.connections === 0 ? true : null), 20_000);
  }, 60_000);
});
