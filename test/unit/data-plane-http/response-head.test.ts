import { describe, expect, test } from 'vitest';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';

function parse(text: string) {
  const codec = createHttpCodec();
  const bytes = Buffer.from(text, 'latin1');
  return { codec, result: codec.parseResponse(bytes, 0, bytes.length) };
}

const refused: readonly (readonly [name: string, text: string])[] = [
  ['no HTTP', 'SSH-2.0-OpenSSH\r\n'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n'],
  ['ICY', 'ICY 200 OK\r\n\r\n'],
  ['no blank after the version', 'HTTP/1.1-200 OK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['a status of letters', 'HTTP/1.1 abc OK\r\n\r\n'],
  ['a control character in the reason', 'HTTP/1.1 200 O\x01K\r\n\r\n'],
  ['a bare line feed after the status line', 'HTTP/1.1 200 OK\nX: 1\r\n\r\n'],
  ['a bare line feed after a header', 'HTTP/1.1 200 OK\r\nX: 1\n\r\n'],
  [
    'Content-Length and Transfer-Encoding',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  ['two Content-Lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n'],
  ['an odd Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 2,\r\n\r\n'],
  ['Transfer-Encoding gzip, chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ['Transfer-Encoding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n'],
  ['a blank before the colon', 'HTTP/1.1 200 OK\r\nX : 1\r\n\r\n'],
  ['too many headers', `HTTP/1.1 200 OK\r\n${'X: 1\r\n'.repeat(129)}\r\n`],
  ['a head that is too large', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`],
];

describe('refuses with 502', () => {
  for (const [name, text] of refused) {
    test(name, () => {
      const { codec, result } = parse(text);
      expect(result).toBe('refused');
      expect(codec.refusal.status).toBe(502);
    });
  }
});

const accepted: readonly (readonly [name: string, text: string, expected: object])[] = [
  ['a reason of several words', 'HTTP/1.1 404 Not Found Here\r\n\r\n', { status: 404, minor: 1 }],
  ['no reason', 'HTTP/1.1 200\r\n\r\n', { status: 200 }],
  ['an empty reason', 'HTTP/1.1 200 \r\n\r\n', { status: 200 }],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n', { minor: 0, keepAlive: true }],
  ['no Host, of course', 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n', { contentLength: 7 }],
  ['an unusual status', 'HTTP/1.1 799 x\r\n\r\n', { status: 799 }],
  ['Keep-Alive with a timeout', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=10\r\n\r\n', { keepAliveSeconds: 5 }],
  ['Keep-Alive without a timeout', 'HTTP/1.1 200 OK\r\nKeep-Alive: max=10\r\n\r\n', { keepAliveSeconds: -1 }],
  ['101', 'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n', { status: 101, upgrade: true }],
];

describe('accepts', () => {
  for (const [name, text, expected] of accepted) {
    test(name, () => {
      const { codec, result } = parse(text);
      expect(result).toBe('complete');
      expect(codec.response).toMatchObject(expected);
    });
  }
});
