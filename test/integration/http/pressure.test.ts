/** What becomes of clients of HTTP/1.1 when more waits for slow ones than there is memory for. */
import { afterEach, describe, expect, test } from 'vitest';
import { heldBytes, holdBytes } from '../../../core/data-plane/wire/held-bytes.ts';
import { useProxy } from './fixture.ts';
import { until } from './harness.ts';

const simple = 'GET / HTTP/1.1\r\nHost: orders\r\nX-Request-Id: 1\r\n\r\n';
const headEnd = (text: string) => text.includes('\r\n\r\n');
const mebibyte = 1024 * 1024;
const answerBytes = 32 * mebibyte;

let others = 0;

/** As if so much waited on other connections. */
function pretend(bytes: number): void {
  others += bytes;
  holdBytes(bytes);
}

afterEach(() => {
  pretend(-others);
});

describe('a client that is slow', () => {
  const setUp = useProxy();

  /** A client that reads nothing of an answer that does not fit into what the kernel keeps. */
  async function startSlowReader() {
    const fixture = await setUp();
    fixture.client.socket.pause();
    fixture.client.send(simple);
    const server = await fixture.upstream.connection(0);
    await server.until(headEnd);
    server.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${answerBytes}\r\n\r\n`);
    server.socket.write(Buffer.alloc(answerBytes, 'x'));
    return { ...fixture, server };
  }

  /** Until nothing more is taken. */
  async function standstill(read: () => number): Promise<number> {
    let last = -1;
    let same = 0;
    await until(() => {
      const now = read();
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= 40;
    }, 'the flow to stand');
    return last;
  }

  test('less waits for one that is slow when much waits for others, and nothing when it has gone', async () => {
    const before = heldBytes();
    const calm = await startSlowReader();
    const alone = (await standstill(heldBytes)) - before;
    expect(alone).toBeGreaterThan(64 * 1024);
    expect(alone).toBeLessThan(512 * 1024);
    calm.client.socket.destroy();
    await until(() => heldBytes() === before, 'what waited to be forgotten');

    pretend(40 * mebibyte);
    const pressed = await startSlowReader();
    const among = (await standstill(heldBytes)) - before - 40 * mebibyte;
    expect(among).toBeLessThanOrEqual(128 * 1024);
    pressed.client.socket.destroy();
    await until(() => heldBytes() === before + 40 * mebibyte, 'what waited to be forgotten');
  });

  test('one that is slow is broken off when far too much waits', async () => {
    pretend(200 * mebibyte);
    const { client, server, proxy } = await startSlowReader();
    await until(() => server.closed, 'the end of the upstream connection');
    client.socket.resume();
    await client.end();
    expect(client.received.length).toBeLessThan(answerBytes);
    expect(proxy.telemetry.requests).toMatchObject([{ status: 200, flags: 'DC' }]);
  });

  test('a head that is not whole waits no more when far too much waits: 503 OM', async () => {
    const { client, proxy } = await setUp();
    pretend(200 * mebibyte);
    client.send('GET / HTTP/1.1\r\nHost: ord');
    expect(await client.end()).toMatch(/^HTTP\/1\.1 503 [\s\S]*x-mesh-error: OM\r\n/);
    expect(proxy.telemetry.requests).toMatchObject([{ status: 503, flags: 'OM' }]);
  });

  test('a quick client notices nothing of it', async () => {
    const { client, upstream } = await setUp();
    pretend(200 * mebibyte);
    client.send(simple);
    const server = await upstream.connection(0);
    await server.until(headEnd);
    server.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect(await client.until((text) => text.endsWith('ok'))).toContain('200 OK');
  });
});
