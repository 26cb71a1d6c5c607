/** What a destination rule says of connections that are not HTTP, on real sockets. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseProxyHeader } from '../../../core/data-plane/listener/proxy-protocol.ts';
import type { ClusterPolicy } from '../../../core/model/traffic-config.ts';
import { createCsr } from '../../support/create-csr.ts';
import { eventually } from '../../support/eventually.ts';
import { type Origin, PolicySidecar, startOrigin } from '../../support/policy-sidecar.ts';
import { TestCa } from '../../support/test-ca.ts';
import { freePort } from '../../support/test-sidecar.ts';

let mesh: PolicySidecar;
let closers: (() => unknown)[] = [];
const tcp = { ports: [{ port: 8_080, protocol: 'tcp' as const }] };

beforeEach(async () => {
  mesh = await PolicySidecar.start();
  closers = [() => mesh.close()];
});

afterEach(async () => {
  for (const close of closers) await close();
});

/** Says its name to everybody, then echoes. */
async function startEcho(name = 'echo'): Promise<Origin<ReturnType<typeof createServer>>> {
  const origin = await startOrigin(
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(`${name}\n`);
      socket.pipe(socket);
    }),
  );
  closers.push(() => origin.close());
  return origin;
}

class Client {
  readonly socket: Socket;
  text = '';
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
    });
    closers.unshift(() => this.socket.destroy());
  }

  says(text: string): Promise<unknown> {
    return eventually(`the client reads ${JSON.stringify(text)}`, () => this.text.includes(text));
  }
}

const configure = (ports: readonly number[], policy: ClusterPolicy) => mesh.configure(ports, policy, tcp);
const open = () => new Client(mesh.outboundPort);

describe('TCP connections', () => {
  it('are closed when nothing passes for longer than idleTimeout, and not while something does', async () => {
    await configure([(await startEcho()).port], { tcpIdleTimeoutMs: 3_000 });
    const [idle, busy] = [open(), open()];
    await Promise.all([idle.says('echo'), busy.says('echo')]);
    const timer = setInterval(() => busy.socket.write('x'), 200);
    await eventually('the idle one is closed', () => idle.closed);
    expect(busy.closed).toBe(false);
    clearInterval(timer);
  });

  it('are closed when they are older than maxConnectionDuration', async () => {
    await configure([(await startEcho()).port], { maxConnectionDurationMs: 600 });
    const client = open();
    await client.says('echo');
    const timer = setInterval(() => client.socket.write('x'), 100);
    await eventually('it is closed', () => client.closed);
    clearInterval(timer);
  });

  it('are no more than maxConnections; with the next one that ends there is room again', async () => {
    const origin = await startEcho();
    await configure([origin.port], { maxConnections: 1 });
    const first = open();
    await first.says('echo');
    const second = open();
    await eventually('it is closed', () => second.closed);
    expect([second.text, origin.connections]).toEqual(['', 1]);
    first.socket.destroy();
    await eventually('there is room', () => origin.open === 0);
    const third = open();
    await third.says('echo');
  });

  it('take turns, or stay with the client’s address, as the load balancer says', async () => {
    const ports = [(await startEcho('a')).port, (await startEcho('b')).port];
    const names = async () => {
      const clients = Array.from({ length: 6 }, () => open());
      await Promise.all(clients.map((client) => client.says('\n')));
      return clients.map(({ text }) => text.trim()).sort();
    };
    await configure(ports, { loadBalancer: { kind: 'round-robin' } });
    expect(await names()).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
    await configure(ports, { loadBalancer: { kind: 'hash', key: { kind: 'source-ip' }, table: 'ring', size: 1_024 } });
    expect(new Set(await names()).size).toBe(1);
  });

  it('leave out an endpoint that nobody can connect to', async () => {
    const ports = [(await startEcho('good')).port, await freePort()];
    const outlier = {
      consecutive5xx: 2,
      consecutiveGatewayErrors: 0,
      consecutiveLocalOriginFailures: null,
      intervalMs: 60_000,
      baseEjectionMs: 60_000,
      maxEjectionMs: 300_000,
      maxEjectionPercent: 100,
      minHealthPercent: 0,
    };
    await configure(ports, { loadBalancer: { kind: 'round-robin' }, outlier });
    let failures = 0;
    for (let round = 0; round < 12; round += 1) {
      const client = open();
      await eventually('an answer or none', () => client.closed || client.text !== '');
      if (client.text === '') failures += 1;
    }
    expect(failures).toBe(2);
  });

  it('are made with TLS of the rule', async () => {
    const ca = await TestCa.create();
    const { csrPem, privateKeyPem } = await createCsr({ dns: ['orders'] });
    const origin = await startOrigin(
      createTlsServer({ cert: await ca.sign(csrPem), key: privateKeyPem }, (socket) =>
        socket.end(`tls ${socket.servername}`),
      ),
    );
    closers.push(() => origin.close());
    const files = { files: [{ name: 'ca.pem', text: ca.rootPem }] };
    await mesh.configure([origin.port], { tls: { names: 'host', caFile: 'ca.pem' } }, tcp, files);
    await open().says('tls orders');
  });

  it('say whom they are for when the policy asks for the PROXY protocol', async () => {
    const heads: Buffer[] = [];
    const origin = await startOrigin(createServer((socket) => socket.on('data', (bytes) => heads.push(bytes))));
    closers.push(() => origin.close());
    await configure([origin.port], { proxyProtocol: 'v1' });
    const client = open();
    await once(client.socket, 'connect');
    const { localPort } = client.socket;
    client.socket.write('hello');
    await eventually('everything has come', () => Buffer.concat(heads).includes('hello'));
    const header = parseProxyHeader(Buffer.concat(heads));
    expect(header).toMatchObject({ source: { host: '127.0.0.1', port: localPort } });
  });
});

describe('a tunnel', () => {
  async function startForwardProxy(answer: string) {
    const asked: string[] = [];
    const origin = await startOrigin(
      createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', (bytes) => {
          asked.push(bytes.toString('latin1'));
          // What the server says at once comes with the proxy's answer.
          socket.write(`${answer}\r\nx-proxy: yes\r\n\r\nhello`);
          socket.pipe(socket);
        });
      }),
    );
    closers.push(() => origin.close());
    return { port: origin.port, asked };
  }

  it('is asked for by CONNECT before anything of the client’s', async () => {
    const proxy = await startForwardProxy('HTTP/1.1 200 Connection established');
    await configure([proxy.port], { tunnel: { host: 'db.example.com', port: 5_432 } });
    const client = open();
    await client.says('hello');
    client.socket.write('ping');
    await client.says('ping');
    expect(proxy.asked).toEqual(['CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n\r\n']);
    expect(client.text).toBe('helloping');
  });

  it('that is refused ends the connection', async () => {
    const proxy = await startForwardProxy('HTTP/1.1 407 Proxy Authentication Required');
    await configure([proxy.port], { tunnel: { host: 'db.example.com', port: 5_432 } });
    const client = open();
    await eventually('it is closed', () => client.closed);
    expect(client.text).toBe('');
  });
});
