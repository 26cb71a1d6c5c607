/** TCP through sidecars on real sockets: shares, the PROXY protocol, back-pressure and how connections end. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseProxyHeader, toProxyHeader } from '../../../core/data-plane/listener/proxy-protocol.ts';
import type { ProxyProtocol } from '../../../core/model/protocol.ts';
import { prepareClosers } from '../../support/closers.ts';
import { eventually } from '../../support/eventually.ts';
import { TestCa } from '../../support/test-ca.ts';
import { emptyConfig, freePort, serviceOf, TestSidecar } from '../../support/test-sidecar.ts';

const closers = prepareClosers();
let ca: TestCa;
beforeEach(async () => {
  ca = await TestCa.create();
});

function dial(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  socket.on('error', () => undefined);
  closers.add(() => socket.destroy());
  return socket;
}

async function sidecarOf(name: string): Promise<TestSidecar> {
  const sidecar = await TestSidecar.start({ ca, name });
  closers.add(() => sidecar.close());
  return sidecar;
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  // Node 24 leaves a half-open socket open when its reader is at the end.
  socket.destroy();
  return Buffer.concat(chunks);
}

const listen = (port: number) => ({ host: '127.0.0.1', port });

/** A sidecar with one inbound port in front of the application. */
async function inbound(
  applicationPort: number,
  proxyProtocol?: ProxyProtocol,
  mtls: 'PERMISSIVE' | 'STRICT' = 'PERMISSIVE',
) {
  const port = await freePort();
  const sidecar = await sidecarOf('orders');
  const config = emptyConfig('orders', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [{ listen: listen(port), target: listen(applicationPort), port: 5432 }],
      outbound: [],
      httpProxy: null,
    },
    inbound: { mtls, ports: [{ port: 5432, protocol: 'tcp', mtls, ...(proxyProtocol ? { proxyProtocol } : {}) }] },
  });
  expect((await sidecar.control.push(config)).type).toBe('ack');
  return { port, sidecar };
}

async function outbound(services: Parameters<typeof emptyConfig>[2]) {
  const port = await freePort();
  const sidecar = await sidecarOf('web');
  const config = emptyConfig('web', 1, {
    ...services,
    listeners: {
      kind: 'explicit',
      inbound: [],
      outbound: [{ listen: listen(port), service: 'orders.shop', port: 5432 }],
      httpProxy: null,
    },
  });
  expect((await sidecar.control.push(config)).type).toBe('ack');
  return { port, sidecar };
}

const namer = (name: string) => createServer((socket) => socket.end(name));

describe('shares of TCP connections', () => {
  it('follow the weights of a route over an explicit listener', async () => {
    const [v1, v2] = [await closers.listening(namer('v1')), await closers.listening(namer('v2'))];
    const service = serviceOf(
      'orders',
      5432,
      [{ ports: [{ port: 5432, targetPort: v1 }] }, { ports: [{ port: 5432, targetPort: v2 }] }],
      'tcp',
    );
    const destination = (subset: string, weight: number) => ({ service: 'orders.shop', subset, port: null, weight });
    const split = (weights: [number, number]) => ({
      ...service,
      subsets: [
        { name: 'v1', endpoints: ['orders-0'] },
        { name: 'v2', endpoints: ['orders-1'] },
      ],
      routes: [
        {
          name: 'split',
          match: [],
          timeoutMs: null,
          destinations: [destination('v1', weights[0]), destination('v2', weights[1])],
        },
      ],
    });
    const { port, sidecar } = await outbound({ services: [split([100, 0])] });
    const ask = async () => (await readAll(dial(port))).toString();
    for (let index = 0; index < 10; index += 1) expect(await ask()).toBe('v1');
    const { listeners } = emptyConfig('web', 2, {
      listeners: {
        kind: 'explicit',
        inbound: [],
        outbound: [{ listen: listen(port), service: 'orders.shop', port: 5432 }],
        httpProxy: null,
      },
    });
    await sidecar.control.push(emptyConfig('web', 2, { listeners, services: [split([0, 100])] }));
    for (let index = 0; index < 10; index += 1) expect(await ask()).toBe('v2');
  });
});

