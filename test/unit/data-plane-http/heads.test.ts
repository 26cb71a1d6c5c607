/** What becomes of a head between its parsing and its sending on. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';
import { composeRequestHead, composeResponseHead, requestHeadRoom } from '../../../core/data-plane/http/head-writer.ts';
import { KeptHead } from '../../../core/data-plane/http/kept-head.ts';
import { RequestReader } from '../../../core/data-plane/http/parsed-request.ts';
import { PartialBytes } from '../../../core/data-plane/http/partial-bytes.ts';
import { requestIdLength, writeRequestId } from '../../../core/data-plane/http/request-ids.ts';
import { isConnect, isHead, isIdempotent } from '../../../core/data-plane/http/request-method.ts';

const codec = createHttpCodec();
const noEdit = { target: null, host: null, requestId: null };

/** Parses `text` in the middle of a larger buffer, as on a connection. */
function parse(text: string) {
  const bytes = Buffer.from(`before${text}after`, 'latin1');
  expect(codec.parseRequest(bytes, 6, bytes.length)).toBe('complete');
  return { bytes, head: codec.request };
}

function keep(text: string, kept = new KeptHead()): KeptHead {
  const { bytes, head } = parse(text);
  kept.keep(bytes, head);
  bytes.fill(0);
  codec.parseRequest(Buffer.from('GET /other HTTP/1.1\r\nHost: other\r\n\r\n'), 0, 36);
  return kept;
}

function compose(head: KeptHead, edit: Parameters<typeof composeRequestHead>[4] = noEdit, encodes = false): string {
  const out = Buffer.alloc(requestHeadRoom(head, edit) + 5);
  const end = composeRequestHead(out, 5, head.bytes, head, edit, encodes);
  expect(end).toBeLessThanOrEqual(out.length);
  return out.toString('latin1', 5, end);
}

const simple = 'GET /a?b HTTP/1.1\r\nHost: orders\r\nX: 1\r\n\r\n';

