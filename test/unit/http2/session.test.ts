import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RequestHead, ResponseHead } from '../../../core/data-plane/http/codec.ts';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';
import { errorCode, frameType, streamWindow } from '../../../core/data-plane/http2/protocol.ts';
import {
  data,
  type Field,
  frame,
  get,
  greeting,
  headers,
  number,
  ping,
  post,
  readErrors,
  readFrames,
  rst,
  settings,
  settingsAck,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { createSession } from '../../support/http2-session.ts';
import { exchange } from '../../support/memory-wire.ts';

const codec = createHttpCodec();
const asSent = { target: null, host: null, requestId: null };

function requestOf(text: string): { bytes: Buffer; head: RequestHead } {
  const bytes = Buffer.from(text.replaceAll('|', '\r\n'));
  expect(codec.parseRequest(bytes, 0, bytes.length)).toBe('complete');
  return { bytes, head: codec.request };
}

function responseOf(text: string): { bytes: Buffer; head: ResponseHead } {
  const bytes = Buffer.from(text.replaceAll('|', '\r\n'));
  expect(codec.parseResponse(bytes, 0, bytes.length)).toBe('complete');
  return { bytes, head: codec.response };
}

const simple = 'GET /a?b HTTP/1.1|host: shop|x-test: 1||';
const ok = 'HTTP/1.1 200 OK|content-type: text/plain||';

/** A client and a server session with a wire between them. */
async function createPair() {
  const client = createSession('client');
  const server = createSession('server');
  await exchange(client.wire, server.wire);
  const open = (text: string, isLast = true) => {
    const { bytes, head } = requestOf(text);
    return client.session.open(bytes, head, asSent, isLast, client.recorder);
  };
  const respond = (id: number, text: string, isLast = false) => {
    const { bytes, head } = responseOf(text);
    server.session.respond(server.recorder.stream(id), bytes, head, isLast);
  };
  return { client, server, open, respond, carry: (size?: number) => exchange(client.wire, server.wire, size) };
}

describe('heads in the form of HTTP/1.1', () => {
  it.each<[string, readonly Field[], string]>([
    ['the request line and Host come first', [...get, ['accept', '*/*']], 'GET / HTTP/1.1|host: shop|accept: */*'],
    ['cookies become one line', [...get, ['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2']], 'cookie: a=1; b=2'],
    ['obsolete octets pass', [...get, ['x-name', 'caf\xe9']], 'x-name: caf\xe9'],
  ])('%s', (_what, fields, line) => {
    const { wire, recorder } = createSession('server');
    wire.receive(Buffer.concat([greeting, headers(1, fields)]));
    expect(recorder.events[0]).toContain(line);
  });

  it('hands on requests, content, trailers and interim responses as they were', async () => {
    const { client, server, open, respond, carry } = await createPair();
    const stream = open('POST /up HTTP/1.1|host: shop|te: trailers|Content-Type: application/grpc||', false);
    stream.sendContent(Buffer.from('hello'), 0, 5);
    await carry();
    respond(1, 'HTTP/1.1 103 Early Hints|link: </a>||');
    respond(1, 'HTTP/1.1 200 OK|content-type: application/grpc||');
    server.recorder.stream(1).sendContent(Buffer.from('world'), 0, 5);
    const trailers = requestOf('GET / HTTP/1.1|host: x|grpc-status: 0||');
    trailers.head.dropped[trailers.head.hostIndex] = 1;
    server.recorder.stream(1).sendTrailers(trailers.bytes, trailers.head);
    stream.sendEnd();
    await carry();
    expect(server.recorder.events).toEqual([
      '1 request POST /up HTTP/1.1|host: shop|content-type: application/grpc|te: trailers',
      '1 content hello',
      '1 end',
    ]);
    expect(client.recorder.events).toEqual([
      '1 head HTTP/1.1 103 |link: </a>',
      '1 head HTTP/1.1 200 |content-type: application/grpc',
      '1 content world',
      '1 trailers grpc-status: 0',
      '1 end',
    ]);
    expect([client.session.streams.size, server.session.streams.size]).toEqual([0, 0]);
  });

  it('hands over a head that is too large as such, and goes on', () => {
    const { wire, recorder } = createSession('server');
    const many: Field[] = Array.from({ length: 200 }, (_, index) => [`x-${index}`, 'v']);
    wire.receive(Buffer.concat([greeting, headers(1, [...get, ...many]), headers(3, get)]));
    expect(recorder.events).toHaveLength(2);
    expect(recorder.events[1]).toContain('3 request');
  });

  it('cuts a head larger than a frame into CONTINUATION frames', async () => {
    const { server, open, carry } = await createPair();
    open(`GET / HTTP/1.1|host: shop|x-long: ${'v'.repeat(40_000)}||`);
    await carry();
    expect(server.recorder.events[0]).toContain('v'.repeat(40_000));
  });
});

describe('any cut of the octets', () => {
  it('gives the same events and answers', () => {
    const script = Buffer.concat([
      greeting,
      settings([4, 1_000]),
      headers(1, post, 4),
      data(1, '\x02hello\0\0', 8),
      headers(3, [...get, ['x-long', 'v'.repeat(300)]]),
      frame(frameType.headers, 1, 5, ''),
      frame(frameType.continuation, 0, 5, Buffer.from([0x82])),
      frame(frameType.continuation, 4, 5, Buffer.from([0x86, 0x84, 0x41, 1, 97])),
      data(1, ' world', 1),
      ping(),
      frame(77, 1, 2, 'what is this'),
      rst(3, 8),
      headers(7, [...get, ['Bad', 'name']]),
      data(9, 'an idle stream'),
    ]);
    const run = (cuts: readonly number[]) => {
      const { wire, recorder } = createSession('server');
      wire.take();
      let from = 0;
      for (const cut of [...cuts].sort((a, b) => a - b)) {
        wire.receive(Buffer.from(script.subarray(from, cut)));
        from = Math.max(from, cut);
      }
      wire.receive(Buffer.from(script.subarray(from)));
      return { events: recorder.events, sent: wire.take().toString('hex') };
    };
    const whole = run([]);
    expect(whole.events.length).toBeGreaterThan(5);
    expect(run(Array.from({ length: script.length }, (_, index) => index))).toEqual(whole);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: script.length }), { maxLength: 12 }), (cuts) => {
        expect(run(cuts)).toEqual(whole);
      }),
    );
  });

  it('never crashes or hangs on noise after a valid beginning', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 8 }), fc.nat(10), (parts, type) => {
        const { wire } = createSession('server');
        wire.receive(greeting);
        for (const part of parts) {
          wire.receive(Buffer.from(part));
          wire.receive(frame(type, part[0] ?? 0, (part[1] ?? 0) % 8, Buffer.from(part)));
        }
        expect(wire.take().length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('flow control', () => {
  it('sends no more than the windows of stream and connection allow, and the rest when they grow', () => {
    const { wire, session, recorder } = createSession('server');
    wire.receive(Buffer.concat([greeting, settings([4, 10]), headers(1, get), headers(3, get)]));
    const { bytes, head } = responseOf(ok);
    wire.take();
    for (const id of [1, 3]) session.respond(recorder.stream(id), bytes, head, false);
    recorder.stream(1).sendContent(Buffer.alloc(25, 'a'), 0, 25, true);
    recorder.stream(3).sendContent(Buffer.alloc(5, 'b'), 0, 5, true);
    const sent = () =>
      readFrames(wire.take())
        .filter(({ type }) => type === frameType.data)
        .map((f) => `${f.stream}:${f.payload.length}:${f.flags}`);
    expect(sent()).toEqual(['1:10:0', '3:5:1']);
    wire.receive(windowUpdate(1, 8));
    expect(sent()).toEqual(['1:8:0']);
    wire.receive(settings([4, 100]));
    expect(sent()).toEqual(['1:7:1']);
    expect(session.streams.size).toBe(0);
  });

  it('takes turns between streams when the connection window opens', () => {
    const { wire, session, recorder } = createSession('server');
    wire.receive(Buffer.concat([greeting, settings([4, 1_000_000]), headers(1, get), headers(3, get)]));
    const { bytes, head } = responseOf(ok);
    for (const id of [1, 3]) session.respond(recorder.stream(id), bytes, head, false);
    const large = Buffer.alloc(100_000);
    expect(recorder.stream(1).sendContent(large, 0, large.length)).toBe(true);
    expect(recorder.stream(3).sendContent(large, 0, large.length)).toBe(false);
    wire.take();
    wire.receive(windowUpdate(0, 60_000));
    const order = readFrames(wire.take())
      .filter(({ type }) => type === frameType.data)
      .map(({ stream }) => stream);
    expect(order.slice(0, 4)).toEqual([1, 3, 1, 3]);
    wire.receive(windowUpdate(0, 1_000_000));
    expect(recorder.events).toContain('3 drain');
  });

  it('gives windows back as content is taken, and not while the consumer is paused', async () => {
    const { wire, recorder } = createSession('server');
    wire.receive(Buffer.concat([greeting, headers(1, post, 4)]));
    const stream = recorder.stream(1);
    const updates = () =>
      readFrames(wire.take()).filter(({ type, stream: id }) => type === frameType.windowUpdate && id === 1).length;
    const part = Buffer.alloc(16_384);
    const half = streamWindow / 2 / part.length;
    wire.take();
    for (let index = 0; index < half; index += 1) wire.receive(data(1, part));
    expect(updates()).toBe(1);
    stream.pause();
    const seen = recorder.content.length;
    for (let index = 0; index < 2 * half; index += 1) wire.receive(data(1, part));
    expect(updates()).toBe(0);
    expect(recorder.content.length).toBe(seen);
    wire.receive(data(1, 'x'));
    expect(readErrors(readFrames(wire.take()))).toEqual(['RST_STREAM 1 FLOW_CONTROL_ERROR']);
  });

  it('hands over what waited after a pause, in order, with its end', async () => {
    const { wire, recorder } = createSession('server');
    wire.receive(Buffer.concat([greeting, headers(1, post, 4)]));
    const stream = recorder.stream(1);
    stream.pause();
    wire.receive(Buffer.concat([data(1, 'a'), data(1, 'b'), headers(1, [['t', '1']])]));
    expect(recorder.events).toHaveLength(1);
    stream.resume();
    expect(recorder.events).toHaveLength(1);
    await Promise.resolve();
    expect(recorder.events.slice(1)).toEqual(['1 content ab', '1 trailers t: 1', '1 end']);
  });

  it('moves a megabyte each way, whatever the size of the pieces', async () => {
    const { client, server, open, respond, carry } = await createPair();
    const body = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => index % 251));
    const stream = open('POST / HTTP/1.1|host: a||', false);
    stream.sendContent(body, 0, body.length, true);
    await carry(9_999);
    respond(1, ok);
    server.recorder.stream(1).sendContent(body, 0, body.length, true);
    await carry(77_777);
    expect(Buffer.concat(server.recorder.content).equals(body)).toBe(true);
    expect(Buffer.concat(client.recorder.content).equals(body)).toBe(true);
  });

  it('stops at a wire that does not take more, and goes on when it does', () => {
    const { wire, session, recorder } = createSession('server');
    wire.receive(Buffer.concat([greeting, settings([4, 2 ** 30]), windowUpdate(0, 2 ** 30), headers(1, get)]));
    const { bytes, head } = responseOf(ok);
    session.respond(recorder.stream(1), bytes, head, false);
    wire.stuck = true;
    const part = Buffer.alloc(64 * 1024);
    let sent = 0;
    while (recorder.stream(1).sendContent(part, 0, part.length)) sent += 1;
    expect(sent).toBeLessThan(8);
    wire.take();
    wire.drain();
    expect(recorder.events.at(-1)).toBe('1 drain');
  });
});

