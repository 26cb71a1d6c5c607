import { afterEach, describe, expect, test } from 'vitest';
import {
  endpoint,
  type TestProxy,
  RawConnection,
  RawUpstream,
  service,
  sidecarConfig,
  startProxy,
  until,
} from './harness.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(context: Parameters<typeof startProxy>[0]['context'] = {}): Promise<{
  proxy: TestProxy;
  upstream: RawUpstream;
  client: RawConnection;
}> {
  const upstream = await new RawUpstream().start();
  const config = sidecarConfig([service('orders', [endpoint('orders-1', upstream.port)])]);
  const proxy = await startProxy({ config, ...(context === undefined ? {} : { context }) });
  const client = await RawConnection.open(proxy.port);
  closers.push(
    () => upstream.close(),
    () => proxy.close(),
    async () => {
      client.socket.destroy();
    },
  );
  return { proxy, upstream, client };
}

const withId = 'X-Request-Id: 1\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('heads', () => {
  test('sends the request on as it is, and the response back as it is', async () => {
    const { upstream, client, proxy } = await setUp();
    const sent = `GET /a?b=1 HTTP/1.1\r\nHost: orders\r\n${withId}X-Odd:  two  spaces \r\n\r\n`;
    client.send(sent);
    const server = await upstream.connection(0);
    expect(await server.until((text) => text.endsWith('\r\n\r\n'))).toBe(sent);
    server.send(ok);
    expect(await client.until((text) => text.endsWith('ok'))).toBe(ok);
    await until(() => proxy.telemetry.requests.length === 1, 'the record');
    expect(proxy.telemetry.requests[0]).toMatchObject({
      status: 200,
      flags: '',
      key: { peerWorkload: 'orders-1', port: 80 },
    });
    expect(proxy.telemetry.samples[0]).toMatchObject({
      service: 'orders.shop',
      method: 'GET',
      path: '/a?b=1',
      status: 200,
    });
    expect(proxy.telemetry.bytes).toEqual({ sent: sent.length, received: ok.length });
  });
});
