import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { Http2Relay } from '../../support/http2-relay.ts';

let closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

/** A client of node:http2, our two carriers, a server of node:http2. */
async function start(serve: (server: Http2Server) => void): Promise<ClientHttp2Session> {
  const server = createServer({ settings: { maxConcurrentStreams: 50 } });
  server.on('session', (session) => session.on('error', () => undefined));
  serve(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { relay, port } = await Http2Relay.start((server.address() as AddressInfo).port);
  const client = connect(`http://127.0.0.1:${port}`);
  client.on('error', () => undefined);
  closers.push(
    () => server.close(),
    () => relay.close(),
    () => client.destroy(),
  );
  return client;
}

interface Answer {
  readonly headers: IncomingHttpHeaders & { ':status'?: number };
  readonly body: string;
  readonly trailers: IncomingHttpHeaders;
}

async function ask(client: ClientHttp2Session, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  const stream = client.request(headers, { endStream: body === undefined });
  let trailers: IncomingHttpHeaders = {};
  stream.on('trailers', (received) => {
    trailers = received;
  });
  if (body !== undefined) stream.end(body);
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  const [received] = await once(stream, 'response');
  if (!stream.readableEnded) await once(stream, 'end');
  return { headers: received, body: Buffer.concat(parts).toString(), trailers };
}

describe('with node:http2 at both ends', () => {
  it('carries requests whose fields repeat, change and are coded in every way', async () => {
    const client = await start((server) => {
      server.on('stream', (stream, headers) => {
        stream.respond({ ':status': 200, 'x-echo': String(headers['x-value']), 'x-path': String(headers[':path']) });
        stream.end('ok');
      });
    });
    for (let index = 0; index < 300; index += 1) {
      const value = index % 3 === 0 ? 'same every time' : `value ${index} ${'y'.repeat(index * 5)}`;
      const { headers, body } = await ask(client, {
        ':path': `/items/${index % 7}?q=${index}`,
        'x-value': value,
        cookie: `a=${index}; b=2`,
      });
      expect([headers['x-echo'], headers['x-path'], body]).toEqual([value, `/items/${index % 7}?q=${index}`, 'ok']);
    }
  });

  it('carries uploads, interim responses and trailers', async () => {
    const client = await start((server) => {
      server.on('stream', (stream) => {
        let octets = 0;
        stream.additionalHeaders({ ':status': 103, link: '</style.css>' });
        stream.on('data', (part: Buffer) => {
          octets += part.length;
        });
        stream.on('end', () => {
          stream.respond({ ':status': 201 }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': String(octets) }));
          stream.end(String(octets));
        });
      });
    });
    const { headers, body, trailers } = await ask(client, { ':method': 'POST', ':path': '/' }, Buffer.alloc(3_000_000));
    expect([headers[':status'], body, trailers['x-sum']]).toEqual([201, '3000000', '3000000']);
  });

  it('answers HEAD and 304 without content and with the length that GET would have', async () => {
    const client = await start((server) => {
      server.on('stream', (stream, headers) => {
        stream.respond(
          { ':status': headers[':path'] === '/304' ? 304 : 200, 'content-length': '10' },
          { endStream: true },
        );
      });
    });
    for (const [method, path, status] of [
      ['HEAD', '/', 200],
      ['GET', '/304', 304],
    ] as const) {
      const { headers, body } = await ask(client, { ':method': method, ':path': path });
      expect([headers[':status'], headers['content-length'], body]).toEqual([status, '10', '']);
    }
  });

  it('keeps requests at a time apart', async () => {
    const client = await start((server) => {
      server.on('stream', (stream, headers) => {
        stream.respond({ ':status': 200 });
        stream.end(String(headers[':path']).repeat(2_000));
      });
    });
    const paths = Array.from({ length: 40 }, (_, index) => `/${index}`);
    const answers = await Promise.all(paths.map((path) => ask(client, { ':path': path })));
    expect(answers.map(({ body }) => body)).toEqual(paths.map((path) => path.repeat(2_000)));
  });

  it('passes a reset on from either end', async () => {
    const codes: (number | undefined)[] = [];
    const paths: (string | undefined)[] = [];
    const client = await start((server) => {
      server.on('stream', (stream, headers) => {
        stream.on('error', () => undefined);
        stream.on('close', () => codes.push(stream.rstCode));
        paths.push(headers[':path']);
        if (headers[':path'] === '/server') stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      });
    });
    const refused = client.request({ ':path': '/server' });
    refused.on('error', () => undefined);
    await new Promise((resolve) => refused.once('close', resolve));
    expect(refused.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    const given = client.request({ ':path': '/client' });
    given.on('error', () => undefined);
    await eventually('the request has arrived', () => paths.includes('/client'));
    given.close(constants.NGHTTP2_CANCEL);
    await eventually('the server knows', () => codes.length === 2);
    expect(codes).toEqual([constants.NGHTTP2_ENHANCE_YOUR_CALM, constants.NGHTTP2_CANCEL]);
  });

  it('answers PING and takes SETTINGS at any time', async () => {
    const client = await start((server) => {
      server.on('stream', (stream) => stream.respond({ ':status': 204 }, { endStream: true }));
    });
    await once(client, 'connect');
    const payload = await new Promise<string>((resolve, reject) => {
      client.ping(Buffer.from('12345678'), (error, _duration, answer) =>
        error ? reject(error) : resolve(answer.toString()),
      );
    });
    expect(payload).toBe('12345678');
    await new Promise<void>((resolve) =>
      client.settings({ headerTableSize: 0, initialWindowSize: 100 }, () => resolve()),
    );
    expect((await ask(client, { ':path': '/' })).headers[':status']).toBe(204);
  });
});
