/** What becomes plain bytes in the middle of a connection of HTTP/1.1: upgrades and CONNECT. */
import { describe, expect, test } from 'vitest';
import { type FixtureOptions, useProxy } from './fixture.ts';
import { until } from './harness.ts';

const id = 'X-Request-Id: 1\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const request = (method = 'GET', path = '/') => `${method} ${path} HTTP/1.1\r\nHost: orders\r\n${id}\r\n`;
const headEnd = (text: string) => text.includes('\r\n\r\n');
const heads = (count: number) => (text: string) => text.split('HTTP/1.1').length > count;

describe('upgrade', () => {
  const setUp = useProxy();
  const upgrade = `GET /ws HTTP/1.1\r\nHost: orders\r\n${id}Connection: Upgrade\r\nUpgrade: foo\r\n\r\n`;
  const switched = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n';

  test('joins both sides after 101, with the bytes that came early, and passes half-closes on', async () => {
    const { upstream, client, proxy } = await setUp();
    client.send(`${upgrade}EARLY`);
    const server = await upstream.connection(0);
    expect(await server.until(headEnd)).toBe(
      `GET /ws HTTP/1.1\r\nconnection: upgrade\r\nHost: orders\r\n${id}Upgrade: foo\r\n\r\n`,
    );
    server.send(`${switched}hello`);
    const text = await client.until((received) => received.endsWith('hello'));
    expect(text).toBe('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nUpgrade: foo\r\n\r\nhello');
    await server.until((received) => received.endsWith('EARLY'));
    client.socket.end('PING');
    await server.end();
    expect(server.received.endsWith('EARLYPING')).toBe(true);
    server.socket.end('BYE');
    expect((await client.end()).endsWith('helloBYE')).toBe(true);
    expect(proxy.telemetry.requests).toMatchObject([{ status: 101, flags: '' }]);
    await until(() => proxy.handler.active === 0, 'no connection');
    await until(() => proxy.telemetry.connections.closed === 1, 'no upstream connection');
  });

  test('an abrupt end of one side ends the other', async () => {
    const { upstream, client } = await setUp();
    client.send(upgrade);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(switched);
    await client.until(headEnd);
    client.socket.resetAndDestroy();
    await until(() => server.closed || server.ended, 'the end of the upstream connection');
  });

  test('goes on in HTTP when the server does not switch', async () => {
    const { upstream, client } = await setUp();
    client.send(upgrade);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send(ok);
    await client.until((text) => text.endsWith('ok'));
    client.send(request());
    await server.until(heads(2));
  });
});

describe('CONNECT', () => {
  const setUp = useProxy();
  const connectRequest = 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n';

  test('to a proxy beyond the mesh goes on as plain bytes', async () => {
    const { upstream, client } = await setUp({ originalToUpstream: true });
    client.send(`${connectRequest}EARLY`);
    const server = await upstream.connection(0);
    expect(await server.until((text) => text.endsWith('EARLY'))).toBe(`${connectRequest}EARLY`);
    server.send('HTTP/1.1 200 OK\r\n\r\n');
    await client.until(headEnd);
    client.socket.end('\x16tls');
    await server.end();
    server.socket.end('\x16bye');
    expect(await client.end()).toBe('HTTP/1.1 200 OK\r\n\r\n\x16bye');
  });

  test('is refused with 405 where no address was dialled', async () => {
    const options: FixtureOptions = { proxy: { context: { originalDestination: null, forwardProxy: true } } };
    const { client } = await setUp(options);
    client.send(connectRequest);
    expect(await client.end()).toMatch(/^HTTP\/1\.1 405 [\s\S]*\r\nallow: GET/);
  });
});