describe('a kept head', () => {
  test('is the head as it was, whatever happens to the buffer and the parser', () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/).map((text) => `X${text}`);
    const line = fc.tuple(name, fc.stringMatching(/^[ -~]{0,60}$/)).map(([key, value]) => `${key}: ${value.trim()}`);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
        const text = `PUT /p HTTP/1.1\r\nHost: h\r\n${lines.map((one) => `${one}\r\n`).join('')}\r\n`;
        expect(compose(keep(text))).toBe(text);
      }),
      { numRuns: 100 },
    );
  });

  test('needs no more room than a wire reserves, however long the lines and the target are that do not go on', () => {
    const long = 'a'.repeat(30_000);
    const kept = keep(`GET /${long} HTTP/1.1\r\nHost: h\r\nX-A: ${long}\r\nX-B: 1\r\n\r\n`);
    const target = `/${'b'.repeat(60_000)}`;
    kept.dropped[1] = 1;
    const edit = { ...noEdit, target };
    expect(requestHeadRoom(kept, edit)).toBeLessThan(61_000);
    expect(compose(kept, edit)).toBe(`GET ${target} HTTP/1.1\r\nHost: h\r\nX-B: 1\r\n\r\n`);
  });

  test('serves one request after the other and gives back memory that few need', () => {
    const kept = new KeptHead();
    const small = kept.bytes.length;
    const large = `GET / HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect(compose(keep(large, kept))).toBe(large);
    kept.shrink();
    expect(kept.bytes.length).toBe(small);
    expect(compose(keep(simple, kept))).toBe(simple);
  });
});

describe('the head that is sent on', () => {
  test('leaves out what is for one hop, and says what we do', () => {
    const text =
      'POST / HTTP/1.1\r\nConnection: close, X-Hop\r\nHost: a\r\nX-Hop: 1\r\nTE: trailers\r\nKeep-Alive: 1\r\nZ: z\r\n\r\n';
    expect(compose(keep(text), noEdit, true)).toBe(
      'POST / HTTP/1.1\r\nte: trailers\r\ntransfer-encoding: chunked\r\nHost: a\r\nZ: z\r\n\r\n',
    );
  });

  test('has the target, the host and the request id that it was given', () => {
    const requestId = Buffer.from('01234567-89ab-4cde-8f01-23456789abcd');
    const edit = { target: '/other', host: 'b:1', requestId };
    expect(compose(keep(simple), edit)).toBe(
      `GET /other HTTP/1.1\r\nhost: b:1\r\nx-request-id: ${requestId.toString()}\r\nX: 1\r\n\r\n`,
    );
    const old = simple.replace('HTTP/1.1', 'HTTP/1.0');
    expect(compose(keep(old))).toBe(simple);
  });

  test('of a response says HTTP/1.1, what becomes of the connection, and the framing that it has', () => {
    const bytes = Buffer.from('HTTP/1.0 200 Fine\r\nContent-Length: 3\r\nX: 1\r\nTransfer-encodinG: x\r\n\r\n');
    expect(codec.parseResponse(bytes, 0, bytes.length)).toBe('refused');
    const text = 'HTTP/1.0 200 Fine\r\nContent-Length: 3\r\nX: 1\r\n\r\n';
    const plain = Buffer.from(text);
    expect(codec.parseResponse(plain, 0, plain.length)).toBe('complete');
    const out = Buffer.alloc(300);
    const said = (edit: Parameters<typeof composeResponseHead>[4]) =>
      out.toString('latin1', 0, composeResponseHead(out, 0, plain, codec.response, edit));
    expect(said({ connection: null, framing: true, chunked: false })).toBe(text.replace('1.0', '1.1'));
    expect(said({ connection: 'close', framing: false, chunked: true })).toBe(
      'HTTP/1.1 200 Fine\r\ntransfer-encoding: chunked\r\nconnection: close\r\nX: 1\r\n\r\n',
    );
  });
});

describe('trailers', () => {
  const parsed = (text: string) => codec.parseTrailers(Buffer.from(text), 0, text.length);

  test('are field lines up to the empty line, and nothing else', () => {
    expect(parsed('X: 1\r\nGrpc-Status: 0\r\n\r\n')).toMatchObject({ count: 2, fieldsStart: 0, end: 24 });
    for (const text of ['X: 1\r\n', 'X: 1\r\n\r\nY', 'X 1\r\n\r\n', `X: ${'x'.repeat(20_000)}\r\n\r\n`]) {
      expect(parsed(text)).toBeNull();
    }
  });

  test.each(['Content-Length: 1', 'Transfer-Encoding: chunked', 'Host: a', 'Connection: x', 'Trailer: x', 'TE: x'])(
    'may not be %s',
    (line) => {
      expect(parsed(`X: 1\r\n${line}\r\n\r\n`)).toBeNull();
    },
  );
});

describe('a request reader', () => {
  test('knows a host again that is byte for byte that of the request before, and only that', () => {
    const kept = new KeptHead();
    const reader = new RequestReader(kept);
    const read = (text: string) => {
      keep(text, kept);
      expect(reader.read(80)).toBeNull();
      return [reader.sameHost, reader.host, reader.authorityPort];
    };
    const to = (host: string, target = '/') => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    expect(read(to('Orders:8080'))).toEqual([false, 'orders', 8080]);
    expect(read(to('Orders:8080', '/b?c'))).toEqual([true, 'orders', 8080]);
    expect([reader.method, reader.target, reader.path, reader.query]).toEqual(['GET', '/b?c', '/b', 'c']);
    expect(read(to('orders:8080'))).toEqual([false, 'orders', 8080]);
    expect(read(to('other', 'http://abs:1/x'))).toEqual([false, 'abs', 1]);
    expect(read(to('orders:8080'))).toEqual([false, 'orders', 8080]);
    expect(read(to('orders:8080'))).toEqual([true, 'orders', 8080]);
    expect(reader.path).toBe('/');
  });

  test('forgets the host of a request that was refused', () => {
    const kept = new KeptHead();
    const reader = new RequestReader(kept);
    keep('GET / HTTP/1.1\r\nHost: a\r\n\r\n', kept);
    expect(reader.read(80)).toBeNull();
    keep('GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n', kept);
    expect(reader.read(80)).toMatchObject({ status: 400 });
    keep('GET / HTTP/1.1\r\nHost: a\r\n\r\n', kept);
    expect(reader.read(80)).toBeNull();
    expect(reader).toMatchObject({ sameHost: false, host: 'a' });
  });

  test('finds headers by name, several of one name joined', () => {
    const kept = keep('GET / HTTP/1.1\r\nHost: a\r\nX-Version: 1\r\nx-VERSION:  2 \r\nEmpty:\r\n\r\n');
    const reader = new RequestReader(kept);
    expect(reader.read(80)).toBeNull();
    expect(['x-version', 'empty', 'absent'].map((name) => reader.header(name))).toEqual(['1, 2', '', undefined]);
  });
});

describe('bytes that wait for more', () => {
  test('are those that were appended and not taken, in order', () => {
    const step = fc.record({ append: fc.nat({ max: 3_000 }), take: fc.nat({ max: 3_000 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const partial = new PartialBytes();
        let expected = Buffer.alloc(0);
        let next = 0;
        for (const { append, take } of steps) {
          const bytes = Buffer.from(Array.from({ length: append }, () => next++ & 255));
          partial.append(bytes, 0, bytes.length);
          expected = Buffer.concat([expected, bytes]);
          const taken = Math.min(take, expected.length);
          partial.take(partial.start + taken);
          expected = expected.subarray(taken);
          expect(partial.size).toBe(expected.length);
          expect(partial.bytes.subarray(partial.start, partial.end).equals(expected)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('are worth another try after the end of a line, or much more', () => {
    const partial = new PartialBytes();
    const add = (text: string) => partial.append(Buffer.from(text), 0, text.length);
    add('GET / HT');
    expect(partial.isWorthATry).toBe(true);
    partial.noteTried(partial.start);
    expect(partial.isWorthATry).toBe(false);
    add('TP/1.1\r');
    expect(partial.isWorthATry).toBe(false);
    add('\n');
    expect(partial.isWorthATry).toBe(true);
    partial.noteTried(partial.start);
    add('x'.repeat(5_000));
    expect(partial.isWorthATry).toBe(true);
  });
});

test('request ids are random UUIDs of version 4', () => {
  const out = Buffer.alloc(requestIdLength);
  const ids = new Set<string>();
  for (let index = 0; index < 2_000; index += 1) {
    writeRequestId(out);
    ids.add(out.toString('latin1'));
  }
  expect(ids.size).toBe(2_000);
  expect(
    [...ids].filter((id) => !/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)),
  ).toEqual([]);
});

test.each([
  ['GET', true, false, false],
  ['HEAD', true, true, false],
  ['PUT', true, false, false],
  ['DELETE', true, false, false],
  ['POST', false, false, false],
  ['PATCH', false, false, false],
  ['GETS', false, false, false],
  ['CONNECT', false, false, true],
])('%s is idempotent: %s, HEAD: %s, CONNECT: %s', (method, ...expected) => {
  const kept = keep(`${method} ${method === 'CONNECT' ? 'a:1' : '/'} HTTP/1.1\r\nHost: a\r\n\r\n`);
  expect([isIdempotent(kept), isHead(kept.bytes, kept), isConnect(kept.bytes, kept)]).toEqual(expected);
});
