import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { MuxStream } from '../../../core/data-plane/mux/stream.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { eventually } from '../../support/eventually.ts';
import { answer, plainHead, Recorder } from '../../support/mux-pair.ts';
import { openTlsMux, type TlsMux } from '../../support/mux-tls.ts';

let mux: TlsMux | null = null;

afterEach(async () => {
  await mux?.close();
  mux = null;
});

function open(pair: TlsMux, head: string, body = '', fin = true): { stream: MuxStream; heard: Recorder } {
  const heard = new Recorder();
  const stream = pair.client.open(heard);
  heard.stream = stream;
  const bytes = Buffer.from(head + body, 'latin1');
  if (!stream.sendHead(plainHead, bytes, 0, head.length, bytes.length, fin)) throw new Error('not admitted');
  return { stream, heard };
}

const block = (() => {
  const random = createSeededRandom(3);
  const bytes = Buffer.alloc(65_536);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = random() * 256;
  return bytes;
})();

/** Sends `blocks` times 64 KiB, as fast as the stream takes them, and says their hash. */
function pour(stream: MuxStream, recorder: Recorder, blocks: number): string {
  const hash = createHash('sha256');
  for (let n = 0; n < blocks; n += 1) hash.update(block);
  let sent = 0;
  const pump = () => {
    while (sent < blocks) {
      sent += 1;
      if (!stream.send(block, 0, block.length, sent === blocks)) return;
    }
  };
  recorder.onDrain = pump;
  pump();
  return hash.digest('hex');
}

/** Hashes what arrives instead of keeping it. */
function digestBody(recorder: Recorder, stream: MuxStream): { hex: () => string; bytes: () => number } {
  const hash = createHash('sha256');
  let count = 0;
  recorder.onData = (bytes, start, end) => {
    hash.update(bytes.subarray(start, end));
    count += end - start;
    stream.consumed(end - start);
  };
  return { hex: () => hash.copy().digest('hex'), bytes: () => count };
}

describe.each(['raw', 'socket'] as const)('a session over mesh TLS, on %s wires', (kind) => {
  it('answers 1,000 streams that are open at once', async () => {
    const waiting: (() => void)[] = [];
    mux = await openTlsMux(kind, (recorder) => {
      recorder.onEndSeen = (stream) =>
        waiting.push(() => answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', recorder.heads[0]?.text.slice(0, 9)));
    });
    const pair = mux;
    const heard = Array.from({ length: 1_000 }, (_, n) => {
      const head = `GET /${String(n).padStart(4, '0')} HTTP/1.1\r\n\r\n`;
      return open(pair, head, 'x'.repeat(n % 50)).heard;
    });
    await eventually('all requests to arrive', () => waiting.length === 1_000);
    expect(pair.client.openStreams).toBe(1_000);
    for (const go of waiting) go();
    await eventually('all answers', () => heard.every(({ ended }) => ended));
    expect(heard.map(({ body }) => body.toString())).toEqual(
      Array.from({ length: 1_000 }, (_, n) => `GET /${String(n).padStart(4, '0')}`),
    );
    expect([pair.client.openStreams, pair.server().openStreams]).toEqual([0, 0]);
  });

  it('carries 64 MB both ways at once unchanged, and a small request meanwhile', async () => {
    let upload: ReturnType<typeof digestBody> | null = null;
    let downHash = '';
    mux = await openTlsMux(kind, (recorder, stream) => {
      recorder.onHeadSeen = () => {
        if (!recorder.heads[0]?.text.startsWith('POST')) {
          answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', 'small');
          return;
        }
        answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', '', false);
        downHash = pour(stream, recorder, 1_024);
      };
      upload ??= digestBody(recorder, stream);
    });
    const { stream, heard } = open(mux, 'POST / HTTP/1.1\r\n\r\n', '', false);
    const download = digestBody(heard, stream);
    const upHash = pour(stream, heard, 1_024);
    await eventually('some of the download', () => download.bytes() > 4_000_000);
    const bytesBefore = download.bytes();
    const small = open(mux, 'GET /small HTTP/1.1\r\n\r\n').heard;
    await eventually('the small answer', () => small.ended);
    expect(small.body.toString()).toBe('small');
    expect(bytesBefore).toBeLessThan(64 * 1024 * 1024);
    await eventually('the end of both', () => heard.ended && mux?.served[0]?.ended);
    expect(download.bytes()).toBe(64 * 1024 * 1024);
    expect(download.hex()).toBe(downHash);
    const got = upload as ReturnType<typeof digestBody> | null;
    expect(got?.hex()).toBe(upHash);
    expect([mux.client.openStreams, mux.server().openStreams]).toEqual([0, 0]);
  });

  it('does not let consumers that take nothing stop others', async () => {
    mux = await openTlsMux(kind, (recorder, stream) => {
      recorder.onHeadSeen = () => {
        answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', '', false);
        pour(stream, recorder, 64);
      };
    });
    const stuck = Array.from({ length: 50 }, (_, n) => {
      const { heard } = open(mux as TlsMux, `GET /stuck/${n} HTTP/1.1\r\n\r\n`);
      heard.takes = false;
      return heard;
    });
    const received = () =>
      stuck.reduce((sum, { chunks }) => sum + chunks.reduce((bytes, chunk) => bytes + chunk.length, 0), 0);
    await eventually('full windows', () => received() === 50 * 64 * 1024);
    const { stream, heard } = open(mux, 'GET /free HTTP/1.1\r\n\r\n');
    const free = digestBody(heard, stream);
    await eventually('the free one to end', () => heard.ended);
    expect(free.bytes()).toBe(4 * 1024 * 1024);
    expect(received()).toBe(50 * 64 * 1024);
    for (const each of stuck) {
      each.takes = true;
      each.stream?.consumed(64 * 1024);
    }
    await eventually('the stuck ones to end', () => stuck.every(({ ended }) => ended));
    expect(received()).toBe(50 * 4 * 1024 * 1024);
  });

  it('tells each stream when the connection dies in the middle', async () => {
    mux = await openTlsMux(kind, (recorder, stream) => {
      recorder.onHeadSeen = () => answer(stream, 'HTTP/1.1 200 OK\r\n\r\n', 'part', false);
    });
    const heard = Array.from({ length: 20 }, (_, n) => open(mux as TlsMux, `GET /${n} HTTP/1.1\r\n\r\n`).heard);
    await eventually('all heads', () => heard.every(({ heads }) => heads.length === 1));
    mux.server().wire.reset();
    await eventually('all to be told', () => heard.every(({ resetCode }) => resetCode !== null));
    expect(new Set(heard.map(({ resetCode }) => resetCode))).toEqual(new Set(['lost']));
    expect(new Set(mux.served.map(({ resetCode }) => resetCode))).toEqual(new Set(['lost']));
    expect(mux.closed.client).toBeInstanceOf(Error);
    expect(mux.client.available).toBe(false);
  });

  it('ends in order after a drain', async () => {
    mux = await openTlsMux(kind, (recorder) => {
      recorder.onEndSeen = (stream) => answer(stream, 'HTTP/1.1 200 OK\r\n\r\n');
    });
    const { heard } = open(mux, 'GET / HTTP/1.1\r\n\r\n');
    mux.server().drain();
    await eventually('both ends to close', () => mux?.closed.client !== undefined && mux.closed.server !== undefined);
    expect(heard.heads).toHaveLength(1);
    expect(mux.closed).toEqual({ client: null, server: null });
  });
});
