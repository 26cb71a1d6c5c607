/** Servers of HTTP/2 that say goodbye after a few requests, whatever else is on its way to them. */
import { once } from 'node:events';
import { connect as connectHttp2, createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { startSidecarPair } from '../../support/declared-pair.ts';

/** Looks at `most` requests of a connection, tells which was the last, and answers those a moment later. */
async function startServer(most: number) {
  const sessions: ServerHttp2Session[] = [];
  let served = 0;
  const server = createHttp2Server();
  server.on('session', (session) => {
    let seen = 0;
    sessions.push(session);
    session.on('error', () => undefined);
    session.on('stream', (stream) => {
      seen += 1;
      stream.on('error', () => undefined);
      if (seen > most) return;
      if (seen === most) session.goaway(0, stream.id);
      setImmediate(() => {
        served += 1;
        stream.respond({ ':status': 200 });
        stream.end('ok', () => {
          if (seen >= most) session.close();
        });
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const session of sessions) session.destroy();
    server.close();
  };
  return {
    port: (server.address() as AddressInfo).port,
    served: () => served,
    connections: () => sessions.length,
    close,
  };
}

test.each([1, 3, 20])('lose no request when they take %i over a connection', async (most) => {
  const server = await startServer(most);
  const pair = await startSidecarPair([server.port], { mesh: false, protocol: 'http2' });
  const client = connectHttp2(`http://127.0.0.1:${pair.port}`);
  try {
    const statuses = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const stream = client.request({ ':authority': 'shop', ':path': '/', ':method': 'POST' });
        stream.resume().end('body');
        const [headers] = await once(stream, 'response');
        return headers[':status'];
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(server.served()).toBe(200);
    expect(server.connections()).toBeGreaterThanOrEqual(200 / most);
  } finally {
    client.destroy();
    await pair.close();
    server.close();
  }
});
