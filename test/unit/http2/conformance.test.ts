import { describe, expect, it } from 'vitest';
import { frameType } from '../../../core/data-plane/http2/protocol.ts';
import {
  data,
  type Field,
  frame,
  get,
  greeting,
  headers,
  literals,
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

/** Sends octets to a server session and returns the errors that it answers with. */
function errorsOf(...frames: Buffer[]): string[] {
  const { wire } = createSession('server');
  wire.take();
  wire.receive(Buffer.concat([greeting, ...frames]));
  return readErrors(readFrames(wire.take()));
}

const large = Buffer.alloc(16_385);
const with_ = (...fields: Field[]) => [...get, ...fields];
const without = (name: string) => get.filter((field) => field[0] !== name);
const replaced = (name: string, value: string) =>
  get.map((field): Field => (field[0] === name ? [name, value] : field));

describe('frames and streams that break RFC 9113', () => {
  it.each<[section: string, frames: Buffer[], error: string]>([
    ['3.4 another first frame than SETTINGS', [], ''],
    ['4.2 DATA larger than the limit', [headers(1, post, 4), data(1, large)], 'GOAWAY FRAME_SIZE_ERROR'],
    ['4.2 HEADERS larger than the limit', [headers(1, large)], 'GOAWAY FRAME_SIZE_ERROR'],
    ['4.3 a block that cannot be decoded', [headers(1, Buffer.from([0xff]))], 'GOAWAY COMPRESSION_ERROR'],
    ['4.3 PRIORITY within a block', [headers(1, get, 1), frame(2, 0, 1, '12345')], 'GOAWAY PROTOCOL_ERROR'],
    ['4.3 HEADERS of another stream within a block', [headers(1, get, 1), headers(3, get)], 'GOAWAY PROTOCOL_ERROR'],
    ['4.3 an unknown frame within a block', [headers(1, get, 1), frame(99, 0, 0)], 'GOAWAY PROTOCOL_ERROR'],
    ['5.1 DATA on an idle stream', [data(1, 'a')], 'GOAWAY PROTOCOL_ERROR'],
    ['5.1 RST_STREAM on an idle stream', [rst(1, 8)], 'GOAWAY PROTOCOL_ERROR'],
    ['5.1 WINDOW_UPDATE on an idle stream', [windowUpdate(1, 9)], 'GOAWAY PROTOCOL_ERROR'],
    ['5.1 CONTINUATION on an idle stream', [frame(9, 4, 1, literals(get))], 'GOAWAY PROTOCOL_ERROR'],
    ['5.1 DATA after END_STREAM', [headers(1, get), data(1, 'a')], 'RST_STREAM 1 STREAM_CLOSED'],
    ['5.1 HEADERS after END_STREAM', [headers(1, get), headers(1, get)], 'RST_STREAM 1 STREAM_CLOSED'],
    ['5.1 DATA after RST_STREAM', [headers(1, post, 4), rst(1, 8), data(1, 'a')], 'GOAWAY STREAM_CLOSED'],
    ['5.1 HEADERS after RST_STREAM', [headers(1, post, 4), rst(1, 8), headers(1, get)], 'GOAWAY STREAM_CLOSED'],
    ['5.1.1 an even stream', [headers(2, get)], 'GOAWAY PROTOCOL_ERROR'],
    ['5.1.1 a stream lower than the last', [headers(5, get), headers(3, get)], 'GOAWAY STREAM_CLOSED'],
    ['6.1 DATA on stream 0', [data(0, 'a')], 'GOAWAY PROTOCOL_ERROR'],
    ['6.1 padding as long as the frame', [headers(1, post, 4), data(1, '\x02a', 8)], 'GOAWAY PROTOCOL_ERROR'],
    ['6.1 a padded frame without content', [headers(1, post, 4), data(1, '', 8)], 'GOAWAY FRAME_SIZE_ERROR'],
    ['6.2 HEADERS on stream 0', [headers(0, get)], 'GOAWAY PROTOCOL_ERROR'],
    [
      '6.2 padding longer than the frame',
      [frame(1, 0xd, 1, `\xff${literals(get).toString('latin1')}`)],
      'GOAWAY PROTOCOL_ERROR',
    ],
    ['6.2 priority that is cut off', [frame(1, 0x25, 1, '123')], 'GOAWAY FRAME_SIZE_ERROR'],
    ['6.3 PRIORITY on stream 0', [frame(2, 0, 0, '12345')], 'GOAWAY PROTOCOL_ERROR'],
    ['6.3 PRIORITY of another length', [headers(1, post, 4), frame(2, 0, 1, '1234')], 'RST_STREAM 1 FRAME_SIZE_ERROR'],
    ['6.4 RST_STREAM on stream 0', [rst(0, 8)], 'GOAWAY PROTOCOL_ERROR'],
    ['6.4 RST_STREAM of another length', [headers(1, get), frame(3, 0, 1, '123')], 'GOAWAY FRAME_SIZE_ERROR'],
    ['6.5 SETTINGS on a stream', [frame(4, 0, 1)], 'GOAWAY PROTOCOL_ERROR'],
    ['6.5 SETTINGS of another length', [frame(4, 0, 0, '12345')], 'GOAWAY FRAME_SIZE_ERROR'],
    ['6.5 an acknowledgement with content', [frame(4, 1, 0, '123456')], 'GOAWAY FRAME_SIZE_ERROR'],
    ['6.5.2 ENABLE_PUSH above 1', [settings([2, 2])], 'GOAWAY PROTOCOL_ERROR'],
    ['6.5.2 an initial window above the maximum', [settings([4, 2 ** 31])], 'GOAWAY FLOW_CONTROL_ERROR'],
    ['6.5.2 MAX_FRAME_SIZE below the minimum', [settings([5, 16_383])], 'GOAWAY PROTOCOL_ERROR'],
    ['6.5.2 MAX_FRAME_SIZE above the maximum', [settings([5, 2 ** 24])], 'GOAWAY PROTOCOL_ERROR'],
    ['6.6 PUSH_PROMISE of a client', [headers(1, get), frame(5, 4, 1, '1234')], 'GOAWAY PROTOCOL_ERROR'],
    ['6.7 PING on a stream', [ping('12345678', 0, 1)], 'GOAWAY PROTOCOL_ERROR'],
    ['6.7 PING of another length', [ping('1234567')], 'GOAWAY FRAME_SIZE_ERROR'],
    ['6.8 GOAWAY on a stream', [frame(7, 0, 1, '12345678')], 'GOAWAY PROTOCOL_ERROR'],
    ['6.8 GOAWAY that is cut off', [frame(7, 0, 0, '1234567')], 'GOAWAY FRAME_SIZE_ERROR'],
    ['6.9 WINDOW_UPDATE of nothing', [windowUpdate(0, 0)], 'GOAWAY PROTOCOL_ERROR'],
    ['6.9 WINDOW_UPDATE of nothing on a stream', [headers(1, get), windowUpdate(1, 0)], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['6.9 WINDOW_UPDATE of another length', [frame(8, 0, 0, '123')], 'GOAWAY FRAME_SIZE_ERROR'],
    ['6.9.1 a connection window above the maximum', [windowUpdate(0, 2 ** 31 - 1)], 'GOAWAY FLOW_CONTROL_ERROR'],
    [
      '6.9.1 a stream window above the maximum',
      [headers(1, get), windowUpdate(1, 2 ** 31 - 1)],
      'RST_STREAM 1 FLOW_CONTROL_ERROR',
    ],
    [
      '6.9.2 a stream window above the maximum through SETTINGS',
      [headers(1, get), windowUpdate(1, 2 ** 30), settings([4, 2 ** 31 - 1])],
      'GOAWAY FLOW_CONTROL_ERROR',
    ],
    ['6.10 CONTINUATION after END_HEADERS', [headers(1, get), frame(9, 4, 1)], 'GOAWAY PROTOCOL_ERROR'],
    ['6.10 CONTINUATION on another stream', [headers(1, get, 1), frame(9, 4, 3)], 'GOAWAY PROTOCOL_ERROR'],
    ['6.10 DATA instead of CONTINUATION', [headers(1, get, 1), data(1, 'a')], 'GOAWAY PROTOCOL_ERROR'],
    [
      '6.10 CONTINUATION without end',
      [headers(1, get, 1), ...Array.from({ length: 20 }, () => frame(9, 0, 1))],
      'GOAWAY ENHANCE_YOUR_CALM',
    ],
    [
      '8.1 HEADERS without END_STREAM after a head',
      [headers(1, post, 4), headers(1, [['a', 'b']], 4)],
      'RST_STREAM 1 PROTOCOL_ERROR',
    ],
    [
      '8.1 a pseudo-header field in trailers',
      [headers(1, post, 4), headers(1, [[':path', '/']])],
      'RST_STREAM 1 PROTOCOL_ERROR',
    ],
    [
      '8.1.1 less content than content-length',
      [headers(1, [...post, ['content-length', '2']], 4), data(1, 'a', 1)],
      'RST_STREAM 1 PROTOCOL_ERROR',
    ],
    [
      '8.1.1 more content than content-length',
      [headers(1, [...post, ['content-length', '1']], 4), data(1, 'ab', 1)],
      'RST_STREAM 1 PROTOCOL_ERROR',
    ],
    [
      '8.1.1 content-length without content',
      [headers(1, with_(['content-length', '1']))],
      'RST_STREAM 1 PROTOCOL_ERROR',
    ],
    [
      '8.1.1 content missing before trailers',
      [headers(1, [...post, ['content-length', '1']], 4), headers(1, [['a', 'b']])],
      'RST_STREAM 1 PROTOCOL_ERROR',
    ],
  ])('%s', (section, frames, error) => {
    if (section.startsWith('3.4')) {
      const { wire } = createSession('server');
      wire.take();
      wire.receive(Buffer.concat([greeting.subarray(0, 24), ping()]));
      expect(readErrors(readFrames(wire.take()))).toEqual(['GOAWAY PROTOCOL_ERROR']);
      expect(wire.ended).toBe(true);
      return;
    }
    expect(errorsOf(...frames)).toEqual([error]);
  });

  it.each<[rule: string, fields: readonly Field[]]>([
    ['8.2.1 an upper-case name', with_(['X-Test', 'a'])],
    ['8.2.1 a blank in a name', with_(['x test', 'a'])],
    ['8.2.1 an empty name', with_(['', 'a'])],
    ['8.2.1 a colon in a name', with_(['x:y', 'a'])],
    ['8.2.1 LF in a value', with_(['x-test', 'a\nb: c'])],
    ['8.2.1 CR in a value', with_(['x-test', 'a\rb'])],
    ['8.2.1 NUL in a value', with_(['x-test', 'a\0b'])],
    ['8.2.1 another control character in a value', with_(['x-test', 'a\x01b'])],
    ['8.2.1 a value that begins with a blank', with_(['x-test', ' a'])],
    ['8.2.1 a value that ends with a tab', with_(['x-test', 'a\t'])],
    ['8.2.1 LF in a path', replaced(':path', '/ HTTP/1.1\r\nhost: evil\r\n\r\n')],
    ['8.2.2 connection', with_(['connection', 'close'])],
    ['8.2.2 transfer-encoding', with_(['transfer-encoding', 'chunked'])],
    ['8.2.2 upgrade', with_(['upgrade', 'websocket'])],
    ['8.2.2 keep-alive', with_(['keep-alive', 'timeout=5'])],
    ['8.2.2 proxy-connection', with_(['proxy-connection', 'close'])],
    ['8.2.2 te other than trailers', with_(['te', 'trailers, deflate'])],
    ['8.3 an unknown pseudo-header field', [...get, [':test', 'a']]],
    ['8.3 the pseudo-header field of responses', [...get, [':status', '200']]],
    ['8.3 a pseudo-header field after a regular one', [['x-test', 'a'], ...get]],
    ['8.3.1 no :method', without(':method')],
    ['8.3.1 no :scheme', without(':scheme')],
    ['8.3.1 no :path', without(':path')],
    ['8.3.1 neither :authority nor host', without(':authority')],
    ['8.3.1 :method twice', [...get, [':method', 'GET']]],
    ['8.3.1 :path twice', [...get, [':path', '/']]],
    ['8.3.1 :scheme twice', [...get, [':scheme', 'http']]],
    ['8.3.1 :authority twice', [...get, [':authority', 'shop']]],
    ['8.3.1 an empty :path', replaced(':path', '')],
    ['8.3.1 a :path without slash', replaced(':path', 'http://evil/')],
    ['8.3.1 an asterisk with another method than OPTIONS', replaced(':path', '*')],
    ['8.3.1 a blank in :path', replaced(':path', '/a b')],
    ['8.3.1 a blank in :method', replaced(':method', 'GET /evil')],
    ['8.3.1 user information in :authority', replaced(':authority', 'a@shop')],
    ['8.3.1 a path in :authority', replaced(':authority', 'shop/evil')],
    ['8.3.1 another :scheme than http', replaced(':scheme', 'ftp')],
    ['8.3.1 a host that is not the :authority', with_(['host', 'evil'])],
    ['8.3.1 host twice', [...without(':authority'), ['host', 'a'], ['host', 'b']]],
    ['8.5 CONNECT with a path', replaced(':method', 'CONNECT')],
    ['8.5 CONNECT without authority', [[':method', 'CONNECT']]],
    ['8441 :protocol, which was not offered', [...get, [':protocol', 'websocket']]],
    ['RFC 9110 10.1.1 an expectation that nobody knows', with_(['expect', 'miracles'])],
    ['RFC 9110 8.6 content-length twice', with_(['content-length', '0'], ['content-length', '0'])],
    ['RFC 9110 8.6 content-length with a sign', with_(['content-length', '+0'])],
  ])('%s makes the request malformed', (_rule, fields) => {
    expect(errorsOf(headers(1, fields))).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
  });
});

describe('what RFC 9113 allows', () => {
  it.each<[what: string, frames: Buffer[]]>([
    ['frames of unknown types', [frame(99, 255, 7, 'abc')]],
    ['unknown settings', [settings([99, 1])]],
    ['PRIORITY on any stream', [frame(2, 0, 9, '12345'), headers(1, get), frame(2, 0, 1, '12345')]],
    ['RST_STREAM and WINDOW_UPDATE on a closed stream', [headers(1, get), rst(1, 8), rst(1, 8), windowUpdate(1, 1)]],
    ['padding', [headers(1, post, 4), data(1, '\x03abc\0\0\0', 9)]],
    ['padded HEADERS with priority', [frame(1, 0x2d, 1, `\x02\0\0\0\0\x01${literals(get).toString('latin1')}\0\0`)]],
    ['a host that is the :authority', [headers(1, with_(['host', 'shop']))]],
    [
      'OPTIONS *',
      [
        headers(1, [
          [':method', 'OPTIONS'],
          [':scheme', 'http'],
          [':path', '*'],
          [':authority', 'shop'],
        ]),
      ],
    ],
    ['an acknowledgement of SETTINGS', [settingsAck]],
    ['the answer to a PING nobody sent', [ping('abcdefgh', 1)]],
  ])('%s', (_what, frames) => {
    expect(errorsOf(...frames)).toEqual([]);
  });

  it('answers a PING with its payload', () => {
    const { wire } = createSession('server');
    wire.take();
    wire.receive(Buffer.concat([greeting, ping('abcdefgh')]));
    const answer = readFrames(wire.take()).find(({ type }) => type === frameType.ping);
    expect([answer?.flags, answer?.payload.toString()]).toEqual([1, 'abcdefgh']);
  });

  it('ignores what still arrives for a stream that it has reset itself', () => {
    const { wire, recorder } = createSession('server');
    wire.receive(Buffer.concat([greeting, headers(1, post, 4)]));
    recorder.stream(1).reset(8);
    wire.take();
    wire.receive(Buffer.concat([data(1, 'abc'), headers(1, [['a', 'b']]), rst(1, 8), headers(3, get)]));
    expect(readErrors(readFrames(wire.take()))).toEqual([]);
    expect(recorder.events.at(-1)).toContain('3 request');
  });
});

describe('responses that break RFC 9113', () => {
  const request = Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const ok: readonly Field[] = [[':status', '200']];
  it.each<[rule: string, frames: Buffer[], error: string]>([
    ['DATA before the head', [data(1, 'a')], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['no :status', [headers(1, [['a', 'b']])], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['a :status that is no number', [headers(1, [[':status', '2x0']])], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['101', [headers(1, [[':status', '101']], 4)], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['an interim response that ends the stream', [headers(1, [[':status', '100']])], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['a pseudo-header field of requests', [headers(1, [...ok, [':path', '/']])], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['transfer-encoding', [headers(1, [...ok, ['transfer-encoding', 'chunked']])], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['content after 204', [headers(1, [[':status', '204']], 4), data(1, 'a')], 'RST_STREAM 1 PROTOCOL_ERROR'],
    ['PUSH_PROMISE', [frame(5, 4, 1, Buffer.concat([number(2), literals(get)]))], 'GOAWAY PROTOCOL_ERROR'],
    ['a response to a request that nobody sent', [headers(3, ok)], 'GOAWAY PROTOCOL_ERROR'],
    ['ENABLE_PUSH', [settings([2, 1])], 'GOAWAY PROTOCOL_ERROR'],
  ])('%s', async (_rule, frames, error) => {
    const { createHttpCodec } = await import('../../../core/data-plane/http/head-parser.ts');
    const { wire, session, recorder } = createSession('client');
    const codec = createHttpCodec();
    codec.parseRequest(request, 0, request.length);
    wire.receive(settings());
    session.open(request, codec.request, { target: null, host: null, requestId: null }, true, recorder);
    wire.take();
    wire.receive(Buffer.concat(frames));
    expect(readErrors(readFrames(wire.take()))).toEqual([error]);
  });
});
