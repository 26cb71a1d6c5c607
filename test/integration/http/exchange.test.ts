/** One request and its answer, byte for byte, over real sockets. */
import { describe, expect, test } from 'vitest';
import { useProxy } from './fixture.ts';
import { until } from './harness.ts';

const id = 'X-Request-Id: 1\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const simple = `GET / HTTP/1.1\r\nHost: orders\r\n${id}\r\n`;
const headEnd = (text: string) => text.includes('\r\n\r\n');

describe('heads', () => {
  const setUp = useProxy();

  test('sends the request on as it is, and the response back as it is', async () => {
    const { upstream, client, proxy } = await setUp();
    const sent = `GET /a?b=1 HTTP/1.1\r\nHost: orders\r\n${id}X-Odd:  two  spaces \r\n\r\n`;
    client.send(sent);
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(sent);
    server.send(ok);
    expect(await client.until((text) => text.endsWith('ok'))).toBe(ok);
    await until(() => proxy.telemetry.requests.length === 1, 'the record');
    const [record] = proxy.telemetry.requests;
    expect(record).toMatchObject({ status: 200, flags: '', key: { peerWorkload: 'orders-1', port: 80, mtls: false } });
    expect(proxy.telemetry.samples[0]).toMatchObject({ service: 'orders.shop', method: 'GET', path: '/a?b=1' });
    expect(proxy.telemetry.bytes).toEqual({ sent: sent.length, received: ok.length });
  });

  test('adds a request id on outbound requests that have none, and nothing else', async () => {
    const { upstream, client } = await setUp();
    client.send('GET / HTTP/1.1\r\nHost: orders\r\nX: 1\r\n\r\n');
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toMatch(
      /^GET \/ HTTP\/1\.1\r\nx-request-id: [0-9a-f-]{36}\r\nHost: orders\r\nX: 1\r\n\r\n$/,
    );
  });

  test('leaves inbound requests without a request id', async () => {
    const { upstream, client } = await setUp({ inbound: true });
    client.send('GET / HTTP/1.1\r\nHost: whatever\r\n\r\n');
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe('GET / HTTP/1.1\r\nHost: whatever\r\n\r\n');
  });

  test('removes hop-by-hop headers in both directions', async () => {
    const { upstream, client } = await setUp();
    const hop =
      'Connection: keep-alive, X-Foo\r\nX-Foo: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip, trailers\r\n';
    client.send(`GET / HTTP/1.1\r\n${hop}Host: orders\r\n${id}\r\n`);
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(`GET / HTTP/1.1\r\nte: trailers\r\nHost: orders\r\n${id}\r\n`);
    server.send(
      'HTTP/1.1 200 OK\r\nX-Hop: 1\r\nConnection: x-hop\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\nX: y\r\n\r\n',
    );
    expect(await client.until(headEnd)).toBe('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: y\r\n\r\n');
  });

  test('turns an absolute-form target of a service into origin-form with its Host', async () => {
    const { upstream, client } = await setUp();
    client.send(`GET http://orders:80/a?b HTTP/1.1\r\nHost: other\r\n${id}\r\n`);
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(`GET /a?b HTTP/1.1\r\nhost: orders:80\r\n${id}\r\n`);
  });

  test('skips empty lines before a request', async () => {
    const { upstream, client } = await setUp();
    client.send(`\r\n\r\n${simple}`);
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(simple);
  });

  test('reads heads that arrive byte by byte, from both sides', async () => {
    const { upstream, client } = await setUp();
    for (const octet of `\r\n${simple}`) {
      client.send(octet);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(simple);
    for (const octet of ok) server.send(octet);
    expect(await client.until((text) => text.endsWith('ok'))).toBe(ok);
  });
});

describe('framing', () => {
  const setUp = useProxy();

  test('passes a chunked request on with its trailers and without chunk extensions', async () => {
    const { upstream, client } = await setUp();
    const head = `POST / HTTP/1.1\r\nHost: orders\r\n${id}Transfer-Encoding: chunked\r\n\r\n`;
    client.send(`${head}3;ext=1\r\nabc\r\n`);
    client.send('2\r\nde\r\n0\r\nX-T: v\r\n\r\n');
    const server = await upstream.connection(0);
    expect(await server.until((text) => text.endsWith('v\r\n\r\n'))).toBe(
      `${head}3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: v\r\n\r\n`,
    );
  });

  test('passes a chunked response on with its trailers and keeps both connections', async () => {
    const { upstream, client } = await setUp();
    const answer =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: v\r\n\r\n';
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(answer);
    expect(await client.until((text) => text.endsWith('v\r\n\r\n'))).toBe(answer);
    client.send(simple);
    await server.until((text) => text === simple + simple);
    expect(upstream.connections).toHaveLength(1);
  });

  test('answers broken chunks with 400 and ends both connections', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(`POST / HTTP/1.1\r\nHost: orders\r\n${id}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    const server = await upstream.connection(0);
    await server.until((text) => text.endsWith('abc\r\n'));
    client.send('0x1\r\n');
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    await until(() => server.closed || server.ended, 'the end of the upstream connection');
    expect(proxy.telemetry.requests[0]).toMatchObject({ status: 400, flags: 'DPE' });
  });

  for (const [name, method, answer] of [
    ['HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n'],
    ['HEAD of a chunked resource', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n'],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ] as const) {
    test(`knows that ${name} has no body and goes on with the connection`, async () => {
      const { upstream, client } = await setUp();
      client.send(`${method} / HTTP/1.1\r\nHost: orders\r\n${id}\r\n${simple}`);
      const server = await upstream.connection(0);
      await server.until(headEnd);
      server.send(answer);
      await server.until((text) => text.split('HTTP/1.1').length === 3);
      server.send(ok);
      expect(await client.until((text) => text.endsWith('ok'))).toBe(answer + ok);
      expect(upstream.connections).toHaveLength(1);
    });
  }

  test('takes the framing off a 204', async () => {
    const { upstream, client } = await setUp();
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send('HTTP/1.1 204 No Content\r\nContent-Length: 2\r\nX: 1\r\n\r\n');
    expect(await client.until(headEnd)).toBe('HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n');
  });

  test('sends a body that ends with the connection as chunks, so that its end can be told from a loss', async () => {
    const { upstream, client } = await setUp();
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send('HTTP/1.1 200 OK\r\nX: 1\r\n\r\nhello');
    await client.until((text) => text.endsWith('hello\r\n'));
    server.socket.end(' world');
    const answer =
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nX: 1\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';
    expect(await client.until((text) => text.endsWith('0\r\n\r\n'))).toBe(answer);
    client.send(simple);
    await (await upstream.connection(1)).until(headEnd);
  });

  test('forwards interim answers and goes on', async () => {
    const { upstream, client } = await setUp();
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    server.send(early);
    await client.until(headEnd);
    server.send(ok);
    expect(await client.until((text) => text.endsWith('ok'))).toBe(early + ok);
  });

  test('lets a client wait for 100 Continue', async () => {
    const { upstream, client } = await setUp();
    const head = `POST / HTTP/1.1\r\nHost: orders\r\n${id}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`;
    client.send(head);
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(head);
    server.send('HTTP/1.1 100 Continue\r\n\r\n');
    expect(await client.until(headEnd)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('abc');
    await server.until((text) => text.endsWith('abc'));
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
  });

  for (const [name, answer] of [
    ['two kinds of framing', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['no HTTP', '+PONG\r\n+PONG\r\n'],
    ['a 101 that nobody asked for', 'HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n'],
  ] as const) {
    test(`answers 502 when the upstream sends ${name}`, async () => {
      const { upstream, client, proxy } = await setUp();
      client.send(simple);
      const server = await upstream.connection(0);
      await server.until(headEnd);
      server.send(answer);
      expect(await client.until((text) => text.includes('response\n'))).toMatch(
        /^HTTP\/1\.1 502 Bad Gateway\r\nserver: meshdesk\r\nx-mesh-error: UPE\r\n/,
      );
      await until(() => server.ended || server.closed, 'the end of the upstream connection');
      expect(proxy.telemetry.requests[0]).toMatchObject({ status: 502, flags: 'UPE' });
    });
  }
});

describe('HTTP/1.0 clients', () => {
  const setUp = useProxy();

  test('are served in HTTP/1.1 upstream and their connection is closed', async () => {
    const { upstream, client } = await setUp();
    client.send(`GET / HTTP/1.0\r\nHost: orders\r\n${id}\r\n`);
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(simple);
    server.send(ok);
    expect(await client.end()).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\nContent-Length: 2\r\n\r\nok');
  });

  test('keep their connection when they ask for it', async () => {
    const { upstream, client } = await setUp();
    client.send(`GET / HTTP/1.0\r\nHost: orders\r\n${id}Connection: keep-alive\r\n\r\n`);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(ok);
    expect(await client.until((text) => text.endsWith('ok'))).toContain('connection: keep-alive\r\n');
    client.send(simple);
    await server.until((text) => text.endsWith(simple));
  });

  test('get a chunked answer as plain bytes, and no interim answers', async () => {
    const { upstream, client } = await setUp();
    client.send(`GET / HTTP/1.0\r\nHost: orders\r\n${id}\r\n`);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send('HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await client.until((text) => text.endsWith('abc'));
    server.send('2\r\nde\r\n0\r\n\r\n');
    expect(await client.end()).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde');
  });

  test('need no Host: the address that was dialled takes its place', async () => {
    const { upstream, client } = await setUp({ originalToUpstream: true });
    client.send(`GET / HTTP/1.0\r\n${id}\r\n`);
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${upstream.port}\r\n${id}\r\n`);
  });
});

describe('refusals', () => {
  const setUp = useProxy();
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: orders\r\n\r\n';

  for (const [name, status, text] of [
    [
      'CL and TE',
      400,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 400, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde'],
    ['bare line feeds', 400, 'GET / HTTP/1.1\nHost: a\n\n'],
    ['no Host', 400, 'GET / HTTP/1.1\r\n\r\n'],
    ['a bad port', 400, 'GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n'],
    ['a relative target', 400, 'GET a/b HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an asterisk with GET', 400, 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a large head', 431, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`],
  ] as const) {
    test(`${name}: answers ${status}, ends the connection and reads nothing behind it`, async () => {
      const { upstream, client, proxy } = await setUp();
      client.send(text + smuggled);
      const answer = await client.end();
      expect(answer.startsWith(`HTTP/1.1 ${status} `)).toBe(true);
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(upstream.connections).toHaveLength(0);
      await until(() => client.closed || client.ended, 'the end');
      expect(proxy.telemetry.requests).toMatchObject([{ status, flags: 'DPE' }]);
    });
  }
});
