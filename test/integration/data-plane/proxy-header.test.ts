/** HTTP to applications that want a header of the PROXY protocol: each client has connections of its own to them. */
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { parseProxyHeader } from '../../../core/data-plane/listener/proxy-protocol.ts';
import type { ProxyProtocol } from '../../../core/model/protocol.ts';
import { eventually } from '../../support/eventually.ts';
import { emptyConfig, freePort, TestSidecar } from '../../support/test-sidecar.ts';
import { RawUpstream } from '../http/harness.ts';

let closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

const servicePort = 8080;
const listen = (port: number) => ({ host: '127.0.0.1', port });
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: orders\r\n\r\n`;

async function start(proxyProtocol: ProxyProtocol): Promise<{ port: number; application: RawUpstream }> {
  const application = await new RawUpstream((connection) => {
    connection.socket.on('data', (text: string) => {
      for (const _ of text.matchAll(/ HTTP\/1\.1\r\n/g)) connection.send('HTTP/1.1 204 No Content\r\n\r\n');
    });
  }).start();
  const port = await freePort();
  const sidecar = await TestSidecar.start({ name: 'orders' });
  closers.push(
    () => application.close(),
    () => sidecar.close(),
  );
  const config = emptyConfig('orders', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [{ listen: listen(port), target: listen(application.port), port: servicePort }],
      outbound: [],
      httpProxy: null,
    },
    inbound: {
      mtls: 'DISABLE',
      ports: [{ port: servicePort, protocol: 'http', mtls: 'DISABLE', proxyProtocol }],
    },
  });
  expect((await sidecar.control.push(config)).type).toBe('ack');
  return { port, application };
}

class Client {
  readonly socket: Socket;
  received = '';

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (part) => {
      this.received += part.toString('latin1');
    });
    closers.push(() => this.socket.destroy());
  }

  async ask(path: string, header = ''): Promise<void> {
    const before = this.received.length;
    this.socket.write(header + get(path));
    await eventually(`the answer to ${path}`, () => this.received.slice(before).endsWith('\r\n\r\n'));
  }
}

it.each(['v1', 'v2'] as const)('the header (%s) says once per connection whose requests follow', async (send) => {
  const { port, application } = await start({ accept: false, send });
  const [one, two] = [new Client(port), new Client(port)];
  await one.ask('/one');
  await two.ask('/two');
  await one.ask('/one-again');
  expect(application.connections).toHaveLength(2);
  for (const [index, client] of [one, two].entries()) {
    const received = application.connections[index]?.received ?? '';
    const header = parseProxyHeader(Buffer.from(received, 'latin1'));
    if (typeof header === 'string' || 'error' in header) throw new Error(`no header: ${JSON.stringify(header)}`);
    expect(header.source).toEqual({ host: '127.0.0.1', port: client.socket.localPort });
    const paths = [...received.slice(header.length).matchAll(/GET (\S+) HTTP/g)].map(([, path]) => path);
    expect(paths).toEqual(index === 0 ? ['/one', '/one-again'] : ['/two']);
  }
});

it('who stands in front is taken at its word, and the application hears of the client behind it', async () => {
  const { port, application } = await start({ accept: true, send: 'v1' });
  const client = new Client(port);
  await client.ask('/', 'PROXY TCP4 203.0.113.7 10.0.0.1 51234 80\r\n');
  expect(application.connections[0]?.received).toMatch(/^PROXY TCP4 203\.0\.113\.7 \S+ 51234 \d+\r\nGET \/ /);
});

it('a port that asks for none shares connections, as ever', async () => {
  const { port, application } = await start({ accept: false, send: null });
  await new Client(port).ask('/one');
  await new Client(port).ask('/two');
  expect(application.connections).toHaveLength(1);
  expect(application.connections[0]?.received).toMatch(/^GET \/one /);
});
