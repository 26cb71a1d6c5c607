import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { answer, MuxPair, type Recorder } from '../../support/mux-pair.ts';

const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const pattern = (size: number, seed = 1) => {
  const random = createSeededRandom(seed);
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) bytes[at] = random() * 256;
  return bytes;
};

describe('a request over a session', () => {
  it('carries head, small body and end in one frame, and the answer likewise', async () => {
    const pair = await MuxPair.open();
    pair.onServed = (recorder) => {
      recorder.onEndSeen = (stream) => answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', 'pong');
    };
    const before = pair.link.client.writes;
    const { answer: heard } = pair.request('POST / HTTP/1.1\r\n\r\n', 'ping');
    await pair.link.settle();
    expect(pair.link.client.writes - before).toBe(1);
    const [served] = pair.served;
    expect(served?.heads.map((head) => [head.text, head.fin])).toEqual([['POST / HTTP/1.1\r\n\r\n', true]]);
    expect(served?.body.toString()).toBe('ping');
    expect(heard.heads.map((head) => head.text)).toEqual(['HTTP/1.1 200 OK\r\n\r\n']);
    expect(heard.body.toString()).toBe('pong');
    expect(heard.ended).toBe(true);
    expect([pair.client.openStreams, pair.server.openStreams]).toEqual([0, 0]);
    expect([pair.client.bufferedBytes, pair.server.bufferedBytes]).toEqual([0, 0]);
  });

  it('puts frames of one turn of the event loop into one write', async () => {
    const pair = await MuxPair.open();
    const writes = pair.link.client.writes;
    for (let n = 0; n < 32; n += 1) pair.request(`GET /${n} HTTP/1.1\r\n\r\n`);
    await pair.link.settle();
    // The first may leave alone: nobody knew of others yet.
    expect(pair.link.client.writes - writes).toBeLessThanOrEqual(2);
    expect(pair.served.map((served) => served.heads[0]?.text)).toEqual(
      Array.from({ length: 32 }, (_, n) => `GET /${n} HTTP/1.1\r\n\r\n`),
    );
  });

  it('passes interim heads, trailers and what came over HTTP/2', async () => {
    const pair = await MuxPair.open();
    pair.onServed = (recorder) => {
      recorder.onEndSeen = (stream) => {
        answer(stream, 'HTTP/1.1 103 Early Hints\r\n\r\n', '', false, { body: 0, interim: true, http2: true });
        answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', 'abc', false, { body: 2, interim: false, http2: true });
        const trailers = Buffer.from('grpc-status: 0\r\n\r\n');
        stream.sendTrailerBlock(trailers, 0, trailers.length);
      };
    };
    const { answer: heard } = pair.request('POST / HTTP/1.1\r\n\r\n', 'x', true, {
      body: 2,
      interim: false,
      http2: true,
    });
    await pair.link.settle();
    expect(heard.heads.map(({ info }) => [info.interim, info.http2])).toEqual([
      [true, true],
      [false, true],
    ]);
    expect(heard.body.toString()).toBe('abc');
    expect(heard.trailers).toBe('grpc-status: 0\r\n\r\n');
    expect(heard.ended).toBe(true);
    expect(pair.client.openStreams).toBe(0);
  });

  it('becomes a byte pipe after a switch of protocols, with half-close', async () => {
    const pair = await MuxPair.open();
    const { stream, answer: heard } = pair.request('GET /chat HTTP/1.1\r\nupgrade: websocket\r\n\r\n', '', false);
    await pair.link.settle();
    const [served] = pair.served;
    const remote = served?.stream;
    if (remote === undefined || remote === null || served === undefined) throw new Error('not served');
    answer(remote, 'HTTP/1.1 101 Switching Protocols\r\n\r\n', '', false);
    await pair.link.settle();
    stream.send(Buffer.from('hello'), 0, 5);
    remote.send(Buffer.from('welcome'), 0, 7);
    await pair.link.settle();
    expect([served.body.toString(), heard.body.toString()]).toEqual(['hello', 'welcome']);
    stream.end();
    await pair.link.settle();
    expect(served.ended).toBe(true);
    expect(pair.server.openStreams).toBe(1);
    remote.send(Buffer.from('bye'), 0, 3, true);
    await pair.link.settle();
    expect(heard.body.toString()).toBe('welcomebye');
    expect([heard.ended, pair.client.openStreams, pair.server.openStreams]).toEqual([true, 0, 0]);
  });

  it('means the same however its bytes arrive', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
        fc.nat(60),
        async (cuts, size) => {
          const pair = new MuxPair();
          let turn = 0;
          pair.link.chunking = () => cuts[turn++ % cuts.length] ?? 1;
          pair.onServed = (recorder) => {
            recorder.onEndSeen = (stream) => {
              answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', 'a'.repeat(size), false);
              stream.send(Buffer.alloc(size * 3, 'b'), 0, size * 3, true);
            };
          };
          await pair.link.settle();
          const heard = [0, 1, 2].map((n) => pair.request(`POST /${n} HTTP/1.1\r\n\r\n`, 'q'.repeat(n * size)).answer);
          await pair.link.settle();
          expect(pair.served.map((served) => served.body.length)).toEqual([0, size, 2 * size]);
          for (const { heads, body, ended } of heard) {
            expect(heads.map((head) => head.text)).toEqual(['HTTP/1.1 200 OK\r\n\r\n']);
            expect(body.toString()).toBe('a'.repeat(size) + 'b'.repeat(size * 3));
            expect(ended).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('flow control', () => {
  it('moves a large body both ways unchanged, in windows', async () => {
    const pair = await MuxPair.open();
    const up = pattern(3_000_000, 7);
    const down = pattern(2_500_000, 8);
    const source = (stream: NonNullable<Recorder['stream']>, body: Buffer, recorder: Recorder) => {
      let at = 0;
      const pump = () => {
        while (at < body.length) {
          const to = Math.min(at + 50_000, body.length);
          const flowing = stream.send(body, at, to, to === body.length);
          at = to;
          if (!flowing) return;
        }
      };
      recorder.onDrain = pump;
      pump();
    };
    pair.onServed = (recorder, stream) => {
      recorder.onHeadSeen = () => {
        answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', '', false);
        source(stream, down, recorder);
      };
    };
    const { stream, answer: heard } = pair.request('POST / HTTP/1.1\r\n\r\n', '', false);
    source(stream, up, heard);
    await pair.link.settle();
    expect(hash(pair.served[0]?.body ?? Buffer.alloc(0))).toBe(hash(up));
    expect(hash(heard.body)).toBe(hash(down));
    expect([heard.ended, pair.served[0]?.ended]).toEqual([true, true]);
    expect([pair.client.outbox.queuedBytes, pair.server.outbox.queuedBytes]).toEqual([0, 0]);
  });

  it('stops a sender at the window of a consumer that takes nothing, and no other stream with it', async () => {
    const pair = await MuxPair.open();
    pair.onServed = (recorder, stream) => {
      recorder.takes = pair.served.length > 1;
      recorder.onEndSeen = () => answer(stream, 'HTTP/1.1 204 No Content\r\n\r\n');
    };
    const { stream: stuck } = pair.request('POST /stuck HTTP/1.1\r\n\r\n', '', false);
    const body = pattern(1_000_000);
    expect(stuck.send(body, 0, body.length, true)).toBe(false);
    await pair.link.settle();
    expect(pair.served[0]?.body.length).toBe(64 * 1024);
    const { stream: free, answer: freed } = pair.request('POST /free HTTP/1.1\r\n\r\n', '', false);
    free.send(body, 0, body.length, true);
    await pair.link.settle();
    expect(pair.served[1]?.body.length).toBe(body.length);
    expect(freed.heads).toHaveLength(1);
    expect(pair.server.bufferedBytes).toBe(64 * 1024);
    const [first] = pair.served;
    if (first === undefined) throw new Error('not served');
    first.takes = true;
    first.stream?.consumed(64 * 1024);
    await pair.link.settle();
    expect(hash(first.body)).toBe(hash(body));
    expect(pair.server.bufferedBytes).toBe(0);
  });

  it('widens the window of a consumer that keeps up, within the bound of the session', async () => {
    const pair = await MuxPair.open({ server: { maxGrownBytes: 192 * 1024 } });
    const body = pattern(2_000_000);
    for (let n = 0; n < 2; n += 1)
      pair.request(`POST /${n} HTTP/1.1\r\n\r\n`, '', false).stream.send(body, 0, body.length);
    await pair.link.settle();
    const targets = pair.served.map((served) => served.stream?.windowTarget ?? 0);
    expect(Math.max(...targets)).toBeGreaterThan(64 * 1024);
    expect(targets.reduce((sum, target) => sum + target - 64 * 1024, 0)).toBeLessThanOrEqual(192 * 1024);
  });

  it('says when a refused sender may go on', async () => {
    const pair = await MuxPair.open();
    const { stream, answer: heard } = pair.request('POST / HTTP/1.1\r\n\r\n', '', false);
    const body = pattern(300_000);
    expect(stream.send(body, 0, body.length)).toBe(false);
    await pair.link.settle();
    expect(heard.drains).toBe(1);
    expect(stream.queuedBytes).toBe(0);
  });
});

describe('fairness', () => {
  it('lets a small message pass large bodies: few bytes leave before it', async () => {
    const pair = await MuxPair.open();
    const body = pattern(60_000);
    for (let n = 0; n < 20; n += 1)
      pair.request(`POST /${n} HTTP/1.1\r\n\r\n`, '', false).stream.send(body, 0, body.length);
    // The bodies (1.2 MB) are handed over; now a small request comes, before anything has left.
    pair.request('GET /small HTTP/1.1\r\n\r\n');
    const sent = pair.link.client.sent.length;
    await pair.link.settle();
    const bytes = Buffer.concat(pair.link.client.sent.slice(sent));
    expect(bytes.indexOf('GET /small')).toBeGreaterThan(-1);
    expect(bytes.indexOf('GET /small')).toBeLessThan(80 * 1024);
    expect(bytes.length).toBeGreaterThan(1_000_000);
  });

  it('serves large bodies in turns of one quantum', async () => {
    const pair = await MuxPair.open({ server: { initialWindowBytes: 1024 * 1024 } });
    const body = pattern(200_000);
    for (let n = 0; n < 5; n += 1)
      pair.request(`POST /${n} HTTP/1.1\r\n\r\n`, '', false).stream.send(body, 0, body.length, true);
    const received = () => pair.served.map((served) => served.body.length);
    // One read at a time.
    let spread = 0;
    pair.link.chunking = () => {
      const sizes = received().filter((size) => size < body.length);
      if (sizes.length === 5 && Math.min(...sizes) > 0)
        spread = Math.max(spread, Math.max(...sizes) - Math.min(...sizes));
      return 8 * 1024;
    };
    await pair.link.settle();
    expect(received()).toEqual(Array.from({ length: 5 }, () => body.length));
    // The first could send a batch directly before there were others.
    expect(spread).toBeGreaterThan(0);
    expect(spread).toBeLessThanOrEqual(5 * 16 * 1024 + 64 * 1024);
  });

  it('does not starve a body behind a stream of small messages', async () => {
    const pair = await MuxPair.open({ server: { initialWindowBytes: 1024 * 1024 } });
    const body = pattern(400_000);
    const { stream } = pair.request('POST /large HTTP/1.1\r\n\r\n', '', false);
    stream.send(body, 0, body.length, true);
    for (let turn = 0; turn < 40; turn += 1) {
      for (let n = 0; n < 6; n += 1) pair.request('POST /small HTTP/1.1\r\n\r\n', 'x'.repeat(16_000));
      pair.client.outbox.flush();
    }
    const large = 400_000 - stream.queuedBytes;
    expect(large).toBeGreaterThan(64 * 1024);
    await pair.link.settle();
    expect(pair.served[0]?.body.length).toBe(400_000);
  });
});

describe('early endings', () => {
  it('frees everything at once when a stream is cancelled', async () => {
    const pair = await MuxPair.open();
    pair.onServed = (recorder) => {
      recorder.takes = false;
    };
    const { stream } = pair.request('POST / HTTP/1.1\r\n\r\n', '', false);
    const body = pattern(500_000);
    stream.send(body, 0, body.length);
    await pair.link.settle();
    expect(pair.server.bufferedBytes).toBeGreaterThan(0);
    stream.reset('cancelled');
    expect([pair.client.openStreams, pair.client.outbox.waitingBytes]).toEqual([0, 0]);
    await pair.link.settle();
    expect(pair.served[0]?.resetCode).toBe('cancelled');
    expect([pair.server.openStreams, pair.server.bufferedBytes]).toEqual([0, 0]);
    expect(pair.client.closed).toBe(false);
  });

  it('takes an answer before the end of the request, and a reset of what is left of it', async () => {
    const pair = await MuxPair.open();
    pair.onServed = (recorder) => {
      recorder.onHeadSeen = (stream) => answer(stream, 'HTTP/1.1 413 Too Large\r\n\r\n', 'no');
    };
    const { stream, answer: heard } = pair.request('POST / HTTP/1.1\r\n\r\n', '', false);
    await pair.link.settle();
    expect([heard.ended, heard.body.toString()]).toEqual([true, 'no']);
    expect(pair.client.openStreams).toBe(1);
    stream.reset('cancelled');
    await pair.link.settle();
    expect([pair.client.openStreams, pair.server.openStreams]).toEqual([0, 0]);
  });

  it('ignores what was on its way to a stream that this side has reset', async () => {
    const pair = await MuxPair.open();
    const { stream } = pair.request('POST / HTTP/1.1\r\n\r\n', '', false);
    await pair.link.settle();
    pair.served[0]?.stream?.reset('overload');
    stream.send(Buffer.alloc(30_000), 0, 30_000, true);
    await pair.link.settle();
    expect([pair.client.closed, pair.server.closed]).toEqual([false, false]);
    pair.request('GET /next HTTP/1.1\r\n\r\n');
    await pair.link.settle();
    expect(pair.served).toHaveLength(2);
  });

  it('tells every stream when the connection breaks', async () => {
    const pair = await MuxPair.open();
    const heard = [1, 2, 3].map((n) => pair.request(`GET /${n} HTTP/1.1\r\n\r\n`).answer);
    await pair.link.settle();
    pair.link.break();
    await pair.link.settle();
    expect(heard.map((each) => each.resetCode)).toEqual(['lost', 'lost', 'lost']);
    expect(pair.served.map((each) => each.resetCode)).toEqual(['lost', 'lost', 'lost']);
    expect(pair.closed.client?.message).toContain('ECONNRESET');
    expect(pair.client.available).toBe(false);
  });
});

describe('drain', () => {
  it('finishes what is under way and then closes, when the server asks for it', async () => {
    const pair = await MuxPair.open();
    const { answer: heard } = pair.request('GET /1 HTTP/1.1\r\n\r\n');
    await pair.link.settle();
    pair.server.drain();
    // On its way while the drain is announced: still served.
    const { answer: late } = pair.request('GET /2 HTTP/1.1\r\n\r\n');
    await pair.link.settle();
    expect(pair.events).toContain('draining');
    expect(pair.client.available).toBe(false);
    for (const served of pair.served) if (served.stream) answer(served.stream, 'HTTP/1.1 200 OK\r\n\r\n');
    await pair.link.settle();
    expect([heard.heads.length, late.heads.length]).toEqual([1, 1]);
    expect(pair.closed).toEqual({ client: null, server: null });
  });

  it('closes at once when the client drains an idle session', async () => {
    const pair = await MuxPair.open();
    pair.client.drain();
    await pair.link.settle();
    expect(pair.closed).toEqual({ client: null, server: null });
  });

  it('tells which streams may be repeated when the server ends at once', async () => {
    const pair = await MuxPair.open();
    const { answer: seen } = pair.request('GET /seen HTTP/1.1\r\n\r\n');
    await pair.link.settle();
    pair.link.client.paused = true;
    const { answer: unseen } = pair.request('GET /unseen HTTP/1.1\r\n\r\n');
    await pair.link.settle();
    pair.server.close();
    await pair.link.settle();
    expect(unseen.resetCode).toBe('refused');
    expect(seen.resetCode).toBe('lost');
  });
});

describe('liveness', () => {
  it('asks a silent peer for a sign of life and goes on when it answers', async () => {
    const pair = await MuxPair.open();
    pair.client.tick(0);
    pair.client.tick(15_000);
    await pair.link.settle();
    pair.client.tick(25_000);
    pair.client.tick(39_000);
    expect(pair.client.closed).toBe(false);
  });

  it('gives up a peer that does not answer', async () => {
    const pair = await MuxPair.open();
    const { answer: heard } = pair.request('GET / HTTP/1.1\r\n\r\n');
    await pair.link.settle();
    pair.link.server.paused = true;
    for (const nowMs of [0, 15_000, 24_999]) pair.client.tick(nowMs);
    expect(pair.client.closed).toBe(false);
    pair.client.tick(25_000);
    await pair.link.settle();
    expect(heard.resetCode).toBe('timeout');
    expect(heard.resetReason).toContain('PING');
    pair.client.tick(25_001);
    pair.client.tick(28_000);
    await pair.link.settle();
    expect(pair.closed.client?.message).toContain('no answer to PING within 10000 ms');
  });

  it('gives up a peer that never says its settings', async () => {
    const pair = new MuxPair();
    pair.link.server.paused = true;
    pair.client.tick(0);
    pair.client.tick(10_000);
    await pair.link.settle();
    expect(pair.client.closed).toBe(true);
  });
});
