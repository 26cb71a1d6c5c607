/** Faults of connections on edges whose protocol is HTTP: what a request meets, and which connections it uses. */
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { connect, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { connect as connectTcp, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SidecarPair } from '../../support/sidecar-pair.ts';
import { emptyConfig, serviceOf } from '../../support/test-sidecar.ts';
import { ToxicEdge, tcpFault } from '../../support/toxic-edge.ts';

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

async function shopOf(server: Server): Promise<ToxicEdge> {
  const shop = await ToxicEdge.start(server, { protocol: 'http' });
  closers.push(() => shop.close());
  return shop;
}

const helloServer = () => createServer((_request, response) => response.end('hello'));

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly ms: number;
  readonly error: string | null;
}

function ask(port: number, path = '/'): Promise<Answer> {
  const beganMs = performance.now();
  return new Promise((resolve) => {
    const outcome = (answer: Omit<Answer, 'ms'>) => resolve({ ...answer, ms: performance.now() - beganMs });
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (response: IncomingMessage) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('error', (error) => outcome({ status: response.statusCode ?? 0, body, error: error.message }));
      response.on('end', () => outcome({ status: response.statusCode ?? 0, body, error: null }));
    });
    asked.on('error', (error) => outcome({ status: 0, body: '', error: error.message }));
    asked.end();
  });
}

describe('a fault of connections on an HTTP edge', () => {
  it('delays answers on connections of its own, and none when it is switched off', async () => {
    const shop = await shopOf(helloServer());
    expect((await ask(shop.port)).status).toBe(200);
    expect(shop.accepted).toHaveLength(1);
    await shop.inject(tcpFault({ kind: 'tcp-latency', stream: 'downstream', latencyMs: 400, jitterMs: 0 }));
    const late = await ask(shop.port);
    expect([late.status, late.body, shop.accepted.length]).toEqual([200, 'hello', 2]);
    expect(late.ms).toBeGreaterThanOrEqual(399);
    await shop.inject();
    const after = await ask(shop.port);
    // The connection of before is used again.
    expect([after.status, after.body, shop.accepted.length]).toEqual([200, 'hello', 2]);
  });

  it('shows the bytes of a large answer, cut and delayed, complete', async () => {
    const body = 'abcdefghij'.repeat(60_000);
    const shop = await shopOf(createServer((_request, response) => response.end(body)));
    await shop.inject(
      tcpFault({ kind: 'tcp-slicer', stream: 'downstream', averageBytes: 9_000, variationBytes: 400, delayMs: 0 }),
      tcpFault({ kind: 'tcp-latency', stream: 'downstream', latencyMs: 15, jitterMs: 10 }),
      tcpFault({ kind: 'tcp-latency', stream: 'upstream', latencyMs: 15, jitterMs: 10 }, { id: 'upstream' }),
    );
    const answer = await ask(shop.port);
    expect([answer.status, answer.body === body, answer.error]).toEqual([200, true, null]);
  });

  it('answers 503 when connections are refused, and does not try the server', async () => {
    const shop = await shopOf(helloServer());
    await shop.inject(tcpFault({ kind: 'tcp-refuse' }));
    const answer = await ask(shop.port);
    expect([answer.status, shop.accepted.length]).toEqual([503, 0]);
    await shop.inject();
    expect((await ask(shop.port)).status).toBe(200);
  });

  it('answers 503 when the connection is reset before the answer', async () => {
    const shop = await shopOf(helloServer());
    await shop.inject(tcpFault({ kind: 'tcp-reset', stream: 'downstream', afterMs: 0 }));
    expect((await ask(shop.port)).status).toBe(503);
  });

  it('cuts an answer off after the bytes of its limit: the client sees an error, not a short body', async () => {
    const shop = await shopOf(createServer((_request, response) => response.end('x'.repeat(100_000))));
    await shop.inject(tcpFault({ kind: 'tcp-limit-data', stream: 'downstream', bytes: 40_000 }));
    const answer = await ask(shop.port);
    expect([answer.status, answer.error === null]).toEqual([200, false]);
    expect(answer.body.length).toBeLessThan(40_000);
  });

  it('draws for each connection: at 50 % some requests fail and others do not', async () => {
    const shop = await shopOf(
      createServer({ keepAliveTimeout: 1 }, (_request, response) => {
        response.setHeader('connection', 'close');
        response.end('hello');
      }),
    );
    await shop.inject(tcpFault({ kind: 'tcp-reset', stream: 'downstream', afterMs: 0 }, { percent: 50, seed: 5 }));
    const statuses: number[] = [];
    for (let index = 0; index < 30; index += 1) statuses.push((await ask(shop.port)).status);
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
  });
});

