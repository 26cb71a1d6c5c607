import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HeadFields } from '../../../core/data-plane/http/codec.ts';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';
import { HpackDecoder } from '../../../core/data-plane/http2/hpack-decoder.ts';
import { RequestLines } from '../../../core/data-plane/http2/request-lines.ts';
import { ResponseLines } from '../../../core/data-plane/http2/response-lines.ts';
import { type Field, get, literals } from '../../support/http2-frames.ts';

const codec = createHttpCodec();

/** Lines that go on, as name and value. */
function linesOf(bytes: Buffer, head: HeadFields): [string, string][] {
  const lines: [string, string][] = [];
  for (let index = 0; index < head.count; index += 1) {
    if (head.dropped[index] === 1) continue;
    const name = bytes.toString('latin1', head.nameStart[index], head.nameEnd[index]);
    lines.push([name.toLowerCase(), bytes.toString('latin1', head.valueStart[index], head.valueEnd[index])]);
  }
  return lines;
}

const octets = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 })
  .map((list) => Buffer.from(list).toString('latin1'));
const knownNames = [
  ':method',
  ':path',
  ':scheme',
  ':authority',
  ':status',
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'te',
  'cookie',
  'expect',
  'upgrade',
  'x-a',
  'content-type',
  'x-request-id',
  'X-Upper',
  'x b',
  'x:b',
  '',
];
const name = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...knownNames) }, { weight: 1, arbitrary: octets });
const value = fc.oneof(
  fc.constantFrom(
    '0',
    '5',
    'GET',
    '/',
    '/a?b',
    'shop',
    'shop:80',
    'http',
    'trailers',
    'chunked',
    'close',
    '200',
    '100-continue',
    'a=b',
    '[::1]',
    '',
  ),
  fc.constantFrom('a\r\nb: c', 'a\nb', 'a\0', ' a', 'a ', '/a b', '/\r\n\r\nGET /', '5, 5', 'a@b', '*', 'http://evil/'),
  octets,
);
const extra = fc.array(fc.tuple(name, value), { maxLength: 6 });

describe('the canonical head', () => {
  it('is what the strict HTTP/1.1 codec reads as the same request, or the request is refused', () => {
    const lines = new RequestLines();
    let accepted = 0;
    fc.assert(
      fc.property(extra, fc.subarray([0, 1, 2, 3], { minLength: 2 }), fc.boolean(), (more, kept, inFront) => {
        const pseudo = kept.map((index) => get[index] ?? (['x', 'y'] as const));
        const fields: Field[] = inFront ? [...more, ...pseudo] : [...pseudo, ...more];
        const block = literals(fields);
        lines.reset();
        expect(new HpackDecoder().decode(block, 0, block.length, lines)).toBe('');
        lines.finish();
        if (lines.malformed !== '' || lines.tooLarge || lines.isConnect) return;
        // A host that says the same as :authority does not go on.
        if (more.some(([field]) => field === 'host') && lines.dropped.subarray(0, lines.count).includes(1)) return;
        accepted += 1;
        const { bytes, start, end } = lines;
        expect(codec.parseRequest(bytes, start, end)).toBe('complete');
        const seen = codec.request;
        expect(seen.end).toBe(end);
        expect([seen.chunked, seen.upgrade, seen.contentLength]).toEqual([false, false, lines.contentLength]);
        expect(bytes.toString('latin1', seen.targetStart, seen.targetEnd)).toBe(
          bytes.toString('latin1', lines.targetStart, lines.targetEnd),
        );
        expect(seen.valueStart[seen.hostIndex]).toBe(lines.valueStart[lines.hostIndex]);
        expect(seen.count).toBe(lines.count);
        expect(linesOf(bytes, lines).every(([field]) => field === field.toLowerCase() && !field.startsWith(':'))).toBe(
          true,
        );
      }),
      { numRuns: 4_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  const connect: readonly Field[] = [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'http'],
    [':path', '/chat?room=1'],
    [':authority', 'shop'],
  ];

  function decoded(fields: readonly Field[]): RequestLines {
    const lines = new RequestLines();
    const block = literals(fields);
    expect(new HpackDecoder().decode(block, 0, block.length, lines)).toBe('');
    lines.finish();
    return lines;
  }

  it('of a CONNECT that names a protocol is what asks for it in HTTP/1.1, with the key of a WebSocket', () => {
    const lines = decoded([...connect, ['x-a', '1']]);
    expect([lines.malformed, lines.upgrade, lines.isConnect]).toEqual(['', true, false]);
    const text = lines.bytes.toString('latin1', lines.start, lines.end);
    expect(text).toMatch(
      /^GET \/chat\?room=1 HTTP\/1\.1\r\nhost: shop\r\nupgrade: websocket\r\nx-a: 1\r\nsec-websocket-key: [A-Za-z0-9+/]{22}==\r\n\r\n$/,
    );
    expect(decoded([...connect, ['sec-websocket-key', 'mine']]).count).toBe(3);
    expect(decoded(connect.map(([field, said]) => [field, field === ':protocol' ? 'other' : said])).count).toBe(2);
  });

  it.each<[string, readonly Field[]]>([
    ['another method', connect.map(([field, said]) => [field, field === ':method' ? 'GET' : said])],
    ['no path', connect.filter(([field]) => field !== ':path')],
    ['no scheme', connect.filter(([field]) => field !== ':scheme')],
    ['no authority', connect.filter(([field]) => field !== ':authority')],
    ['a protocol twice', [...connect, [':protocol', 'websocket']]],
    [
      'a protocol that would hide requests',
      connect.map(([field, said]) => [field, field === ':protocol' ? 'H2C' : said]),
    ],
    ['a protocol that is none', connect.map(([field, said]) => [field, field === ':protocol' ? 'a b' : said])],
  ])('does not come of a CONNECT with a protocol and %s', (_what, fields) => {
    expect(decoded(fields).malformed).not.toBe('');
  });

  it('is what the strict HTTP/1.1 codec reads as the same response, or the response is refused', () => {
    const lines = new ResponseLines();
    let accepted = 0;
    fc.assert(
      fc.property(extra, fc.integer({ min: 0, max: 1_200 }), (more, status) => {
        const block = literals([[':status', String(status)], ...more]);
        lines.reset();
        expect(new HpackDecoder().decode(block, 0, block.length, lines)).toBe('');
        lines.finish();
        if (lines.malformed !== '' || lines.tooLarge) return;
        accepted += 1;
        const { bytes, start, end } = lines;
        expect(codec.parseResponse(bytes, start, end)).toBe('complete');
        const seen = codec.response;
        expect([seen.end, seen.status, seen.chunked, seen.contentLength]).toEqual([
          end,
          status,
          false,
          lines.contentLength,
        ]);
        expect(seen.count).toBe(lines.count);
      }),
      { numRuns: 4_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});
