/**
 * A sidecar that was taken over, on either side: what it says about its messages is checked like what any client or server
 * says, so that nobody behind us reads another message than we do.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { UpstreamSession } from '../../../core/data-plane/http/streams.ts';
import { bodyCoding, type HeadInfo } from '../../../core/data-plane/mux/frame.ts';
import { MuxHandler } from '../../../core/data-plane/mux/mux-handler.ts';
import { MuxSession } from '../../../core/data-plane/mux/session.ts';
import type { MuxStream } from '../../../core/data-plane/mux/stream.ts';
import { muxCarrier } from '../../../core/data-plane/mux/upstream-carrier.ts';
import { openWire } from '../../../core/data-plane/wire/open-wire.ts';
import type { WireOwner } from '../../../core/data-plane/wire/wire.ts';
import { eventually } from '../../support/eventually.ts';
import {
  connectMux,
  muxContext,
  muxEndpoint,
  parseRequest,
  SeenAnswer,
  ServerScript,
} from '../../support/mux-carriers.ts';
import { Recorder } from '../../support/mux-pair.ts';

let closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

const unowned: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
const monotonicMs = () => performance.now();
const info = (body: 0 | 1 | 2, interim = false): HeadInfo => ({ body, interim, http2: false });
const { none, asHead, plain } = bodyCoding;

interface Message {
  readonly info: HeadInfo;
  readonly head: string;
  readonly body?: string;
  /** Sent in a frame of its own. */
  readonly more?: string;
  readonly trailers?: string;
  readonly fin?: boolean;
}

function send(stream: MuxStream, { info: about, head, body = '', more, trailers, fin = true }: Message): void {
  const bytes = Buffer.from(head + body, 'latin1');
  const only = more === undefined && trailers === undefined;
  stream.sendHead(about, bytes, 0, head.length, bytes.length, fin && only);
  if (more !== undefined) stream.send(Buffer.from(more, 'latin1'), 0, more.length, fin && trailers === undefined);
  if (trailers !== undefined) stream.sendTrailerBlock(Buffer.from(trailers, 'latin1'), 0, trailers.length);
}

/** A server of ours against a client written out by hand. */
async function attackServer(message: Message): Promise<{ script: ServerScript; heard: Recorder }> {
  const { server, socket, accepted } = await connectMux();
  const script = new ServerScript();
  script.onEnd = (request) => request.answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', 'ok');
  const handler = new MuxHandler({ server: script, monotonicMs, recorderOf: () => null, warn: () => undefined });
  handler.serve(await accepted, Buffer.alloc(0), muxContext);
  const client = new MuxSession(openWire(socket, unowned), {
    role: 'client',
    monotonicMs,
    owner: {
      onReady: () => undefined,
      onStream: () => new Recorder(),
      onRoom: () => undefined,
      onDraining: () => undefined,
      onClose: () => undefined,
    },
  });
  closers.push(async () => {
    client.wire.destroy();
    handler.closeAll();
    await server.close();
  });
  const heard = new Recorder();
  const stream = client.open(heard);
  heard.stream = stream;
  send(stream, message);
  await eventually('an end', () => heard.ended || heard.resetCode !== null);
  return { script, heard };
}

const length = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n';
const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const bare = 'POST / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a hostile client sidecar', () => {
  it.each<[string, Message]>([
    [
      'a length and chunks',
      { info: info(asHead), head: `${chunked.slice(0, -2)}Content-Length: 4\r\n\r\n`, body: 'abcd' },
    ],
    ['two heads in one frame', { info: info(none), head: `${bare}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n` }],
    ['a head that does not end', { info: info(none), head: 'POST / HTTP/1.1\r\nHost: a\r\n' }],
    ['no Host', { info: info(none), head: 'GET / HTTP/1.1\r\n\r\n' }],
    ['a line break in a value', { info: info(none), head: 'GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n\r\n' }],
    ['a blank before the colon', { info: info(none), head: 'GET / HTTP/1.1\r\nHost : a\r\n\r\n' }],
    ['a length where the frame says there is no body', { info: info(none), head: length }],
    ['chunks where the frame says there is no body', { info: info(none), head: chunked }],
    ['a length where the frame says plain', { info: info(plain), head: length, body: 'abcd' }],
    ['chunks where the frame says plain', { info: info(plain), head: chunked, body: 'abcd' }],
    ['no framing where the frame says as the head', { info: info(asHead), head: bare, body: 'abcd' }],
    ['an interim head', { info: info(none, true), head: bare, fin: false }],
  ])('is refused before anything is routed: %s', async (_, message) => {
    const { script, heard } = await attackServer(message);
    expect(script.requests).toHaveLength(0);
    expect(heard.heads[0]?.text ?? 'reset').toMatch(/^(HTTP\/1.1 4|reset)/);
  });

  it.each<[string, Message]>([
    ['more bytes than the length', { info: info(asHead), head: length, body: 'abcde' }],
    ['more bytes later', { info: info(asHead), head: length, body: 'ab', more: 'cde' }],
    ['less bytes than the length', { info: info(asHead), head: length, body: 'abc' }],
    ['nothing of the length', { info: info(asHead), head: length }],
    [
      'bytes behind the last chunk',
      { info: info(asHead), head: chunked, body: '1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n' },
    ],
    ['chunks cut off', { info: info(asHead), head: chunked, body: '4\r\nab' }],
    ['a broken chunk', { info: info(asHead), head: chunked, body: '4\r\nabcdX' }],
    ['a size that is none', { info: info(asHead), head: chunked, more: '-1\r\n' }],
    ['a length in trailers', { info: info(plain), head: bare, more: 'ab', trailers: 'content-length: 1\r\n\r\n' }],
    ['trailers that are none', { info: info(plain), head: bare, more: 'ab', trailers: 'GET / HTTP/1.1\r\n\r\n' }],
    ['trailers that do not end', { info: info(plain), head: bare, more: 'ab', trailers: 'a: b\r\n' }],
    ['trailers behind a length', { info: info(asHead), head: length, more: 'abcd', trailers: 'a: b\r\n\r\n' }],
    ['bytes without a body', { info: info(none), head: bare, more: 'ab' }],
  ])('has its body refused: %s', async (_, message) => {
    const { script } = await attackServer(message);
    const [request] = script.requests;
    // What was complete before the offence may have been answered; nothing else may have been taken for a request.
    expect(script.requests).toHaveLength(1);
    if (message.more !== 'ab' && message.more !== 'abcd')
      expect(request?.ended && request.refusal === null).toBe(false);
    expect('abcd'.startsWith(request?.body.replace(/[^a-d]/g, '') ?? '')).toBe(true);
  });
});

