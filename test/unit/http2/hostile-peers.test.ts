import { describe, expect, it } from 'vitest';
import {
  data,
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
import { asSent, ok, requestOf, responseOf } from '../../support/http2-pair.ts';
import { createSession } from '../../support/http2-session.ts';

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
