import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameType, streamWindow } from '../../../core/data-plane/http2/protocol.ts';
import {
  data,
  type Field,
  frame,
  get,
  greeting,
  headers,
  ping,
  post,
  readErrors,
  readFrames,
  rst,
  settings,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { createPair, ok, requestOf, responseOf } from '../../support/http2-pair.ts';
import { createSession } from '../../support/http2-session.ts';

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
