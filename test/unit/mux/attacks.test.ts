/** What a peer with a certificate of the mesh may try; each rule that it breaks is named to it and in the log. */
import { describe, expect, it } from 'vitest';
import { flag, frameType, headerBytes, writeHeader } from '../../../core/data-plane/mux/frame.ts';
import { defaultLimits, type MuxLimits, minFrameBytes } from '../../../core/data-plane/mux/limits.ts';
import { MuxSession } from '../../../core/data-plane/mux/session.ts';
import { writeSettings } from '../../../core/data-plane/mux/settings.ts';
import type { MuxStream } from '../../../core/data-plane/mux/stream.ts';
import { MemoryLink } from '../../support/memory-link.ts';
import { MuxPair, Recorder } from '../../support/mux-pair.ts';

function frame(type: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const out = Buffer.alloc(headerBytes + payload.length);
  payload.copy(out, writeHeader(out, 0, type, payload.length, stream));
  return out;
}

function head(stream: number, text = 'GET / HTTP/1.1\r\n\r\n', info = 0, fin = true, body = ''): Buffer {
  const prelude = Buffer.from([info, text.length >> 16, text.length >> 8, text.length]);
  return frame(frameType.head | (fin ? flag.fin : 0), stream, Buffer.concat([prelude, Buffer.from(text + body)]));
}

function numbers(type: number, stream: number, ...values: number[]): Buffer {
  const payload = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) payload.writeUInt32BE(value >>> 0, index * 4);
  return frame(type, stream, payload);
}

/** A session against a peer that is written out by hand. */
class Victim {
  readonly link = new MemoryLink();
  readonly session: MuxSession;
  readonly streams: Recorder[] = [];
  closedWith: Error | null | undefined;
  nowMs = 0;
  onStream: (stream: MuxStream, recorder: Recorder) => void = () => undefined;

  constructor(role: 'client' | 'server' = 'server', limits: Partial<MuxLimits> = {}) {
    this.session = new MuxSession(role === 'server' ? this.link.server : this.link.client, {
      role,
      limits: { ...defaultLimits, ...limits },
      monotonicMs: () => this.nowMs,
      owner: {
        onReady: () => undefined,
        onStream: (stream) => {
          const recorder = new Recorder();
          recorder.stream = stream;
          this.streams.push(recorder);
          this.onStream(stream, recorder);
          return recorder;
        },
        onRoom: () => undefined,
        onDraining: () => undefined,
        onClose: (error) => {
          this.closedWith = error;
        },
      },
    });
  }

  get attacker() {
    return this.session.role === 'server' ? this.link.client : this.link.server;
  }

  async send(...frames: Buffer[]): Promise<this> {
    const bytes = Buffer.concat(frames);
    this.attacker.send(bytes, 0, bytes.length);
    await this.link.settle();
    return this;
  }

  static async greeted(role: 'client' | 'server' = 'server', limits: Partial<MuxLimits> = {}): Promise<Victim> {
    return new Victim(role, limits).send(writeSettings(defaultLimits));
  }

  /** What the victim's last GOAWAY says. */
  get goAwayReason(): string {
    const wire = this.session.role === 'server' ? this.link.server : this.link.client;
    const bytes = Buffer.concat(wire.sent);
    let reason = '';
    for (let at = 0; at < bytes.length; at += headerBytes + bytes.readUIntBE(at + 1, 3)) {
      const end = at + headerBytes + bytes.readUIntBE(at + 1, 3);
      if (bytes[at] === frameType.goAway) reason = bytes.toString('latin1', at + headerBytes + 8, end);
    }
    return reason;
  }
}

const settings = writeSettings(defaultLimits);
const setting = (...entries: [number, number][]) =>
  frame(
    frameType.settings,
    0,
    Buffer.concat(
      entries.map(([key, value]) => {
        const entry = Buffer.alloc(5);
        entry.writeUInt8(key);
        entry.writeUInt32BE(value, 1);
        return entry;
      }),
    ),
  );