describe('ends', () => {
  it('passes a reset on, in both directions', async () => {
    const { client, server, open, carry } = await createPair();
    open(simple, false).reset(errorCode.cancel);
    open(simple, false);
    await carry();
    server.recorder.stream(3).reset(errorCode.internalError);
    await carry();
    expect(server.recorder.events.at(1)).toBe('1 reset 8 by peer');
    expect(client.recorder.events).toEqual(['3 reset 2 by peer']);
  });

  it('tells a request that was not looked at from one that failed', () => {
    const { wire, session, recorder } = createSession('client');
    wire.receive(settings());
    const { bytes, head } = requestOf(simple);
    for (let count = 0; count < 3; count += 1) session.open(bytes, head, asSent, true, recorder);
    wire.receive(
      Buffer.concat([rst(1, errorCode.refusedStream), frame(7, 0, 0, Buffer.concat([number(3), number(0)]))]),
    );
    expect(recorder.events).toEqual(['1 reset 7 by peer unprocessed', '5 reset 7 by peer unprocessed', 'goaway']);
    expect([session.canOpen, session.usable]).toEqual([false, false]);
    wire.receive(headers(3, [[':status', '200']]));
    expect(recorder.events.slice(3)).toEqual(['3 head HTTP/1.1 200', '3 end']);
    expect(wire.ended).toBe(true);
  });

  it('drains: announces, takes what was under way, refuses later requests and ends', () => {
    const { wire, session, recorder } = createSession('server');
    wire.receive(Buffer.concat([greeting, headers(1, get)]));
    wire.take();
    session.drain();
    const probe = readFrames(wire.take());
    expect(probe.map(({ type }) => type)).toEqual([frameType.goaway, frameType.ping]);
    wire.receive(Buffer.concat([headers(3, get), ping(probe[1]?.payload.toString('latin1'), 1), headers(5, get)]));
    const goaway = readFrames(wire.take()).filter(({ type }) => type === frameType.goaway);
    expect(goaway[0]?.payload.readUInt32BE()).toBe(3);
    const { bytes, head } = responseOf(ok);
    session.respond(recorder.stream(1), bytes, head, true);
    expect(wire.ended).toBe(false);
    session.respond(recorder.stream(3), bytes, head, true);
    expect(wire.ended).toBe(true);
    expect(recorder.events.map((event) => event.slice(0, 9))).toEqual(['1 request', '3 request']);
  });

  it('waits for room when the server allows few requests at a time', () => {
    const { wire, session, recorder } = createSession('client');
    wire.receive(settings([3, 1]));
    const { bytes, head } = requestOf(simple);
    session.open(bytes, head, asSent, true, recorder);
    expect(session.canOpen).toBe(false);
    wire.receive(headers(1, [[':status', '200']]));
    expect(session.canOpen).toBe(true);
    expect(recorder.events).toContain('room');
  });

  it('tells every stream when the wire is lost', async () => {
    const { wire, recorder, closed } = createSession('server');
    wire.receive(Buffer.concat([greeting, headers(1, get), headers(3, post, 4)]));
    wire.destroy();
    await Promise.resolve();
    expect(recorder.events.slice(2)).toEqual(['1 reset 8 by connection', '3 reset 8 by connection']);
    expect(closed).toEqual(['']);
  });

  it('gives up a peer that does not acknowledge SETTINGS or finish a header block', () => {
    const silent = createSession('server');
    silent.wire.receive(greeting);
    silent.wire.take();
    silent.advance(10_001);
    expect(readErrors(readFrames(silent.wire.take()))).toEqual(['GOAWAY SETTINGS_TIMEOUT']);
    silent.advance(1_001);
    expect(silent.wire.closed).toBe(true);
    const slow = createSession('server');
    slow.wire.receive(Buffer.concat([greeting, settingsAck, headers(1, get, 1)]));
    slow.wire.take();
    slow.advance(10_001);
    expect(readErrors(readFrames(slow.wire.take()))).toEqual(['GOAWAY PROTOCOL_ERROR']);
  });
});

