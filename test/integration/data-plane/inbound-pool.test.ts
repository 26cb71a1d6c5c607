/** Limits in front of an application (Sidecar `connectionPool`, DestinationRule), on real sockets. */
import { createServer, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClusterPolicy } from '../../../core/model/traffic-config.ts';
import { eventually } from '../../support/eventually.ts';
import { startOrigin } from '../../support/policy-sidecar.ts';
import { emptyConfig, freePort, TestSidecar } from '../../support/test-sidecar.ts';

let closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

const listen = (port: number) => ({ host: '127.0.0.1', port });

async function startSidecar(target: number, pool: ClusterPolicy, protocol: 'http' | 'tcp' = 'http'): Promise<number> {
  const port = await freePort();
  const sidecar = await TestSidecar.start({ name: 'orders' });
  closers.push(() => sidecar.close());
  const config = emptyConfig('orders', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [{ listen: listen(port), target: listen(target), port: 8080 }],
      outbound: [],
      httpProxy: null,
    },
    inbound: { mtls: 'DISABLE', ports: [{ port: 8080, protocol, mtls: 'DISABLE', pool }] },
  });
  expect((await sidecar.control.push(config)).type).toBe('ack');
  return port;
}

/** Answers each request when it is told to. */
async function startHeld() {
  const held: ServerResponse[] = [];
  const origin = await startOrigin(createServer((_incoming, response) => held.push(response)));
  closers.push(() => origin.close());
  return { origin, held };
}

const ask = async (port: number) => {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  return { status: response.status, body: await response.text() };
};

describe('requests to an application', () => {
  it('beyond the limit are answered 503 by its sidecar, until one has ended', async () => {
    const { origin, held } = await startHeld();
    const port = await startSidecar(origin.port, { maxConnections: 1, maxPendingRequests: 1 });
    const first = ask(port);
    await eventually('the application has the first', () => held.length === 1);
    const others = [ask(port), ask(port)];
    const refused = await Promise.race(others);
    expect(refused.status).toBe(503);
    expect(refused.body).toContain('overflow');
    expect(held.length).toBe(1);
    held[0]?.end('one');
    expect(await first).toEqual({ status: 200, body: 'one' });
    await eventually('the other follows', () => held.length === 2);
    held[1]?.end('two');
    expect(await Promise.all(others)).toContainEqual({ status: 200, body: 'two' });
  });

  it('have a connection each with maxRequestsPerConnection 1, and share one without', async () => {
    const origin = await startOrigin(createServer((_incoming, response) => response.end('ok')));
    closers.push(() => origin.close());
    const alone = await startSidecar(origin.port, { maxRequestsPerConnection: 1 });
    for (let round = 0; round < 3; round += 1) expect((await ask(alone)).status).toBe(200);
    expect(origin.connections).toBe(3);
  });
});

describe('connections to an application', () => {
  it('beyond the limit are closed', async () => {
    const origin = await startOrigin(createTcpServer((socket: Socket) => socket.pipe(socket)));
    closers.push(() => origin.close());
    const port = await startSidecar(origin.port, { maxConnections: 1 }, 'tcp');
    const open = () => {
      const socket = connect(port, '127.0.0.1');
      const seen = { text: '', closed: false, socket };
      socket.on('data', (bytes) => {
        seen.text += bytes.toString();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        seen.closed = true;
      });
      socket.write('ping');
      closers.push(() => socket.destroy());
      return seen;
    };
    const first = open();
    await eventually('it is passed on', () => first.text === 'ping');
    const second = open();
    await eventually('it is closed', () => second.closed);
    expect([second.text, origin.connections]).toEqual(['', 1]);
    first.socket.destroy();
    await eventually('there is room again', async () => {
      const third = open();
      await eventually('it ends or goes on', () => third.closed || third.text !== '');
      return third.text === 'ping';
    });
  });
});