const rules: [rule: string, reason: RegExp, frames: () => Buffer[]][] = [
  ['a frame before SETTINGS', /before SETTINGS/, () => [head(1)]],
  ['DATA before SETTINGS', /before SETTINGS/, () => [frame(frameType.data, 1, Buffer.from('x'))]],
  ['another protocol', /frame of \d+ bytes/, () => [Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')]],
  ['SETTINGS twice', /SETTINGS twice/, () => [settings, settings]],
  [
    'SETTINGS on a stream',
    /SETTINGS on stream 1/,
    () => [frame(frameType.settings, 1, settings.subarray(headerBytes))],
  ],
  ['SETTINGS cut off', /SETTINGS with 4 bytes/, () => [frame(frameType.settings, 0, Buffer.alloc(4))]],
  ['SETTINGS without end', /SETTINGS with 165 bytes/, () => [frame(frameType.settings, 0, Buffer.alloc(165))]],
  ['a setting twice', /setting 4 twice/, () => [setting([1, 1], [4, 5], [4, 5])]],
  ['SETTINGS without a version', /version of 0/, () => [setting([4, 5])]],
  ['a window of one byte', /initial window of 1/, () => [setting([1, 1], [3, 1])]],
  ['a window above 2^31', /initial window of 4294967295/, () => [setting([1, 1], [3, 0xffff_ffff])]],
  ['no streams at all', /number of streams of 0/, () => [setting([1, 1], [4, 0])]],
  ['frames that fit no head', /frame size of 100/, () => [setting([1, 1], [5, 100])]],
  [
    'a frame above the limit',
    /frame of 98305 bytes/,
    () => [settings, frame(frameType.data, 1, Buffer.alloc(minFrameBytes + 1))],
  ],
  ['a stream number above 2^31', /above 2\^31/, () => [settings, frame(frameType.data, 0x8000_0001)]],
  ['an unknown frame that is not optional', /unknown type 9/, () => [settings, frame(9, 0)]],
  ['HEAD on stream 0', /stream 0/, () => [settings, head(0)]],
  ['HEAD for a stream below an earlier one', /HEAD for stream 3 after 4/, () => [settings, head(4), head(3)]],
  ['HEAD twice', /HEAD for stream 1 after 1/, () => [settings, head(1, undefined, 0, false), head(1)]],
  ['HEAD without a head', /malformed HEAD/, () => [settings, head(1, '')]],
  ['HEAD cut off', /malformed HEAD/, () => [settings, frame(frameType.head, 1, Buffer.from([0, 0]))]],
  [
    'HEAD longer than its frame',
    /malformed HEAD/,
    () => [settings, frame(frameType.head, 1, Buffer.from([0, 0, 1, 0, 71]))],
  ],
  ['HEAD with unknown info', /malformed HEAD/, () => [settings, head(1, undefined, 0x40)]],
  ['HEAD with an unknown body coding', /malformed HEAD/, () => [settings, head(1, undefined, 3)]],
  ['an interim head with an end', /interim HEAD/, () => [settings, head(1, undefined, 4)]],
  ['DATA for a stream never opened', /DATA for stream 7, which was never/, () => [settings, frame(frameType.data, 7)]],
  ['DATA after FIN', /DATA after FIN/, () => [settings, head(1), frame(frameType.data, 1, Buffer.from('x'))]],
  [
    'TRAILERS without FIN',
    /TRAILERS without FIN/,
    () => [settings, head(1, undefined, 2, false), frame(frameType.trailers, 1)],
  ],
  ['TRAILERS after FIN', /TRAILERS after FIN/, () => [settings, head(1), frame(frameType.trailers | flag.fin, 1)]],
  ['RESET of a stream never opened', /RESET for stream 9/, () => [settings, numbers(frameType.reset, 9, 1)]],
  ['RESET of a wrong size', /RESET with 8 bytes/, () => [settings, head(1), numbers(frameType.reset, 1, 1, 1)]],
  ['WINDOW for a stream never opened', /WINDOW for stream 5/, () => [settings, numbers(frameType.window, 5, 1)]],
  ['WINDOW for the session', /WINDOW for stream 0/, () => [settings, numbers(frameType.window, 0, 1)]],
  ['WINDOW of a wrong size', /WINDOW with 8 bytes/, () => [settings, head(1), numbers(frameType.window, 1, 1, 1)]],
  [
    'a window that overflows',
    /above 2\^31 - 1 bytes/,
    () => [settings, head(1), numbers(frameType.window, 1, 0x7fff_ffff)],
  ],
  ['GOAWAY cut off', /GOAWAY with 4 bytes/, () => [settings, numbers(frameType.goAway, 0, 1)]],
  ['GOAWAY with a novel', /GOAWAY with 500 bytes/, () => [settings, frame(frameType.goAway, 0, Buffer.alloc(500))]],
  ['GOAWAY on a stream', /GOAWAY on stream 1/, () => [settings, numbers(frameType.goAway, 1, 0, 0)]],
  ['PING of a wrong size', /PING with 4 bytes/, () => [settings, numbers(frameType.ping, 0, 1)]],
  ['PING on a stream', /PING on stream 1/, () => [settings, numbers(frameType.ping, 1, 1, 1)]],
];

describe('a session ends with the name of the rule that the peer broke', () => {
  for (const [rule, reason, frames] of rules) {
    it(rule, async () => {
      const victim = new Victim();
      await victim.send(...frames());
      expect(victim.session.closed).toBe(true);
      expect(victim.goAwayReason).toMatch(reason);
      victim.session.tick(0);
      victim.session.tick(3_000);
      await victim.link.settle();
      expect(victim.closedWith?.message).toMatch(reason);
    });
  }

  it('the same, one byte at a time', async () => {
    for (const [, reason, frames] of rules) {
      const victim = new Victim();
      victim.link.chunking = () => 1;
      const bytes = Buffer.concat(frames()).subarray(0, 400);
      await victim.send(bytes);
      if (bytes.length < 400) expect(victim.goAwayReason).toMatch(reason);
    }
  });

  it('answers of a server that were not asked for', async () => {
    const cases: [RegExp, Buffer][] = [
      [/HEAD for stream 1, which was never opened/, head(1)],
      [/DATA for stream 1/, frame(frameType.data, 1)],
      [/RESET for stream 1/, numbers(frameType.reset, 1, 1)],
    ];
    for (const [reason, bytes] of cases) {
      const victim = await Victim.greeted('client');
      await victim.send(bytes);
      expect(victim.goAwayReason).toMatch(reason);
    }
  });

  it('answers of a server in the wrong order', async () => {
    const cases: [RegExp, Buffer[]][] = [
      [/DATA before HEAD/, [frame(frameType.data, 1, Buffer.from('x'))]],
      [/TRAILERS before HEAD/, [frame(frameType.trailers | flag.fin, 1, Buffer.from('\r\n'))]],
      [/DATA before HEAD/, [head(1, 'HTTP/1.1 103 E\r\n\r\n', 4, false), frame(frameType.data, 1, Buffer.from('x'))]],
      [/two final heads/, [head(1, 'HTTP/1.1 200 OK\r\n\r\n', 1, false), head(1, 'HTTP/1.1 200 OK\r\n\r\n', 1)]],
    ];
    for (const [reason, frames] of cases) {
      const victim = await Victim.greeted('client');
      const answer = new Recorder();
      const stream = victim.session.open(answer);
      answer.stream = stream;
      const request = Buffer.from('GET / HTTP/1.1\r\n\r\n');
      stream.sendHead({ body: 1, interim: false, http2: false }, request, 0, request.length, request.length, false);
      await victim.send(...frames);
      expect(victim.goAwayReason).toMatch(reason);
      expect(answer.resetCode).toBe('lost');
    }
  });
});

describe('what a peer may not drive up', () => {
  it('streams: those above the limit are refused and the others live on', async () => {
    const victim = await Victim.greeted('server', { maxStreams: 3 });
    await victim.send(head(1, undefined, 1, false), head(2), head(3), head(4), head(5));
    expect(victim.streams).toHaveLength(3);
    expect(victim.session.openStreams).toBe(3);
    expect(victim.session.closed).toBe(false);
    const refused = Buffer.concat(victim.link.server.sent);
    expect(refused.includes(numbers(frameType.reset, 4, 2))).toBe(true);
    expect(refused.includes(numbers(frameType.reset, 5, 2))).toBe(true);
    // A stream that ends makes room.
    await victim.send(numbers(frameType.reset, 1, 1), head(6));
    expect(victim.streams).toHaveLength(4);
  });

  it('resets per second (rapid reset)', async () => {
    const victim = await Victim.greeted('server', { resets: { burst: 10, perSecond: 5 } });
    const pair = (id: number) => Buffer.concat([head(id), numbers(frameType.reset, id, 1)]);
    await victim.send(...Array.from({ length: 10 }, (_, index) => pair(index + 1)));
    expect(victim.session.closed).toBe(false);
    expect(victim.session.openStreams).toBe(0);
    victim.nowMs = 1_000;
    await victim.send(...Array.from({ length: 5 }, (_, index) => pair(index + 11)));
    expect(victim.session.closed).toBe(false);
    await victim.send(pair(16));
    expect(victim.goAwayReason).toMatch(/too many RESET/);
  });

  it('streams that this side has to reset', async () => {
    const victim = await Victim.greeted('server', { resets: { burst: 5, perSecond: 1 }, initialWindowBytes: 16_384 });
    const excess = (id: number) =>
      Buffer.concat([head(id, undefined, 1, false), frame(frameType.data, id, Buffer.alloc(16_385))]);
    await victim.send(excess(1), excess(2), excess(3), excess(4), excess(5));
    expect(victim.streams.map((stream) => stream.resetCode)).toEqual(Array(5).fill('flow-control'));
    expect(victim.session.closed).toBe(false);
    await victim.send(excess(6));
    expect(victim.goAwayReason).toMatch(/too many RESET/);
  });

  it('pings', async () => {
    const victim = await Victim.greeted('server', { pings: { burst: 3, perSecond: 1 } });
    await victim.send(...Array.from({ length: 3 }, () => numbers(frameType.ping, 0, 1, 2)));
    expect(victim.session.closed).toBe(false);
    expect(Buffer.concat(victim.link.server.sent).includes(numbers(frameType.ping | flag.ack, 0, 1, 2))).toBe(true);
    await victim.send(numbers(frameType.ping, 0, 1, 2));
    expect(victim.goAwayReason).toMatch(/too many PING/);
  });

  it('frames without use', async () => {
    const idle: [string, Buffer][] = [
      ['empty DATA', frame(frameType.data, 1)],
      ['WINDOW of zero', numbers(frameType.window, 1, 0)],
      ['optional frames', frame(20, 0, Buffer.from('later'))],
      ['WINDOW for an ended stream', numbers(frameType.window, 2, 5)],
      ['DATA for an ended stream', frame(frameType.data, 2, Buffer.from('x'))],
      ['TRAILERS for an ended stream', frame(frameType.trailers | flag.fin, 2)],
      ['GOAWAY again and again', numbers(frameType.goAway, 0, 5, 0)],
    ];
    for (const [name, bytes] of idle) {
      const victim = await Victim.greeted('server', { idleFrames: { burst: 8, perSecond: 1 } });
      await victim.send(head(1, undefined, 1, false), head(2), numbers(frameType.reset, 2, 1));
      await victim.send(...Array.from({ length: 8 }, () => bytes));
      expect(victim.session.closed, name).toBe(false);
      await victim.send(bytes);
      expect(victim.goAwayReason, name).toMatch(/frames without use/);
    }
  });

  it('bytes that wait for slow consumers: the stream that exceeds the bound is reset, new ones are refused', async () => {
    const victim = await Victim.greeted('server', { maxBufferedBytes: 100_000 });
    victim.onStream = (_, recorder) => {
      recorder.takes = false;
    };
    const open = (id: number) =>
      Buffer.concat([head(id, undefined, 1, false), frame(frameType.data, id, Buffer.alloc(40_000))]);
    await victim.send(open(1), open(2), open(3));
    expect(victim.streams.map((stream) => stream.resetCode)).toEqual([null, null, 'overload']);
    expect(victim.session.bufferedBytes).toBe(80_000);
    expect(victim.session.closed).toBe(false);
    victim.streams[0]?.stream?.consumed(40_000);
    await victim.send(open(4));
    expect(victim.streams[3]?.resetCode).toBe(null);
  });

  it('bytes that it does not read', async () => {
    const victim = await Victim.greeted('server', { maxQueuedBytes: 200_000 });
    victim.link.server.paused = true;
    const big = Buffer.alloc(60_000, 'h');
    victim.onStream = (stream, recorder) => {
      recorder.onHeadSeen = () => stream.sendHead({ body: 0, interim: false, http2: false }, big, 0, big.length);
    };
    await victim.send(...Array.from({ length: 20 }, (_, index) => head(index + 1)));
    expect(victim.session.closed).toBe(true);
    expect(victim.closedWith?.message).toMatch(/bytes wait for the peer/);
    expect(victim.session.outbox.queuedBytes).toBe(0);
  });

  it('memory of a frame announced and never sent', async () => {
    const victim = await Victim.greeted();
    const announced = Buffer.alloc(headerBytes);
    writeHeader(announced, 0, frameType.head, minFrameBytes, 1);
    await victim.send(announced, Buffer.from([0, 0, 1]));
    expect(victim.session.closed).toBe(false);
    expect(victim.streams).toHaveLength(0);
  });
});

describe('other versions', () => {
  it('skips optional frames and settings that it does not know', async () => {
    const victim = new Victim();
    await victim.send(setting([1, 9], [3, 100_000], [4, 200], [77, 1]), frame(31, 0, Buffer.from('x')), frame(16, 4));
    await victim.send(head(1));
    expect(victim.session.closed).toBe(false);
    expect(victim.streams).toHaveLength(1);
  });

  it('takes an error code that it does not know for an error inside the peer', async () => {
    const victim = await Victim.greeted();
    await victim.send(head(1), numbers(frameType.reset, 1, 4_000));
    expect(victim.streams[0]?.resetCode).toBe('internal');
  });

  it('keeps to the limits of a peer with smaller ones', async () => {
    const pair = await MuxPair.open({ server: { maxStreams: 100, initialWindowBytes: 16_384 } });
    for (let n = 1; n < 100; n += 1) pair.request('GET / HTTP/1.1\r\n\r\n', '', false);
    const { stream } = pair.request('GET / HTTP/1.1\r\n\r\n', '', false);
    expect(pair.client.available).toBe(false);
    expect(stream.inlineRoom).toBe(16_384);
    await pair.link.settle();
    expect(pair.served).toHaveLength(100);
  });

  it('makes the words of the peer fit for a log', async () => {
    const victim = await Victim.greeted('client');
    const payload = Buffer.concat([
      numbers(0, 0, 0, 6).subarray(headerBytes),
      Buffer.from('a\n\x1b[31mb\xff', 'latin1'),
    ]);
    await victim.send(frame(frameType.goAway, 0, payload));
    await victim.link.settle();
    victim.link.break();
    await victim.link.settle();
    expect(victim.closedWith?.message).toBe('the peer ended the session: a??[31mb?');
  });
});
