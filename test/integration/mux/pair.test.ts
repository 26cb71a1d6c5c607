import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  type RequestOptions,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { finished } from 'node:stream/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createUpstreamConnector } from '../../../core/data-plane/tls/upstream-connector.ts';
import { meshAlpn } from '../../../core/model/identity.ts';
import { eventually } from '../../support/eventually.ts';
import { identityOf, MeshServer } from '../../support/mesh-tls.ts';
import { SidecarPair } from '../../support/sidecar-pair.ts';
import { TestCa } from '../../support/test-ca.ts';
import { spiffeIdOfName } from '../../support/test-sidecar.ts';

let closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

async function application(handler: (incoming: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handler);
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function startPair(handler: (incoming: IncomingMessage, response: ServerResponse) => void): Promise<SidecarPair> {
  const pair = await SidecarPair.start(portOf(await application(handler)));
  closers.push(() => pair.close());
  return pair;
}

const agent = new Agent({ keepAlive: true, maxSockets: 2_000 });

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly flag: string | undefined;
}

async function ask(port: number, path = '/', options: RequestOptions & { body?: string } = {}): Promise<Answer> {
  const { body, ...rest } = options;
  const outgoing = request({ host: '127.0.0.1', port, path, agent, ...rest });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const flag = response.headers['x-mesh-error'];
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString(), flag: flag as string | undefined };
}

const block = Buffer.alloc(65_536, 'meshdesk');
const hashOf = (blocks: number) => {
  const hash = createHash('sha256');
  for (let n = 0; n < blocks; n += 1) hash.update(block);
  return hash.digest('hex');
};

async function pour(to: NodeJS.WritableStream, blocks: number): Promise<void> {
  for (let n = 0; n < blocks; n += 1) if (!to.write(block)) await once(to, 'drain');
  to.end();
}

