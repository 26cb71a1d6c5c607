import { describe, expect, test } from 'vitest';
import { maxHeadBytes, maxHeaders } from '../../../core/data-plane/http/codec.ts';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';

const get = (headers: string, line = 'GET / HTTP/1.1') => `${line}\r\nHost: a\r\n${headers}\r\n`;
const post = (headers: string, body = '') => `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`;

function parse(text: string) {
  const codec = createHttpCodec();
  const bytes = Buffer.from(text, 'latin1');
  const result = codec.parseRequest(bytes, 0, bytes.length);
  return { codec, bytes, result, status: result === 'refused' ? codec.refusal.status : 0 };
}

const refused: readonly (readonly [name: string, status: number, text: string])[] = [
  ['Content-Length and Transfer-Encoding', 400, post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n')],
  ['Transfer-Encoding before Content-Length', 400, post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n')],
  ['two different Content-Lengths', 400, post('Content-Length: 4\r\nContent-Length: 5\r\n')],
  ['two equal Content-Lengths', 400, post('Content-Length: 4\r\nContent-Length: 4\r\n')],
  ['a list as Content-Length', 400, post('Content-Length: 4, 4\r\n')],
  ['Content-Length +5', 400, post('Content-Length: +5\r\n')],
  ['Content-Length -5', 400, post('Content-Length: -5\r\n')],
  ['Content-Length 0x5', 400, post('Content-Length: 0x5\r\n')],
  ['Content-Length 5.0', 400, post('Content-Length: 5.0\r\n')],
  ['Content-Length 1e3', 400, post('Content-Length: 1e3\r\n')],
  ['Content-Length 5 5', 400, post('Content-Length: 5 5\r\n')],
  ['an empty Content-Length', 400, post('Content-Length:\r\n')],
  ['an overlong Content-Length', 400, post('Content-Length: 1234567890123456\r\n')],
  ['Content-Length with a vertical tab', 400, post('Content-Length: \x0b5\r\n')],
  ['Transfer-Encoding xchunked', 501, post('Transfer-Encoding: xchunked\r\n')],
  ['Transfer-Encoding gzip, chunked', 501, post('Transfer-Encoding: gzip, chunked\r\n')],
  ['Transfer-Encoding chunked, identity', 501, post('Transfer-Encoding: chunked, identity\r\n')],
  ['Transfer-Encoding identity', 501, post('Transfer-Encoding: identity\r\n')],
  ['Transfer-Encoding in quotes', 501, post('Transfer-Encoding: "chunked"\r\n')],
  ['an empty Transfer-Encoding', 501, post('Transfer-Encoding:\r\n')],
  ['Transfer-Encoding twice', 400, post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n')],
  ['Transfer-Encoding with a vertical tab', 400, post('Transfer-Encoding:\x0bchunked\r\n')],
  ['Transfer-Encoding in HTTP/1.0', 400, get('Transfer-Encoding: chunked\r\n', 'POST / HTTP/1.0')],
  ['a blank before the colon', 400, post('Content-Length : 5\r\n')],
  ['a tab before the colon', 400, post('Content-Length\t: 5\r\n')],
  ['a folded header', 400, get('X: a\r\n b\r\n')],
  ['a folded header with a tab', 400, get('X: a\r\n\tb\r\n')],
  ['a first header line that starts blank', 400, 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
  ['bare line feeds', 400, 'GET / HTTP/1.1\nHost: a\n\n'],
  ['a bare line feed after a header', 400, 'GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n'],
  ['a bare line feed at the end', 400, 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
  ['a bare carriage return in a header', 400, 'GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n'],
  ['a bare carriage return in a value', 400, get('X: a\rb\r\n')],
  ['a bare carriage return instead of the empty line', 400, 'GET / HTTP/1.1\r\nHost: a\r\n\rX: 1\r\n\r\n'],
  ['a bare carriage return in the request line', 400, 'GET / HTTP/1.1\rHost: a\r\n\r\n'],
  ['NUL in a value', 400, get('X: \0\r\n')],
  ['NUL in a name', 400, get('X\0: 1\r\n')],
  ['NUL in the target', 400, 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['DEL in a value', 400, get('X: \x7f\r\n')],
  ['a control character in a value', 400, get('X: \x01\r\n')],
  ['an empty name', 400, get(': x\r\n')],
  ['a line without a colon', 400, get('nonsense\r\n')],
  ['a name outside ASCII', 400, get('X\xa0: x\r\n')],
  ['a name with a parenthesis', 400, get('X(1): x\r\n')],
  ['a name with a slash', 400, get('X/1: x\r\n')],
  ['no Host', 400, 'GET / HTTP/1.1\r\n\r\n'],
  ['two Hosts', 400, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['two equal Hosts', 400, 'GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n'],
  ['two Hosts in HTTP/1.0', 400, 'GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['a Host with a path', 400, 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  ['a Host with user information', 400, 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n'],
  ['a Host with a blank', 400, 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
  ['a Host list', 400, 'GET / HTTP/1.1\r\nHost: a,b\r\n\r\n'],
  ['a blank in the target', 400, get('', 'GET /a b HTTP/1.1')],
  ['two blanks before the target', 400, get('', 'GET  / HTTP/1.1')],
  ['two blanks after the target', 400, get('', 'GET /  HTTP/1.1')],
  ['a tab in the request line', 400, get('', 'GET\t/ HTTP/1.1')],
  ['no target', 400, get('', 'GET  HTTP/1.1')],
  ['HTTP/0.9', 400, 'GET /\r\n\r\n'],
  ['a blank after the version', 400, get('', 'GET / HTTP/1.1 ')],
  ['HTTP/2.0', 505, get('', 'GET / HTTP/2.0')],
  ['HTTP/1.2', 505, get('', 'GET / HTTP/1.2')],
  ['HTTP/1.11', 400, get('', 'GET / HTTP/1.11')],
  ['lower-case http', 400, get('', 'GET / http/1.1')],
  ['HTTP/01.1', 505, get('', 'GET / HTTP/01.1')],
  ['the HTTP/2 preface', 505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a method with a bracket', 400, get('', 'G[T / HTTP/1.1')],
  ['a method that starts blank', 400, ' GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an overlong method', 501, get('', `${'A'.repeat(33)} / HTTP/1.1`)],
  ['TLS', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['an unknown Expect', 417, post('Expect: 200-ok\r\n')],
  ['two Upgrades', 400, get('Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n')],
  ['a head that is too large', 431, get(`X: ${'a'.repeat(maxHeadBytes)}\r\n`)],
  ['a target that is too large', 431, get('', `GET /${'a'.repeat(maxHeadBytes)} HTTP/1.1`)],
  ['too many headers', 431, get('X: 1\r\n'.repeat(maxHeaders))],
  ['an endless header line without an end', 431, `GET / HTTP/1.1\r\nX: ${'a'.repeat(maxHeadBytes)}`],
];

describe('refuses', () => {
  for (const [name, status, text] of refused) {
    test(`${name} with ${status}`, () => {
      const parsed = parse(text);
      expect(parsed.result).toBe('refused');
      expect(parsed.status).toBe(status);
      expect(parsed.codec.refusal.reason).not.toBe('');
    });
  }
});

const accepted: readonly (readonly [name: string, text: string, expected: object])[] = [
  ['a plain GET', get(''), { minor: 1, contentLength: -1, chunked: false, close: false }],
  ['an unusual method', get('', 'M-SEARCH / HTTP/1.1'), { methodEnd: 8 }],
  ['an empty value', get('X:\r\n'), { count: 2 }],
  ['a value with tabs around', get('X:\t1\t\r\n'), { count: 2 }],
  ['octets above 127 in values and targets', get('X: \xe9\r\n', 'GET /\xc3\xbc HTTP/1.1'), { count: 2 }],
  ['a Host with port', 'GET / HTTP/1.1\r\nHost: a_b-c.d:80\r\n\r\n', { hostIndex: 0 }],
  ['an IPv6 Host', 'GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', { hostIndex: 0 }],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', { hostIndex: 0 }],
  ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', { minor: 0, hostIndex: -1 }],
  ['Content-Length 0', post('Content-Length: 0\r\n'), { contentLength: 0 }],
  ['Content-Length with zeros in front', post('Content-Length: 0005\r\n'), { contentLength: 5 }],
  ['upper-case names', post('CONTENT-LENGTH: 5\r\n'), { contentLength: 5 }],
  ['chunked in any case', post('transfer-encoding: CHUNKED\r\n'), { chunked: true }],
  ['chunked with blanks around', post('transfer-encoding: \t chunked \t\r\n'), { chunked: true }],
  ['Connection: close among others', get('Connection: x-a, close\r\n'), { close: true }],
  ['close beside keep-alive', get('Connection: keep-alive, close\r\n'), { close: true, keepAlive: false }],
  ['Connection: Keep-Alive', get('Connection: Keep-Alive\r\n'), { keepAlive: true }],
  ['Expect: 100-Continue', post('Expect: 100-Continue\r\n'), { expectContinue: true }],
  ['an Expect of HTTP/1.0, unheeded', get('Expect: 100-continue\r\n', 'POST / HTTP/1.0'), { expectContinue: false }],
  ['TE: gzip, trailers', get('TE: gzip, trailers\r\n'), { teTrailers: true }],
  ['TE: gzip', get('TE: gzip\r\n'), { teTrailers: false }],
  ['an upgrade', get('Connection: Upgrade\r\nUpgrade: websocket\r\n'), { upgrade: true }],
  ['an Upgrade that Connection does not name, unheeded', get('Upgrade: websocket\r\n'), { upgrade: false }],
  ['an upgrade to h2c, unheeded', get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n'), { upgrade: false }],
  ['128 headers', get('X: 1\r\n'.repeat(maxHeaders - 1)), { count: maxHeaders }],
];

describe('accepts', () => {
  for (const [name, text, expected] of accepted) {
    test(name, () => {
      const { codec, result, bytes } = parse(text);
      expect(result).toBe('complete');
      expect(codec.request).toMatchObject(expected);
      expect(codec.request.end).toBe(bytes.length);
    });
  }

  test('a head of exactly the limit', () => {
    const frame = get('X: \r\n').length;
    const { result } = parse(get(`X: ${'a'.repeat(maxHeadBytes - frame)}\r\n`));
    expect(result).toBe('complete');
  });
});

describe('drops', () => {
  const droppedOf = (text: string) => {
    const { codec, bytes } = parse(text);
    const { request } = codec;
    const names: string[] = [];
    for (let index = 0; index < request.count; index += 1) {
      if (request.dropped[index] === 1)
        names.push(bytes.toString('latin1', request.nameStart[index], request.nameEnd[index]));
    }
    return names;
  };

  test('hop-by-hop headers', () => {
    const headers = 'Connection: close\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: foo\r\nX: 1\r\n';
    expect(droppedOf(get(headers))).toEqual(['Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Upgrade']);
  });

  test('headers that Connection nominates, before or after it', () => {
    expect(droppedOf(get('X-A: 1\r\nConnection: x-b ,X-A\r\nX-B: 2\r\nX-C: 3\r\n'))).toEqual([
      'X-A',
      'Connection',
      'X-B',
    ]);
  });

  test('never Host or what frames the message, even when nominated', () => {
    expect(droppedOf(post('Connection: host, content-length\r\nContent-Length: 0\r\n'))).toEqual(['Connection']);
  });
});
