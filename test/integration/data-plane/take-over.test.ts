/** A newer sidecar takes the ports of an older one over while traffic goes on: nothing is refused, nothing is lost. */
import { once } from 'node:events';
import { Agent, createServer as createHttpServer, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { loadPortSharing, nodeSharesPorts } from '../../../core/data-plane/listener/shared-port.ts';
import { prepareClosers } from '../../support/closers.ts';
import { eventually } from '../../support/eventually.ts';
import { emptyConfig, freePort, TestSidecar } from '../../support/test-sidecar.ts';

const closers = prepareClosers();

async function startSidecar(sharePorts = true): Promise<TestSidecar> {
  const sidecar = await TestSidecar.start({ sharePorts });
  closers.add(() => sidecar.close());
  return sidecar;
}

const configOf = (port: number, applicationPort: number, revision = 1) =>
  emptyConfig('orders', revision, {
    listeners: {
      kind: 'explicit',
      inbound: [
        { listen: { host: '127.0.0.1', port }, target: { host: '127.0.0.1', port: applicationPort }, port: 8080 },
      ],
      outbound: [],
      httpProxy: null,
    },
  });

/** Requests without an end: over connections of their own at a rate, and one after the other over kept ones. */
class Load {
  answered = 0;
  readonly failures: string[] = [];
  readonly #port: number;
  readonly #timer: NodeJS.Timeout;
  readonly #agent = new Agent({ keepAlive: true });
  #open = 0;
  #isOver = false;

  constructor(port: number, perSecond: number, kept: number) {
    this.#port = port;
    this.#timer = setInterval(() => void this.#get(false), 1_000 / perSecond);
    for (let index = 0; index < kept; index += 1) void this.#loop();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#timer);
    await eventually('the last answers', () => (this.#open === 0 ? true : null));
    this.#agent.destroy();
  }

  async #loop(): Promise<void> {
    while (!this.#isOver) {
      await this.#get(this.#agent);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #get(agent: Agent | false): Promise<void> {
    this.#open += 1;
    return new Promise((resolve) => {
      const done = (failure: string | null) => {
        this.#open -= 1;
        if (failure === null) this.answered += 1;
        else this.failures.push(failure);
        resolve();
      };
      const outgoing = request({ host: '127.0.0.1', port: this.#port, agent }, (response) => {
        response.resume();
        response.on('end', () => done(response.statusCode === 200 ? null : `status ${response.statusCode}`));
        response.on('error', (error) => done(error.message));
      });
      outgoing.on('error', (error) => done(error.message));
      outgoing.end();
    });
  }
}

describe('taking over from an older sidecar', () => {
  it('loses no request of 250 new connections per second and of kept ones, three times in a row', async () => {
    const application = await closers.listening(createHttpServer((_incoming, response) => response.end('ok')));
    const port = await freePort();
    let current = await startSidecar();
    expect((await current.control.push(configOf(port, application))).type).toBe('ack');
    const load = new Load(port, 250, 8);
    const more = async (count: number) => {
      const from = load.answered;
      await eventually(`${count} more answers`, () => (load.answered >= from + count ? true : null));
    };
    await more(300);
    for (let round = 0; round < 3; round += 1) {
      const next = await startSidecar();
      expect((await next.control.push(configOf(port, application))).type).toBe('ack');
      current.control.send({ type: 'retire', deadlineMs: 10_000 });
      expect(await current.control.next('drained')).toEqual({ type: 'drained', http: 0, tcp: 0 });
      await current.close();
      await more(300);
      const seen = await eventually('requests at the newer sidecar', () =>
        next.control.reports.flatMap(({ edges }) => edges).find(({ requests }) => requests['2xx'] > 0),
      );
      expect(seen.key.direction).toBe('inbound');
      current = next;
    }
    await load.stop();
    expect(load.failures).toEqual([]);
  });

  it('leaves open TCP connections to the older one until they end, and refuses it a new configuration', async () => {
    const echo = await closers.listening(createServer((socket) => socket.pipe(socket)));
    const port = await freePort();
    const [older, newer] = [await startSidecar(), await startSidecar()];
    await older.control.push(configOf(port, echo));
    const client = connect({ host: '127.0.0.1', port });
    closers.add(() => client.destroy());
    client.write('\x00one');
    expect(((await once(client, 'data'))[0] as Buffer).toString()).toBe('\x00one');
    await newer.control.push(configOf(port, echo));
    older.control.send({ type: 'retire', deadlineMs: 60_000 });
    expect(await older.control.next('drain.progress')).toMatchObject({ tcp: 1 });
    client.write('two');
    expect(((await once(client, 'data'))[0] as Buffer).toString()).toBe('two');
    expect(await older.control.push(configOf(port, echo, 2))).toMatchObject({ type: 'nack', code: 'LISTEN_FAILED' });
    client.end();
    expect(await older.control.next('drained')).toEqual({ type: 'drained', http: 0, tcp: 0 });
  });

  it('waits until the older one shares ports that it opened for itself alone', async () => {
    const named = (name: string) => createHttpServer((_incoming, response) => response.end(name));
    const [first, second] = [await closers.listening(named('first')), await closers.listening(named('second'))];
    const port = await freePort();
    const answer = async () => await (await fetch(`http://127.0.0.1:${port}/`)).text();
    const [older, newer] = [await startSidecar(false), await startSidecar()];
    expect((await older.control.push(configOf(port, first))).type).toBe('ack');
    expect(await newer.control.push(configOf(port, second))).toMatchObject({ type: 'nack', code: 'LISTEN_FAILED' });
    expect(await answer()).toBe('first');
    older.control.send({ type: 'share' });
    expect(await older.control.next('shared')).toEqual({ type: 'shared', possible: true });
    expect((await newer.control.push(configOf(port, second))).type).toBe('ack');
    for (let count = 0; count < 20; count += 1) {
      const socket = connect({ host: '127.0.0.1', port });
      socket.write('GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n');
      expect(String((await once(socket, 'data'))[0])).toContain('second');
      socket.destroy();
    }
  });

  it('does not share a port with somebody else', async () => {
    const other = await closers.listening(createServer());
    const sidecar = await startSidecar();
    expect(await sidecar.control.push(configOf(other, 1))).toMatchObject({ type: 'nack', code: 'LISTEN_FAILED' });
  });
});

describe('shared ports', () => {
  it.each([
    ['20.18.0', false],
    ['22.11.0', false],
    ['22.12.0', true],
    ['23.0.0', false],
    ['23.1.0', true],
    ['24.1.0', true],
  ])('Node %s binds them itself: %s', (version, wanted) => {
    expect(nodeSharesPorts(version, 'linux')).toBe(wanted);
    expect(nodeSharesPorts(version, 'darwin')).toBe(false);
  });

  it('binds IPv4 and IPv6 addresses through libc', async () => {
    const sharing = loadPortSharing();
    for (const host of ['127.0.0.1', '::1', '::', '0.0.0.0']) {
      const port = await freePort();
      const server = createServer((socket) => socket.end('hello'));
      server.listen({ fd: sharing.bind(host, port) });
      await once(server, 'listening');
      expect(server.address()).toMatchObject({ address: host, port });
      const client = connect({ host: host === '::' ? '127.0.0.1' : host === '0.0.0.0' ? '127.0.0.1' : host, port });
      expect(((await once(client, 'data'))[0] as Buffer).toString()).toBe('hello');
      server.close();
    }
  });
});
