/** What a destination rule says of connections, on real sockets: how they are made, what they carry, how long they live. */
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseProxyHeader } from '../../../core/data-plane/listener/proxy-protocol.ts';
import { eventually } from '../../support/eventually.ts';
import { type Origin, PolicySidecar, startHttpOrigin, startOrigin } from '../../support/policy-sidecar.ts';

let mesh: PolicySidecar;
let closers: (() => unknown)[] = [];

beforeEach(async () => {
  mesh = await PolicySidecar.start();
  closers = [() => mesh.close()];
});

afterEach(async () => {
  for (const close of closers) await close();
});

async function startHttp(name = 'v1') {
  const origin = await startHttpOrigin((incoming, response) => {
    response.setHeader('x-peer', incoming.socket.remotePort ?? 0);
    response.end(name);
  });
  closers.push(() => origin.close());
  return origin;
}

describe('connections of HTTP/1.1', () => {
  it('are kept and used again without a policy', async () => {
    const origin = await startHttp();
    await mesh.configure([origin.port], {});
    for (let round = 0; round < 4; round += 1) expect((await mesh.get()).status).toBe(200);
    expect(origin.connections).toBe(1);
  });

  it.each([
    [1, 4],
    [2, 2],
    [3, 2],
  ])('with maxRequestsPerConnection %i take so many: 4 requests need %i', async (max, expected) => {
    const origin = await startHttp();
    await mesh.configure([origin.port], { maxRequestsPerConnection: max });
    for (let round = 0; round < 4; round += 1) expect((await mesh.get()).status).toBe(200);
    expect(origin.connections).toBe(expected);
  });

  it('are closed when they are idle for longer than idleTimeout', async () => {
    const origin = await startHttp();
    await mesh.configure([origin.port], { idleTimeoutMs: 2_000 });
    await mesh.get();
    expect(origin.open).toBe(1);
    await eventually('the idle connection is closed', () => origin.open === 0);
    expect((await mesh.get()).status).toBe(200);
    expect(origin.connections).toBe(2);
  });

  it('take no request once they are older than maxConnectionDuration', async () => {
    const origin = await startHttp();
    await mesh.configure([origin.port], { maxConnectionDurationMs: 300 });
    const seen = new Set<string>();
    await eventually('a second connection', async () => {
      seen.add(String((await mesh.get()).headers['x-peer']));
      return seen.size > 1;
    });
  });

  it('that do not come about within connectTimeout are answered 503 with Envoy’s words', async () => {
    // TLS towards a server that never answers: connected, but no connection in the sense of the policy.
    const silent = await startOrigin(createTcpServer(() => undefined));
    closers.push(() => silent.close());
    await mesh.configure([silent.port], { connectTimeoutMs: 150, tls: { names: 'any' } });
    const answer = await mesh.get();
    expect([answer.status, answer.body]).toEqual([
      503,
      'upstream connect error or disconnect/reset before headers. reset reason: connection timeout',
    ]);
    expect(answer.headers['x-mesh-error'] ?? answer.headers['x-mesh-flags']).toContain('UF');
  });

  it('say whom they are made for when the policy asks for the PROXY protocol, and serve nobody else', async () => {
    const heads: Buffer[] = [];
    const origin = await startOrigin(
      createTcpServer((socket: Socket) => {
        socket.once('data', (bytes) => {
          heads.push(bytes);
          socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
          socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
        });
        socket.on('error', () => undefined);
      }),
    );
    closers.push(() => origin.close());
    for (const version of ['v1', 'v2'] as const) {
      heads.length = 0;
      await mesh.configure([origin.port], { proxyProtocol: version });
      await mesh.get();
      await mesh.get();
      expect(heads).toHaveLength(1);
      const header = parseProxyHeader(heads[0] ?? Buffer.alloc(0));
      expect(header).toMatchObject({ source: { host: '127.0.0.1' } });
      if (typeof header === 'string' || 'error' in header) throw new Error('no header');
      expect(header.source?.port).toBeGreaterThan(0);
      expect(heads[0]?.toString('latin1', header.length)).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
    }
  });
});