/** A client of ours against a server written out by hand. */
async function attackClient(
  message: Message,
  request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
): Promise<{ answer: SeenAnswer; upstream: UpstreamSession }> {
  const { server, socket, accepted } = await connectMux();
  const session = new MuxSession(openWire(await accepted, unowned), {
    role: 'server',
    monotonicMs,
    owner: {
      onReady: () => undefined,
      onStream: (stream) => {
        const recorder = new Recorder();
        recorder.stream = stream;
        recorder.onEndSeen = () => send(stream, message);
        return recorder;
      },
      onRoom: () => undefined,
      onDraining: () => undefined,
      onClose: () => undefined,
    },
  });
  const upstream = muxCarrier.createSession(socket, {
    endpoint: muxEndpoint,
    recorder: null,
    monotonicMs,
    onRoom: () => undefined,
    onClosed: () => undefined,
  });
  closers.push(async () => {
    upstream.destroy();
    session.wire.destroy();
    await server.close();
  });
  const answer = new SeenAnswer();
  const { bytes, head } = parseRequest(request);
  const edit = { target: null, host: null, requestId: null };
  upstream.open(answer, 'http/1.1')?.sendHead(bytes, head, edit, 'none', bytes, 0, 0, true);
  await eventually('an end', () => answer.loss !== null || answer.ended);
  return { answer, upstream };
}

const okLength = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n';
const okChunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const okBare = 'HTTP/1.1 200 OK\r\n\r\n';

describe('a hostile server sidecar', () => {
  it.each<[string, Message]>([
    ['a request', { info: info(none), head: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' }],
    ['two heads in one frame', { info: info(none), head: `HTTP/1.1 204 N\r\n\r\n${okBare}` }],
    [
      'a length and chunks',
      { info: info(asHead), head: `${okChunked.slice(0, -2)}Content-Length: 4\r\n\r\n`, body: 'abcd' },
    ],
    ['a length where the frame says there is no body', { info: info(none), head: okLength }],
    ['a length where the frame says plain', { info: info(plain), head: okLength, body: 'abcd' }],
    ['no framing where the frame says as the head', { info: info(asHead), head: okBare, body: 'abcd' }],
    ['a body with 204', { info: info(plain), head: 'HTTP/1.1 204 N\r\n\r\n', body: 'abcd' }],
    ['a body with 304', { info: info(asHead), head: okLength.replace('200', '304'), body: 'abcd' }],
    [
      'a switch that nobody asked for',
      { info: info(plain), head: 'HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n' },
    ],
    ['a final head that says it is interim', { info: info(none, true), head: okBare, fin: false }],
    ['a switch that says it is interim', { info: info(none, true), head: 'HTTP/1.1 101 S\r\n\r\n', fin: false }],
  ])('is given up before its answer goes anywhere: %s', async (_, message) => {
    const { answer } = await attackClient(message);
    expect(answer.loss?.reason).toBe('protocol');
    expect(answer.head).toBe('');
  });

  it.each<[string, Message]>([
    ['more bytes than the length', { info: info(asHead), head: okLength, body: 'abcde' }],
    ['more bytes later', { info: info(asHead), head: okLength, body: 'ab', more: 'cde' }],
    ['less bytes than the length', { info: info(asHead), head: okLength, body: 'abc' }],
    [
      'bytes behind the last chunk',
      { info: info(asHead), head: okChunked, body: '1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n' },
    ],
    ['chunks cut off', { info: info(asHead), head: okChunked, body: '4\r\nab' }],
    ['a length in trailers', { info: info(plain), head: okBare, more: 'ab', trailers: 'content-length: 1\r\n\r\n' }],
    ['trailers behind a length', { info: info(asHead), head: okLength, more: 'abc', trailers: 'a: b\r\n\r\n' }],
  ])('does not have its answer taken for whole: %s', async (_, message) => {
    const { answer } = await attackClient(message);
    expect(answer.loss).not.toBeNull();
    expect(answer.ended).toBe(false);
  });

  it('cannot keep streams open behind complete answers', async () => {
    const { answer, upstream } = await attackClient({ info: info(asHead), head: okLength, body: 'abcd', fin: false });
    expect(answer).toMatchObject({ ended: true, body: 'abcd', loss: null });
    expect(upstream.active).toBe(1);
    for (let nowMs = 0; nowMs < 3; nowMs += 1) upstream.tick(nowMs);
    expect(upstream.active).toBe(0);
  });

  it('cannot give an answer to HEAD a body', async () => {
    const message = { info: info(asHead), head: okLength, body: 'abcd' };
    const { answer } = await attackClient(message, 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answer.loss?.reason).toBe('protocol');
  });
});
