/** The shipped program under more than it can carry: memory stays bounded, the control stream answers, and it recovers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { limitsFor, openFilesLimit } from '../../../core/data-plane/overload/open-files.ts';
import { prepareClosers } from '../../support/closers.ts';
import { SidecarProcess } from '../../support/conformance/sidecar-process.ts';
import { eventually } from '../../support/eventually.ts';
import { emptyConfig, freePort } from '../../support/test-sidecar.ts';

const floodSize = 20_000;
const maxRssBytes = 300e6;
/** A busy machine needs its time. */
const slowly = 120_000;
const closers = prepareClosers();

interface Bench {
  readonly sidecar: SidecarProcess;
  readonly port: number;
}

async function startProgram(applicationPort: number, protocol: 'auto' | 'http' | 'tcp'): Promise<Bench> {
  const sidecar = await SidecarProcess.start();
  closers.add(() => sidecar.close());
  const port = await freePort();
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
  expect((await sidecar.control.push(config)).type).toBe('ack');
  return { sidecar, port };
}

async function expectBounded(what: string, { sidecar }: Bench): Promise<void> {
  const { residentBytes } = await sidecar.usage();
  if (process.env['MESHDESK_TEST_FIGURES']) process.stderr.write(`${what}: ${Math.round(residentBytes / 1e6)} MB\n`);
  expect(residentBytes).toBeLessThan(maxRssBytes);
}

const nothingOpen = ({ sidecar }: Bench) =>
  eventually('nothing open', () => (sidecar.control.reports.at(-1)?.process.connections === 0 ? true : null), slowly);

/** Opens connections from a process of its own, a process may only have so many; each says `greeting` and is then silent. */
async function flood(port: number, count: number, greeting: string): Promise<ChildProcess> {
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
  closers.add(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

async function get(port: number): Promise<number> {
  const outgoing = request({ host: '127.0.0.1', port, agent: false });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  response.resume();
  return response.statusCode;
}

/** Until a whole report says that nothing was carried. */
function standstill({ sidecar }: Bench): Promise<true> {
  let seen = sidecar.control.reports.length;
  return eventually(
    'the flow to stand',
    () => {
      const { reports } = sidecar.control;
      if (reports.length === seen) return null;
      seen = reports.length;
      const edges = reports.at(-1)?.edges ?? [];
      return edges.reduce((sum, { bytesSent, bytesReceived }) => sum + bytesSent + bytesReceived, 0) === 0 || null;
    },
    slowly,
  );
}

const chunk = Buffer.alloc(256 * 1024, 'x');
const answerBytes = 64 * 1024 * 1024;

describe.skipIf(process.platform !== 'linux')('a flood', () => {
  it(`of ${floodSize} connections takes no more memory than it may, keeps the control stream alive, and passes`, async () => {
    const application = createHttpServer((_incoming, response) => response.end('ok'));
    const bench = await startProgram(await closers.listening(application), 'http');
    const { control } = bench.sidecar;
    expect(await get(bench.port)).toBe(200);
    const children: ChildProcess[] = [];
    for (let index = 0; index < 4; index += 1) children.push(await flood(bench.port, floodSize / 4, 'GET / HT'));
    const { connectionsPerListener } = limitsFor(openFilesLimit());
    await eventually(
      'the refusal of all that are too many',
      () => {
        const refused = control.reports.map(({ process: { overload } }) => overload?.refusedConnections ?? 0);
        return refused.reduce((sum, count) => sum + count, 0) >= floodSize - connectionsPerListener;
      },
      slowly,
    );
    expect(Math.max(...control.reports.map(({ process: { connections } }) => connections))).toBeLessThanOrEqual(
      connectionsPerListener,
    );
    await expectBounded('flood', bench);
    const reports = control.reports.length;
    await eventually('two more reports', () => (control.reports.length >= reports + 2 ? true : null));
    expect((await control.push(emptyConfig('orders', 1))).type).toBe('ack');
    for (const child of children) child.kill('SIGKILL');
    await nothingOpen(bench);
  }, 300_000);

  it('of slow readers of TCP waits, and takes no more memory than it may', async () => {
    const application = createServer((socket) => {
      const write = () => {
        while (socket.write(chunk));
      };
      socket.on('drain', write);
      write();
    });
    const bench = await startProgram(await closers.listening(application), 'tcp');
    const readers = Array.from({ length: 400 }, () => {
      const socket = connect({ host: '127.0.0.1', port: bench.port });
      socket.on('error', () => undefined);
      socket.pause();
      closers.add(() => socket.destroy());
      return socket;
    });
    await eventually(
      'all of them to be served',
      () => {
        const edges = bench.sidecar.control.reports.at(-1)?.edges ?? [];
        return edges.reduce((sum, { activeConnections }) => sum + activeConnections, 0) >= 400;
      },
      slowly,
    );
    await standstill(bench);
    await expectBounded('slow readers of TCP', bench);
    for (const reader of readers) reader.destroy();
    await nothingOpen(bench);
  }, 300_000);

  it.each([
    { kind: 'HTTP/1.1', connections: 600, each: 1 },
    { kind: 'HTTP/2', connections: 20, each: 30 },
  ])(
    'of slow readers of $kind waits, tells how much, and takes no more memory than it may',
    async (readers) => {
      const application = createHttpServer((_incoming, response) => {
        response.setHeader('content-length', answerBytes);
        let left = answerBytes;
        const write = () => {
          while (left > 0 && !response.destroyed) {
            left -= chunk.length;
            if (!response.write(chunk)) return;
          }
        };
        response.on('drain', write);
        write();
      });
      const bench = await startProgram(
        await closers.listening(application),
        readers.kind === 'HTTP/2' ? 'http' : 'auto',
      );
      const closing: (() => void)[] = [];
      for (let index = 0; index < readers.connections; index += 1) {
        if (readers.kind === 'HTTP/2') {
          const client = connectHttp2(`http://127.0.0.1:${bench.port}`);
          client.on('error', () => undefined);
          for (let count = 0; count < readers.each; count += 1) {
            client.request({ ':authority': 'orders', ':path': '/' }).on('error', () => undefined);
          }
          closing.push(() => client.destroy());
        } else {
          const socket = connect({ host: '127.0.0.1', port: bench.port });
          socket.on('error', () => undefined);
          socket.pause();
          socket.write('GET / HTTP/1.1\r\nHost: orders\r\n\r\n');
          closing.push(() => socket.destroy());
        }
      }
      for (const close of closing) closers.add(close);
      const held = () => bench.sidecar.control.reports.at(-1)?.process.overload?.bufferedBytes ?? 0;
      await eventually('much to wait', () => held() > 16 * 1024 * 1024, slowly);
      await standstill(bench);
      await expectBounded(`slow readers of ${readers.kind}, ${Math.round(held() / 1e6)} MB held`, bench);
      expect(held()).toBeLessThan(192 * 1024 * 1024);
      for (const close of closing) close();
      await nothingOpen(bench);
      await eventually('nothing to wait', () => held() === 0, slowly);
    },
    300_000,
  );
});
