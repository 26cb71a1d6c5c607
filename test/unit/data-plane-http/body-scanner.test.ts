import { describe, expect, test } from 'vitest';
import { createBodyScanner } from '../../../core/data-plane/http/body-scanner.ts';
import { type BodyKind, maxTrailerBytes } from '../../../core/data-plane/http/codec.ts';

function scan(text: string, kind: BodyKind = 'chunked', length = 0, decode = false) {
  const scanner = createBodyScanner();
  scanner.begin(kind, length, decode);
  const bytes = Buffer.from(text, 'latin1');
  const end = scanner.scan(bytes, 0, bytes.length);
  let forwarded = '';
  for (let index = 0; index < scanner.spanCount; index += 2) {
    forwarded += bytes.toString('latin1', scanner.spans[index], scanner.spans[index + 1]);
  }
  return { end, done: scanner.done, forwarded };
}

const whole: readonly (readonly [name: string, text: string, forwarded?: string])[] = [
  ['one chunk', '3\r\nabc\r\n0\r\n\r\n'],
  ['several chunks', '3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n'],
  ['no data', '0\r\n\r\n'],
  ['sizes in either case', 'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n'],
  ['zeros in front', '0003\r\nabc\r\n000\r\n\r\n'],
  ['data that looks like the end', '5\r\n0\r\n\r\n\r\n0\r\n\r\n'],
  ['trailers', '0\r\nX-A: 1\r\nX-B:\r\n\r\n'],
  ['an extension, left out', '3;a=1\r\nabc\r\n0;b\r\n\r\n', '3\r\nabc\r\n0\r\n\r\n'],
  ['a quoted extension, left out', '3;a="x; y"\r\nabc\r\n0\r\n\r\n', '3\r\nabc\r\n0\r\n\r\n'],
];

describe('chunked bodies pass through', () => {
  for (const [name, text, forwarded = text] of whole) {
    test(name, () => {
      expect(scan(text)).toEqual({ end: text.length, done: true, forwarded });
    });
  }

  test('what follows the body is left alone', () => {
    const body = '3\r\nabc\r\n0\r\n\r\n';
    expect(scan(`${body}GET / HTTP/1.1\r\n`)).toEqual({ end: body.length, done: true, forwarded: body });
  });

  test('only the data, when decoding', () => {
    expect(scan('3;a\r\nabc\r\n2\r\nde\r\n0\r\nX: 1\r\n\r\n', 'chunked', 0, true)).toMatchObject({
      done: true,
      forwarded: 'abcde',
    });
  });
});

const broken: readonly (readonly [name: string, text: string])[] = [
  ['a hexadecimal prefix', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['a negative size', '-1\r\n\r\n'],
  ['a plus sign', '+3\r\nabc\r\n'],
  ['an empty size', '\r\nabc\r\n'],
  ['a size that is no number', 'xyz\r\n'],
  ['a blank before the size', ' 3\r\nabc\r\n'],
  ['a blank after the size', '3 \r\nabc\r\n'],
  ['an overlong size', '1234567890123\r\n'],
  ['an overlong zero', '0000000000000\r\n'],
  ['bare line feeds', '3\nabc\n0\n\n'],
  ['a bare line feed after an extension', '3;a\nabc\r\n'],
  ['a bare carriage return after the size', '3\rabc\r\n'],
  ['a bare carriage return in an extension', '3;a\rb\r\nabc\r\n'],
  ['NUL in an extension', '3;\0\r\nabc\r\n'],
  ['an overlong extension', `3;${'a'.repeat(1025)}\r\nabc\r\n`],
  ['more data than the size', '3\r\nabcd\r\n0\r\n\r\n'],
  ['data that ends with a line feed only', '3\r\nabc\n0\r\n\r\n'],
  ['a trailer without a colon', '0\r\nnonsense\r\n\r\n'],
  ['a trailer with a blank before the colon', '0\r\nX : 1\r\n\r\n'],
  ['a folded trailer', '0\r\nX: 1\r\n 2\r\n\r\n'],
  ['a trailer with NUL', '0\r\nX: \0\r\n\r\n'],
  ['a trailer with an empty name', '0\r\n: 1\r\n\r\n'],
  ['a trailer that ends with a line feed only', '0\r\nX: 1\n\r\n'],
  ['an end that is a line feed only', '0\r\n\n'],
  ['an end that is no line feed', '0\r\n\rX'],
  ['a Content-Length as a trailer', '0\r\nContent-Length: 5\r\n\r\n'],
  ['a Transfer-Encoding as the second trailer', '0\r\nX: 1\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['a Host as a trailer', '0\r\nHOST: a\r\n\r\n'],
  ['an Authorization as a trailer', '0\r\nAuthorization: a\r\n\r\n'],
  ['overlong trailers', `0\r\nX: ${'a'.repeat(maxTrailerBytes)}\r\n\r\n`],
];

describe('chunked bodies are refused for', () => {
  for (const [name, text] of broken) {
    test(name, () => {
      expect(scan(text).end).toBe(-1);
    });
  }
});

describe('other bodies', () => {
  test('a length ends where it says', () => {
    expect(scan('abcdef', 'length', 4)).toEqual({ end: 4, done: true, forwarded: 'abcd' });
  });
  test('a length waits for the rest', () => {
    expect(scan('abc', 'length', 4)).toEqual({ end: 3, done: false, forwarded: 'abc' });
  });
  test('a body until the close is never done', () => {
    expect(scan('abc', 'until-close')).toEqual({ end: 3, done: false, forwarded: 'abc' });
  });
  test('no body takes nothing', () => {
    expect(scan('abc', 'none')).toEqual({ end: 0, done: true, forwarded: '' });
  });
  test('length 0 takes nothing', () => {
    expect(scan('abc', 'length', 0)).toEqual({ end: 0, done: true, forwarded: '' });
  });
});
