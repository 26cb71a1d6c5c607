import { describe, expect, it } from 'vitest';
import { errorCode, frameType } from '../../../core/data-plane/http2/protocol.ts';
import {
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
} from '../../support/http2-frames.ts';
import { asSent, createPair, ok, requestOf, responseOf, simple } from '../../support/http2-pair.ts';
import { createSession } from '../../support/http2-session.ts';

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

  it('answers a client that has ended its side, and gives up what waits for windows that nobody opens any more', () => {
    const { wire, session, recorder, closed, advance } = createSession('server');
    wire.receive(Buffer.concat([greeting, settingsAck, headers(1, get), headers(3, get), headers(5, get)]));
    const { bytes, head } = responseOf(ok);
    for (const id of [1, 3]) session.respond(recorder.stream(id), bytes, head, false);
    recorder.stream(1).sendContent(Buffer.alloc(100_000), 0, 100_000, true);
    wire.owner.onEnd();
    expect(recorder.events.slice(3)).toEqual(['1 reset 8 by connection']);
    recorder.stream(3).sendContent(Buffer.alloc(100_000), 0, 100_000, true);
    session.respond(recorder.stream(5), bytes, head, true);
    expect(wire.ended).toBe(false);
    advance(1_000);
    expect(recorder.events.slice(4)).toEqual(['3 reset 8 by connection']);
    expect(wire.ended).toBe(true);
    advance(1_001);
    expect([wire.closed, closed]).toEqual([true, []]);
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

  it('asks a client without a request for an hour to go, and goes when it does not', () => {
    const { wire, session, advance } = createSession('server');
    wire.receive(Buffer.concat([greeting, settingsAck, headers(1, get)]));
    const { bytes, head } = responseOf(ok);
    advance(3_700_000);
    session.respond(session.streams.all()[0] ?? expect.fail('no stream'), bytes, head, true);
    wire.take();
    advance(1_000);
    advance(3_598_000);
    expect(readFrames(wire.take())).toEqual([]);
    advance(1_000);
    expect(readFrames(wire.take()).map(({ type }) => type)).toEqual([frameType.goaway, frameType.ping]);
    advance(1_001);
    expect(wire.ended).toBe(true);
    advance(1_001);
    expect(wire.closed).toBe(true);
  });

  it('gives up one that does not come to the end of the preface', () => {
    const { wire, advance } = createSession('server');
    wire.receive(greeting.subarray(0, 10));
    advance(10_001);
    expect(readErrors(readFrames(wire.take()))).toEqual(['GOAWAY SETTINGS_TIMEOUT']);
    advance(1_001);
    expect(wire.closed).toBe(true);
  });
});