describe('between sidecars', () => {
  async function startPair(applicationPort: number) {
    const pair = await SidecarPair.start(applicationPort);
    closers.push(() => pair.close());
    const push = async (revision: number, ...injections: ReturnType<typeof tcpFault>[]) => {
      const port = 8_080;
      const outbound = [{ listen: { host: '127.0.0.1', port: pair.outboundPort }, service: 'orders.shop', port }];
      const answer = await pair.web.control.push(
        emptyConfig('web', revision, {
          listeners: { kind: 'explicit', inbound: [], outbound, httpProxy: null },
          services: [serviceOf('orders', port, [{ mesh: true, ports: [{ port, targetPort: pair.inboundPort }] }])],
          injections: injections.map((injection) => ({ ...injection, service: 'orders.shop' })),
        }),
      );
      expect(answer.type).toBe('ack');
    };
    return { pair, push };
  }

  const listening = async (server: { listen(port: number, host: string, done: () => void): unknown }) => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    return ((server as Server).address() as { port: number }).port;
  };

  it('takes requests of HTTP/1.1 out of the shared connection, and puts them back', async () => {
    const server = helloServer();
    closers.push(() => server.close());
    const { pair, push } = await startPair(await listening(server));
    await push(2, tcpFault({ kind: 'tcp-latency', stream: 'downstream', latencyMs: 300, jitterMs: 0 }));
    const answers = await Promise.all([ask(pair.outboundPort), ask(pair.outboundPort), ask(pair.outboundPort)]);
    for (const { status, ms } of answers) {
      expect(status).toBe(200);
      expect(ms).toBeGreaterThanOrEqual(299);
    }
    await push(3);
    expect((await ask(pair.outboundPort)).body).toBe('hello');
  });

  it('resets connections of mutual TLS', async () => {
    const server = helloServer();
    closers.push(() => server.close());
    const { pair, push } = await startPair(await listening(server));
    await push(2, tcpFault({ kind: 'tcp-reset', stream: 'downstream', afterMs: 0 }));
    expect((await ask(pair.outboundPort)).status).toBe(503);
    await push(3);
    expect((await ask(pair.outboundPort)).status).toBe(200);
  });

  it('acts on connections that are not HTTP, with their ends', async () => {
    const server = createTcpServer((socket) => socket.on('error', () => undefined).end('hello from the server'));
    closers.push(() => server.close());
    const { pair, push } = await startPair(await listening(server));
    await push(2, tcpFault({ kind: 'tcp-limit-data', stream: 'downstream', bytes: 5 }));
    const client = connectTcp({ host: '127.0.0.1', port: pair.outboundPort });
    client.on('error', () => undefined);
    let text = '';
    for await (const chunk of client.setEncoding('utf8')) text += chunk;
    expect(text).toBe('hello');
  });

  it('acts on HTTP/2 as well', async () => {
    const server = createHttp2Server();
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 });
      stream.end('hello');
    });
    closers.push(() => server.close());
    const { pair, push } = await startPair(await listening(server));
    await push(2, tcpFault({ kind: 'tcp-latency', stream: 'downstream', latencyMs: 300, jitterMs: 0 }));
    const session = connect(`http://127.0.0.1:${pair.outboundPort}`);
    closers.push(() => session.destroy());
    const beganMs = performance.now();
    const stream = session.request({ ':path': '/' });
    let body = '';
    for await (const chunk of stream.setEncoding('utf8')) body += chunk;
    expect(body).toBe('hello');
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(299);
  });
});
