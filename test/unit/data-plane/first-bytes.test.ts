import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyFirstBytes } from '../../../core/data-plane/listener/first-bytes.ts';

const kindOf = (text: string) => classifyFirstBytes(Buffer.from(text, 'latin1'))?.kind ?? null;

describe('classifyFirstBytes', () => {
  it.each([
    ['GET / HTTP/1.1\r\n', 'http'],
    ['PROPFIND /x HTTP/1.1\r\n', 'http'],
    ['M-SEARCH /x HTTP/1.1\r\n', 'http'],
    ['GET http://orders/x HTTP/1.1\r\n', 'http'],
    ['GET HTTPS://orders/x HTTP/1.1\r\n', 'http'],
    ['OPTIONS * HTTP/1.1\r\n', 'http'],
    ['CONNECT orders:80 HTTP/1.1\r\n', 'http'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2'],
    ['PRI * HTTP/2.0\r\n\r\nXX', 'tcp'],
    ['PRI / HTTP/1.1\r\n', 'http'],
    ['*1\r\n$4\r\nPING\r\n', 'tcp'],
    ['PING\r\n', 'tcp'],
    ['GET key\r\n', 'tcp'],
    ['get / HTTP/1.1\r\n', 'tcp'],
    ['EHLO desk\r\n', 'tcp'],
    ['SSH-2.0-OpenSSH\r\n', 'tcp'],
    ['\x00\x00\x00\x08\x04\xd2\x16\x2f', 'tcp'],
    ['\r\nGET / HTTP/1.1\r\n', 'tcp'],
    [' GET / HTTP/1.1\r\n', 'tcp'],
    ['A'.repeat(64), 'tcp'],
  ])('%j is %s', (text, kind) => {
    expect(kindOf(text)).toBe(kind);
  });

  it.each(['', 'G', 'GET', 'GET ', 'GET h', 'GET http:/', 'OPTIONS *', '\x16', '\x16\x03\x01'])(
    '%j is undecided',
    (text) => {
      expect(kindOf(text)).toBeNull();
    },
  );

  it('does not change its mind: a prefix of a message is undecided or gives what the message gives', () => {
    const part = fc.constantFrom(
      'GET',
      'OPTIONS',
      'CONNECT',
      'PRI',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      ' ',
      '/',
      '*',
      'http://',
      'h',
      'x',
      '\r\n',
      '\x16\x03',
      '1',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const text = parts.join('');
        const whole = kindOf(text);
        for (let length = 0; length < text.length; length += 1) {
          const early = kindOf(text.slice(0, length));
          if (early !== null) expect(early).toBe(whole);
        }
      }),
    );
  });
});