describe('the version of HTTP', () => {
  async function startHttp2(): Promise<
    Origin<Http2Server> & { sessions: ServerHttp2Session[]; streams: number; most: number }
  > {
    const server = createHttp2Server();
    const sessions: ServerHttp2Session[] = [];
    const counts = { streams: 0, most: 0 };
    server.on('session', (session) => sessions.push(session));
    server.on('stream', (stream) => {
      counts.streams += 1;
      counts.most = Math.max(counts.most, counts.streams);
      setTimeout(() => {
        counts.streams -= 1;
        if (stream.destroyed) return;
        stream.respond({ ':status': 200 });
        stream.end('h2');
      }, 50);
    });
    const origin = await startOrigin(server);
    closers.push(() => origin.close());
    return Object.assign(origin, { sessions }, counts, {
      get most() {
        return counts.most;
      },
    });
  }

  it('is HTTP/2 where h2UpgradePolicy says UPGRADE, whatever the port declares', async () => {
    const origin = await startHttp2();
    await mesh.configure([origin.port], { httpVersion: 'http/2' });
    expect(await mesh.get()).toMatchObject({ status: 200, body: 'h2' });
    expect(origin.sessions).toHaveLength(1);
  });

  it('with maxRequestsPerConnection opens another connection of HTTP/2', async () => {
    const origin = await startHttp2();
    await mesh.configure([origin.port], { httpVersion: 'http/2', maxRequestsPerConnection: 2 });
    for (let round = 0; round < 4; round += 1) expect((await mesh.get()).status).toBe(200);
    expect(origin.sessions).toHaveLength(2);
  });

  it('is asked whether it lives as often as http2KeepAlive says, and given up without an answer', async () => {
    // A server that takes requests and answers no PING.
    const frames: number[] = [];
    const origin = await startOrigin(
      createTcpServer((socket) => {
        socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
        let rest = Buffer.alloc(0);
        let skip = 24;
        socket.on('data', (bytes) => {
          rest = Buffer.concat([rest, bytes]);
          if (skip > 0 && rest.length >= skip) {
            rest = rest.subarray(skip);
            skip = 0;
          }
          while (skip === 0 && rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
            const type = rest[3] ?? 0;
            frames.push(type);
            const isSettings = type === 4 && ((rest[4] ?? 0) & 1) === 0;
            if (isSettings) socket.write(Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0]));
            rest = rest.subarray(9 + rest.readUIntBE(0, 3));
          }
        });
        socket.on('error', () => undefined);
      }),
    );
    closers.push(() => origin.close());
    await mesh.configure([origin.port], { httpVersion: 'http/2', http2KeepAlive: { intervalMs: 500, timeoutMs: 500 } });
    const answer = await mesh.get();
    expect(answer.status).toBe(503);
    expect(frames).toContain(6);
  });
});

describe('endpoints that disappear', () => {
  it('finish their requests; new ones go elsewhere', async () => {
    let release: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => {
      release = resolve;
    });
    let finish: () => void = () => undefined;
    const old = await startHttpOrigin((_incoming, response) => {
      release();
      finish = () => response.end('old');
    });
    const next = await startHttp('new');
    closers.push(() => old.close());
    await mesh.configure([old.port], {});
    const slow = mesh.get();
    await arrived;
    await mesh.configure([next.port], {});
    const agentless = await fetch(`http://127.0.0.1:${mesh.outboundPort}/`);
    expect(await agentless.text()).toBe('new');
    finish();
    expect(await slow).toMatchObject({ status: 200, body: 'old' });
    await eventually('the old connection is closed', () => old.open === 0);
  });
});

describe('a TCP keep-alive of the policy', () => {
  it('does no harm to a connection', async () => {
    const origin = await startHttp();
    await mesh.configure([origin.port], { tcpKeepAlive: { timeMs: 10_000, intervalMs: 5_000, probes: 3 } });
    expect((await mesh.get()).status).toBe(200);
  });
});