describe('two sidecars', () => {
  it('answer 500 requests at a time over one connection', async () => {
    const waiting: (() => void)[] = [];
    const pair = await startPair((incoming, response) => waiting.push(() => response.end(`hello ${incoming.url}`)));
    const answers = Array.from({ length: 500 }, (_, n) => ask(pair.outboundPort, `/${n}`));
    await eventually('all requests at the application', () => waiting.length === 500);
    for (const go of waiting) go();
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(
      Array.from({ length: 500 }, (_, n) => `hello /${n}`),
    );
    await eventually('the report', () => pair.meshConnections > 0);
    expect(pair.meshConnections).toBe(1);
  });

  it('open another connection for more requests than one takes', async () => {
    const waiting: (() => void)[] = [];
    const pair = await startPair((_, response) => waiting.push(() => response.end('late')));
    const answers = Array.from({ length: 1_100 }, () => ask(pair.outboundPort));
    await eventually('all requests at the application', () => waiting.length === 1_100);
    for (const go of waiting) go();
    expect(new Set((await Promise.all(answers)).map(({ body }) => body))).toEqual(new Set(['late']));
    await eventually('the report', () => pair.meshConnections > 1);
    expect(pair.meshConnections).toBe(2);
  });

  it('carry 64 MB both ways unchanged while small requests pass by', async () => {
    const pair = await startPair((incoming, response) => {
      if (incoming.url === '/small') {
        response.end('small');
        return;
      }
      const hash = createHash('sha256');
      incoming.on('data', (bytes: Buffer) => hash.update(bytes));
      response.writeHead(200, { trailer: 'x-hash' });
      void (async () => {
        for (let n = 0; n < 1_024; n += 1) if (!response.write(block)) await once(response, 'drain');
        if (!incoming.readableEnded) await once(incoming, 'end');
        response.addTrailers({ 'x-hash': hash.digest('hex') });
        response.end();
      })();
    });
    const outgoing = request({ host: '127.0.0.1', port: pair.outboundPort, method: 'POST', agent });
    const sent = pour(outgoing, 1_024);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const hash = createHash('sha256');
    let received = 0;
    response.on('data', (bytes: Buffer) => {
      hash.update(bytes);
      received += bytes.length;
    });
    await eventually('the transfer to be under way', () => received > 1_000_000);
    for (let n = 0; n < 10; n += 1) expect((await ask(pair.outboundPort, '/small')).body).toBe('small');
    await Promise.all([sent, finished(response)]);
    expect(received).toBe(64 * 1024 * 1024);
    expect(hash.digest('hex')).toBe(hashOf(1_024));
    expect(response.trailers['x-hash']).toBe(hashOf(1_024));
  });

  it('do not let a client that reads nothing stop others', async () => {
    const pair = await startPair((incoming, response) => {
      if (incoming.url === '/large') void pour(response, 200);
      else response.end('small');
    });
    const stuck = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = connect(pair.outboundPort, '127.0.0.1');
        closers.push(() => socket.destroy());
        socket.write('GET /large HTTP/1.1\r\nhost: orders\r\n\r\n');
        await once(socket, 'readable');
        return socket;
      }),
    );
    for (let n = 0; n < 20; n += 1) expect((await ask(pair.outboundPort, '/small')).body).toBe('small');
    const [first] = stuck;
    let bytes = 0;
    first?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await eventually('the rest of a large body', () => bytes > 200 * 65_536);
  });

  it('give each client the right error when the other sidecar dies', async () => {
    const pair = await startPair((incoming, response) => {
      if (incoming.url === '/half') {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half');
      }
    });
    const silent = Array.from({ length: 5 }, () => ask(pair.outboundPort, '/silent', { method: 'POST', body: 'x' }));
    const halves = Array.from({ length: 5 }, () => {
      const outgoing = request({ host: '127.0.0.1', port: pair.outboundPort, path: '/half', agent });
      outgoing.end();
      return outgoing;
    });
    const responses = (await Promise.all(halves.map((half) => once(half, 'response')))) as [IncomingMessage][];
    const ends = responses.map(([response]) => {
      response.resume();
      return finished(response).then(
        () => 'whole',
        () => 'broken',
      );
    });
    await pair.orders.close();
    expect((await Promise.all(silent)).map(({ status, flag }) => [status, flag])).toEqual(Array(5).fill([503, 'UC']));
    expect(await Promise.all(ends)).toEqual(Array(5).fill('broken'));
  });

  it('lose no request while certificates rotate under load, on either side', async () => {
    const pair = await startPair((incoming, response) => {
      incoming.resume();
      incoming.on('end', () => response.end(`hello ${incoming.url}`));
    });
    const results = new Map<string, number>();
    let running = true;
    const client = async (method: string) => {
      let n = 0;
      while (running) {
        n += 1;
        const key = await ask(pair.outboundPort, `/${n}`, {
          method,
          ...(method === 'POST' ? { body: 'x'.repeat(5_000) } : {}),
        })
          .then(({ status, flag, body }) => (body === `hello /${n}` ? 'well' : `${status} ${flag} ${body}`))
          .catch((error: Error) => error.message);
        results.set(key, (results.get(key) ?? 0) + 1);
      }
    };
    const clients = Array.from({ length: 16 }, (_, n) => client(n % 2 === 0 ? 'GET' : 'POST'));
    for (let n = 0; n < 6; n += 1) {
      await pair.rotate(n % 2 === 0 ? 'web' : 'orders');
      const before = results.get('well') ?? 0;
      await eventually('more requests', () => (results.get('well') ?? 0) > before + 100);
    }
    running = false;
    await Promise.all(clients);
    expect([...results.keys()]).toEqual(['well']);
    await eventually('new connections', () => pair.meshConnections >= 4);
  });

  it('pass WebSockets through, with their bytes and their end', async () => {
    const server = await application((_, response) => response.end('no'));
    server.on('upgrade', (incoming, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${incoming.headers.upgrade}\r\n\r\nwelcome`,
      );
      socket.pipe(socket);
    });
    const pair = await SidecarPair.start(portOf(server));
    closers.push(() => pair.close());
    const outgoing = request({
      host: '127.0.0.1',
      port: pair.outboundPort,
      path: '/chat',
      headers: { connection: 'upgrade', upgrade: 'websocket' },
    });
    outgoing.end();
    const [response, socket, head] = await once(outgoing, 'upgrade');
    expect(response.statusCode).toBe(101);
    let received = head.toString();
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
    });
    const text = 'abcdefgh'.repeat(50_000);
    socket.write(text);
    await eventually('the echo', () => received.length === text.length + 7);
    expect(received === `welcome${text}`).toBe(true);
    socket.end();
    await once(socket, 'close');
    expect((await ask(pair.outboundPort)).body).toBe('no');
  });

  it('tell the application when its client goes away', async () => {
    let gone = 0;
    let arrived = 0;
    const pair = await startPair((_, response) => {
      arrived += 1;
      response.on('close', () => {
        gone += 1;
      });
    });
    const outgoing = request({ host: '127.0.0.1', port: pair.outboundPort });
    outgoing.on('error', () => undefined);
    outgoing.end();
    await eventually('the request', () => arrived === 1);
    // Its FIN alone would mean that it waits for the answer.
    outgoing.socket?.resetAndDestroy();
    await eventually('the news', () => gone === 1);
  });
});

describe('a sidecar and one of the version before', () => {
  it('speak HTTP/1.1 when the server is the older one', async () => {
    const ca = await TestCa.create();
    const server = await application((incoming, response) => response.end(`old ${incoming.url}`));
    const older = await MeshServer.start(await identityOf(ca, 'orders'), { protocols: ['http', 'tcp'] });
    older.onAccept = ({ socket }) => server.emit('connection', socket);
    closers.push(() => older.close());
    const pair = await SidecarPair.start(portOf(server), { meshPort: older.port, ca });
    closers.push(() => pair.close());
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => ask(pair.outboundPort, `/${n}`)));
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 8 }, (_, n) => `old /${n}`));
    expect(new Set(older.accepted.map(({ protocol }) => protocol))).toEqual(new Set(['http']));
  });

  it('speak HTTP/1.1 when the client is the older one', async () => {
    const pair = await startPair((incoming, response) => response.end(`new ${incoming.url}`));
    const connector = createUpstreamConnector(await identityOf(pair.ca, 'web'), 5_000);
    const tls = { alpn: meshAlpn.http, spiffeId: spiffeIdOfName('orders'), serverName: 'orders.shop' };
    const socket = await connector.connect({ host: '127.0.0.1', port: pair.inboundPort, tls });
    closers.push(() => socket.destroy());
    const outgoing = request({ createConnection: () => socket, path: '/7', headers: { host: 'orders' } });
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('new /7');
  });
});