describe('peers that do harm', () => {
  it.each<[string, (index: number) => Buffer]>([
    ['resets its requests at once', (index) => Buffer.concat([headers(index * 2 + 1, get), rst(index * 2 + 1, 8)])],
    ['sends PING without end', () => ping()],
    ['sends SETTINGS without end', () => settings()],
    ['sends empty DATA without end', (index) => (index === 0 ? headers(1, post, 4) : data(1, ''))],
    ['sends PRIORITY without end', () => frame(2, 0, 1, '12345')],
    ['sends malformed requests without end', (index) => headers(index * 2 + 1, [['a', 'b']])],
    ['sends WINDOW_UPDATE without end', (index) => (index === 0 ? headers(1, get) : windowUpdate(1, 1))],
    ['sends unknown frames without end', () => frame(200, 0, 0)],
  ])('ends the connection of one that %s', (_what, next) => {
    const { wire } = createSession('server');
    wire.receive(greeting);
    for (let index = 0; index < 20_000 && !wire.ended; index += 1) wire.receive(next(index));
    expect(readErrors(readFrames(wire.take())).at(-1)).toBe('GOAWAY ENHANCE_YOUR_CALM');
  });

  it('bears a server that resets each request after its answer, as one does that reads no bodies', () => {
    const { wire, session, recorder } = createSession('client');
    wire.receive(settings());
    const { bytes, head } = requestOf('POST / HTTP/1.1|host: a||');
    for (let index = 0; index < 10_000; index += 1) {
      const stream = session.open(bytes, head, asSent, false, recorder);
      wire.receive(Buffer.concat([headers(stream.id, [[':status', '200']]), rst(stream.id, 0)]));
    }
    expect([wire.ended, recorder.events.length]).toEqual([false, 30_000]);
  });

  it('bears a client that resets each request after its answer', () => {
    const { wire, session, recorder } = createSession('server');
    wire.receive(greeting);
    const { bytes, head } = responseOf(ok);
    for (let index = 0; index < 10_000; index += 1) {
      const id = index * 2 + 1;
      wire.receive(headers(id, post, 4));
      session.respond(recorder.stream(id), bytes, head, true);
      recorder.streams.length = 0;
      wire.receive(rst(id, 8));
      wire.take();
    }
    expect([wire.ended, session.streams.size]).toEqual([false, 0]);
  });

  it('bounds what decoding a small block may expand to', () => {
    const { wire, recorder } = createSession('server');
    // One entry of 4 KiB, then thousands of references to it.
    const name = Buffer.concat([Buffer.from([0x40, 1, 97, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4_000, 'v')]);
    const bomb = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 97]), name, Buffer.alloc(10_000, 0xbe)]);
    wire.receive(Buffer.concat([greeting, headers(1, bomb)]));
    expect(recorder.events).toHaveLength(1);
    expect(recorder.events[0]?.length ?? 0).toBeLessThan(200_000);
  });

  it('refuses more requests at a time than it has announced', () => {
    const { wire, session } = createSession('server');
    wire.receive(greeting);
    wire.take();
    for (let index = 0; index < 260; index += 1) wire.receive(headers(index * 2 + 1, post, 4));
    expect(readErrors(readFrames(wire.take()))).toEqual(
      [513, 515, 517, 519].map((id) => `RST_STREAM ${id} REFUSED_STREAM`),
    );
    expect(session.streams.size).toBe(256);
  });

  it('ends the connection of one that asks and does not read', async () => {
    const { wire, closed } = createSession('server');
    wire.receive(greeting);
    wire.stuck = true;
    for (let index = 0; index < 200 && !wire.closed; index += 1) {
      wire.receive(Buffer.concat([headers(index * 2 + 1, post, 4), data(index * 2 + 1, Buffer.alloc(9_000)), ping()]));
      wire.send(Buffer.alloc(10_000), 0, 10_000);
    }
    await Promise.resolve();
    expect(closed).toEqual(['a peer that does not read what it asks for']);
  });
});