describe('the PROXY protocol', () => {
  /** Answers with the header it was sent, as text, and what followed. */
  const headerReader = () =>
    createServer((socket) => {
      let seen: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        seen = Buffer.concat([seen, chunk]);
        const header = parseProxyHeader(seen);
        if (typeof header === 'string' || 'error' in header) return;
        const rest = seen.subarray(header.length).toString();
        if (rest.endsWith('\n')) socket.end(`${header.source?.host}:${header.source?.port} ${rest}`);
      });
    });

  it.each(['v1', 'v2'] as const)('sends the real client address to an application that asks for %s', async (send) => {
    const { port } = await inbound(await closers.listening(headerReader()), { accept: false, send });
    const socket = dial(port);
    await once(socket, 'connect');
    const { localPort } = socket;
    socket.write('hello\n');
    expect((await readAll(socket)).toString()).toBe(`127.0.0.1:${localPort} hello\n`);
  });

  it.each(['v1', 'v2'] as const)('takes the source address from a %s header, however it is split', async (version) => {
    const { port, sidecar } = await inbound(await closers.listening(headerReader()), { accept: true, send: 'v2' });
    const header = toProxyHeader(version, { host: '203.0.113.7', port: 4711 }, { host: '198.51.100.1', port: 80 });
    const socket = dial(port).setNoDelay(true);
    for (const byte of header) {
      socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.write('hello\n');
    expect((await readAll(socket)).toString()).toBe('203.0.113.7:4711 hello\n');
    const key = await eventually('the edge of the real client', () =>
      sidecar.control.reports.flatMap(({ edges }) => edges).find(({ connectionsClosed }) => connectionsClosed === 1),
    );
    expect(key.key.peerAddress).toBe('203.0.113.7');
  });

  it.each([
    ['content without a header', 'hello\n'],
    ['a broken header', 'PROXY TCP4 1.2.3.4 5.6.7.8 1\r\nhello\n'],
    ['a header that never ends', `PROXY UNKNOWN ${'x'.repeat(200)}`],
    ['the end', ''],
  ])('refuses %s, and the application sees nothing', async (_name, begin) => {
    let reached = 0;
    const application = createServer(() => {
      reached += 1;
    });
    const { port, sidecar } = await inbound(await closers.listening(application), { accept: true, send: null });
    const socket = dial(port);
    socket.end(begin);
    await once(socket, 'close');
    expect(reached).toBe(0);
    const flagged = await eventually('the flag', () =>
      sidecar.control.reports.flatMap(({ edges }) => edges).find(({ flags }) => flags['NR'] === 1),
    );
    expect(flagged.key.direction).toBe('inbound');
  });

  it('asks no header of other sidecars, and gives the application their address', async () => {
    const application = await closers.listening(headerReader());
    const { port } = await inbound(application, { accept: true, send: 'v1' });
    const { port: entry } = await outbound({
      services: [serviceOf('orders', 5432, [{ mesh: true, ports: [{ port: 5432, targetPort: port }] }], 'tcp')],
    });
    const socket = dial(entry);
    socket.write('hello\n');
    expect((await readAll(socket)).toString()).toMatch(/^127\.0\.0\.1:\d+ hello\n$/);
  });

  it('comes before the greeting of a server that speaks first', async () => {
    const application = createServer((socket) => {
      socket.once('data', (chunk) => socket.end(`ready ${chunk.toString().split(' ')[1]}`));
    });
    const { port } = await inbound(await closers.listening(application), { accept: false, send: 'v1' });
    expect((await readAll(dial(port))).toString()).toBe('ready TCP4');
  });
});

describe('a TCP connection through two sidecars', () => {
  async function pair(application: Server) {
    const { port, sidecar: orders } = await inbound(await closers.listening(application));
    const service = serviceOf('orders', 5432, [{ mesh: true, ports: [{ port: 5432, targetPort: port }] }], 'tcp');
    const { port: entry, sidecar: web } = await outbound({ services: [service] });
    return { entry, web, orders };
  }

  it('stops the sender while the reader is slow, and loses nothing', async () => {
    const bytes = randomBytes(24 * 1024 * 1024);
    const wanted = createHash('sha256').update(bytes).digest('hex');
    let accepted: Socket | undefined;
    const application = createServer({ pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const { entry } = await pair(application);
    const socket = dial(entry);
    socket.end(bytes);
    const server = await eventually('the connection to the application', () => accepted);
    // Nobody reads: the sender must come to a stand long before all of it has left.
    let last = -1;
    await eventually('the sender to stand', async () => {
      const left = socket.writableLength;
      const isSteady = left === last;
      last = left;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return isSteady && left > 0 ? true : null;
    });
    const hash = createHash('sha256');
    for await (const chunk of server) hash.update(chunk as Buffer);
    expect(hash.digest('hex')).toBe(wanted);
  });

  it('is reset at one end when it is reset at the other', async () => {
    for (const side of ['client', 'server'] as const) {
      let accepted: Socket | undefined;
      const { entry } = await pair(
        createServer((socket) => {
          accepted = socket;
          socket.resume();
        }),
      );
      const client = dial(entry);
      client.write('x');
      const server = await eventually('the connection to the application', () => accepted);
      const [breaking, hearing] = side === 'client' ? [client, server] : [server, client];
      const errors: string[] = [];
      hearing.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
      hearing.resume();
      breaking.resetAndDestroy();
      await once(hearing, 'close').catch(() => undefined);
      expect(errors).toEqual(['ECONNRESET']);
    }
  });

  it('delivers what was sent before a regular end in one direction while the other goes on', async () => {
    const application = createServer({ allowHalfOpen: true }, (socket) => {
      let count = 0;
      socket.on('data', (chunk) => {
        count += chunk.length;
      });
      socket.once('end', () => {
        socket.write(`${count} `);
        setImmediate(() => socket.end('bytes'));
      });
    });
    const { entry, web } = await pair(application);
    const socket = dial(entry);
    socket.end(Buffer.alloc(1_000_000));
    expect((await readAll(socket)).toString()).toBe('1000000 bytes');
    await eventually('no open connection', () => (web.control.reports.at(-1)?.process.connections === 0 ? true : null));
  });
});
