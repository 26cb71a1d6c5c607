/** Faults of TCP connections through a sidecar, on real sockets: what each side gets, and how it ends. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { quietServer, ToxicEdge, tcpFault, watchSocket } from '../../support/toxic-edge.ts';

let edge: ToxicEdge | null = null;
afterEach(async () => {
  await edge?.close();
  edge = null;
});

async function start(server = quietServer(), options: Parameters<typeof ToxicEdge.start>[1] = {}) {
  edge = await ToxicEdge.start(server, options);
  return edge;
}

const text = (size: number) => Array.from({ length: size }, (_, index) => 'abcdefghij'[index % 10]).join('');

describe('latency', () => {
  it('holds data of its direction back and leaves the other one alone', async () => {
    const shop = await start();
    await shop.inject(tcpFault({ kind: 'tcp-latency', stream: 'downstream', latencyMs: 300, jitterMs: 0 }));
    const { client, server } = await shop.open();
    const [seenByServer, seenByClient] = [watchSocket(server), watchSocket(client)];
    const beganMs = performance.now();
    client.write('question');
    await eventually('the question arrives', () => seenByServer.text === 'question');
    server.write('answer');
    await eventually('the answer arrives', () => seenByClient.text === 'answer');
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(299);
  });

  it('loses no byte of a large answer, whose connection ends regularly', async () => {
    const shop = await start();
    await shop.inject(
      tcpFault({ kind: 'tcp-latency', stream: 'downstream', latencyMs: 20, jitterMs: 10 }),
      tcpFault({ kind: 'tcp-slicer', stream: 'downstream', averageBytes: 20_000, variationBytes: 999, delayMs: 0 }),
    );
    const { client, server } = await shop.open();
    const seen = watchSocket(client);
    const sent = text(3_000_000);
    server.end(sent);
    await eventually('the end arrives', () => seen.end);
    expect([seen.text === sent, seen.error]).toEqual([true, null]);
  });
});

describe('a fault on a connection that is open', () => {
  it('begins when it is switched on, and everything that waits leaves at once when it is switched off', async () => {
    const shop = await start();
    const { client, server } = await shop.open();
    const seen = watchSocket(client);
    server.write('before ');
    await eventually('the first part arrives', () => seen.text === 'before ');
    const fault = tcpFault({ kind: 'tcp-latency', stream: 'downstream', latencyMs: 600_000, jitterMs: 0 });
    await shop.inject(fault);
    server.write('during ');
    await shop.inject(fault);
    expect(seen.text).toBe('before ');
    await shop.inject();
    server.write('after');
    await eventually('the rest arrives', () => seen.text === 'before during after');
  });

  it('is over with its duration, without anybody saying so', async () => {
    const shop = await start();
    const fault = { kind: 'tcp-latency', stream: 'downstream', latencyMs: 600_000, jitterMs: 0 } as const;
    await shop.inject(tcpFault(fault, { expiresAtMs: Date.now() + 700 }));
    const { client, server } = await shop.open();
    const seen = watchSocket(client);
    server.write('late');
    await eventually('it arrives when the fault has ended', () => seen.text === 'late');
  });

  it('is over when the control plane is silent for longer than the lease', async () => {
    const shop = await start(quietServer(), { leaseMs: 700 });
    await shop.inject(tcpFault({ kind: 'tcp-bandwidth', stream: 'downstream', bytesPerSecond: 0 }));
    const { client, server } = await shop.open();
    const seen = watchSocket(client);
    server.write('late');
    await eventually('it arrives when the lease has lapsed', () => seen.text === 'late');
    shop.sidecar.control.close();
  });

  it('goes on and off with its schedule', async () => {
    const shop = await start();
    const schedule = { startAfterMs: 0, onMs: 400, offMs: 400 };
    await shop.inject(tcpFault({ kind: 'tcp-bandwidth', stream: 'downstream', bytesPerSecond: 0 }, { schedule }));
    const { client, server } = await shop.open();
    const arrivals: number[] = [];
    client.on('data', () => arrivals.push(performance.now()));
    const timer = setInterval(() => server.write('x'), 20);
    await eventually(
      'two gaps',
      () => arrivals.filter((at, index) => at - (arrivals[index - 1] ?? at) > 200).length > 1,
    );
    clearInterval(timer);
  });
});

describe('how connections end', () => {
  it.each(['upstream', 'downstream'] as const)('resets both sides after the first data, %s', async (stream) => {
    const shop = await start();
    await shop.inject(tcpFault({ kind: 'tcp-reset', stream, afterMs: 50 }));
    const { client, server } = await shop.open();
    const [seenByServer, seenByClient] = [watchSocket(server), watchSocket(client)];
    (stream === 'upstream' ? client : server).write('hello');
    await eventually('both see a reset', () => seenByClient.closed && seenByServer.closed);
    expect([seenByClient.error, seenByServer.error]).toEqual(['ECONNRESET', 'ECONNRESET']);
    expect([seenByClient.text, seenByServer.text]).toEqual(['', '']);
  });

  it('closes both sides with FIN after a timeout, and lets no byte through before', async () => {
    const shop = await start();
    await shop.inject(tcpFault({ kind: 'tcp-timeout', stream: 'downstream', timeoutMs: 100 }));
    const { client, server } = await shop.open();
    const [seenByServer, seenByClient] = [watchSocket(server), watchSocket(client)];
    server.write('swallowed');
    await eventually('both see the end', () => seenByClient.end && seenByServer.end);
    expect([seenByClient.text, seenByClient.error, seenByServer.error]).toEqual(['', null, null]);
  });

  it('closes a black hole when it is switched off', async () => {
    const shop = await start();
    await shop.inject(tcpFault({ kind: 'tcp-timeout', stream: 'downstream', timeoutMs: 0 }));
    const { client, server } = await shop.open();
    const seen = watchSocket(client);
    server.write('swallowed');
    await shop.inject();
    await eventually('the client sees the end', () => seen.end);
    expect(seen.text).toBe('');
  });

  it('closes after the bytes of its limit, all of which arrive', async () => {
    const shop = await start();
    await shop.inject(tcpFault({ kind: 'tcp-limit-data', stream: 'downstream', bytes: 100_000 }));
    const { client, server } = await shop.open();
    const [seenByServer, seenByClient] = [watchSocket(server), watchSocket(client)];
    const sent = text(300_000);
    server.write(sent);
    await eventually('both are closed', () => seenByClient.end && (seenByServer.end || seenByServer.closed));
    expect(seenByClient.text === sent.slice(0, 100_000)).toBe(true);
  });

  it('delays the end of the server, not its data', async () => {
    const shop = await start();
    await shop.inject(tcpFault({ kind: 'tcp-slow-close', stream: 'downstream', delayMs: 400 }));
    const { client, server } = await shop.open();
    const seen = watchSocket(client);
    const beganMs = performance.now();
    server.end('bye');
    await once(client, 'data');
    expect(seen.end).toBe(false);
    await eventually('the end', () => seen.end);
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(399);
  });

  it('delivers what a server sent before it broke off, then a reset', async () => {
    const shop = await start();
    await shop.inject(tcpFault({ kind: 'tcp-latency', stream: 'downstream', latencyMs: 200, jitterMs: 0 }));
    const { client, server } = await shop.open();
    const seen = watchSocket(client);
    server.write('last words');
    // Read by the sidecar, which is in this process, before the reset, which would overtake it.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
    server.resetAndDestroy();
    // Node takes a reset that comes together with data for an end; writing tells the two apart.
    await eventually('the connection is broken', () => {
      if (seen.text !== '') client.write('more');
      return seen.closed;
    });
    expect([seen.text, seen.error === 'ECONNRESET' || seen.error === 'EPIPE']).toEqual(['last words', true]);
  });
});

describe('refuse', () => {
  it('resets new connections before the server hears of them, and breaks off open ones', async () => {
    const shop = await start();
    const { client } = await shop.open();
    const open = watchSocket(client);
    await shop.inject(tcpFault({ kind: 'tcp-refuse' }));
    await eventually('the open one is gone', () => open.closed);
    expect(open.error).toBe('ECONNRESET');
    const refused = watchSocket(shop.dial());
    await eventually('the new one is refused', () => refused.closed);
    expect([refused.error, shop.accepted.length]).toEqual(['ECONNRESET', 1]);
    await shop.inject();
    await shop.open();
    expect(shop.accepted).toHaveLength(2);
  });
});

describe('which connections', () => {
  const echo = () => createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  const survives = async (shop: ToxicEdge) => {
    const client = shop.dial();
    const seen = watchSocket(client);
    client.write('x');
    await eventually('an echo or an end', () => seen.text === 'x' || seen.closed);
    client.destroy();
    return seen.text === 'x';
  };
  const reset = { kind: 'tcp-reset', stream: 'upstream', afterMs: 0 } as const;

  it('draws once per connection, from the seed', async () => {
    const shop = await start(echo());
    const runs: boolean[][] = [];
    for (let run = 0; run < 2; run += 1) {
      await shop.inject(tcpFault(reset, { percent: 50, seed: 42 }));
      const outcomes: boolean[] = [];
      for (let index = 0; index < 40; index += 1) outcomes.push(await survives(shop));
      runs.push(outcomes);
      await shop.inject();
    }
    expect(runs[0]).toEqual(runs[1]);
    const hits = runs[0]?.filter((survived) => !survived).length ?? 0;
    expect(hits).toBeGreaterThan(8);
    expect(hits).toBeLessThan(32);
  });

  it('counts connections for its trigger', async () => {
    const shop = await start(echo());
    await shop.inject(tcpFault(reset, { trigger: { kind: 'every', count: 3 } }));
    const outcomes: boolean[] = [];
    for (let index = 0; index < 6; index += 1) outcomes.push(await survives(shop));
    expect(outcomes).toEqual([true, true, false, true, true, false]);
  });

  it('leaves other ports of the service alone, and reports what it has hit', async () => {
    const shop = await start(echo());
    await shop.inject(tcpFault(reset, { port: 1 }));
    expect(await survives(shop)).toBe(true);
    await shop.inject(tcpFault(reset));
    expect(await survives(shop)).toBe(false);
    await eventually('a report with the hit', () =>
      shop.sidecar.control.reports.some(({ faults }) => faults.some(({ id, hits }) => id === 'tcp-reset' && hits > 0)),
    );
  });
});
