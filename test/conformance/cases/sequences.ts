import { chunked, forwarded, get, normalised, post, type RequestCase, refused, unfinished } from './case.ts';

const pipeline = 'RFC 9112 9.3.2';
const old = 'RFC 9112 9.3';
const limits = 'RFC 9110 5.4';
const http10 = (lines = '', rest = '', start = 'GET /old') =>
  `${start} HTTP/1.0\r\nHost: orders\r\n${lines}\r\n${rest}`;
const end = '0\r\n\r\n';
const many = (count: number) => Array.from({ length: count }, (_, index) => get('', `/${index}`)).join('');

/** Several requests on one connection: each is understood alone, and after a refused one there is nothing any more. */
export const sequences: readonly RequestCase[] = [
  forwarded('two requests at once', pipeline, many(2)),
  forwarded('fifty requests at once', pipeline, many(50)),
  forwarded(
    'bodies of both kinds in a row',
    pipeline,
    `${post('Content-Length: 2\r\n', 'ab')}${chunked(`1\r\nc\r\n${end}`)}${get()}`,
  ),
  forwarded('HEAD between others', pipeline, `${get()}HEAD / HTTP/1.1\r\nHost: orders\r\n\r\n${get('', '/b')}`),
  forwarded('an empty line between requests', 'RFC 9112 2.2', `${get()}\r\n${get('', '/b')}`),
  forwarded('an empty line behind a body', 'RFC 9112 2.2', `${post('Content-Length: 2\r\n', 'ab')}\r\n${get()}`),
  forwarded('three empty lines between requests', 'RFC 9112 2.2', `${get()}\r\n\r\n\r\n${get('', '/b')}`),
  forwarded('an empty line at the end', 'RFC 9112 2.2', `${get()}\r\n`),
  forwarded('two bodies of 40,000 bytes', pipeline, post('Content-Length: 40000\r\n', 'p'.repeat(40_000)).repeat(2)),
  refused('a valid request before a broken one', pipeline, `${get()}GET / HTTP/1.1\r\nHost: a b\r\n\r\n`),
  refused(
    'a valid body before a broken head',
    pipeline,
    `${post('Content-Length: 2\r\n', 'ab')}X\x01 / HTTP/1.1\r\n\r\n`,
  ),
  refused(
    'a body one octet longer than announced',
    pipeline,
    `${post('Content-Length: 4\r\n', 'abcde')} / HTTP/1.1\r\n\r\n`,
  ),
  refused('a single octet behind a body', pipeline, `${post('Content-Length: 2\r\n', 'ab\x00')}`),
  refused('a bare line feed behind a body', 'RFC 9112 2.2', `${post('Content-Length: 2\r\n', 'ab\n')}`),
  refused('HTTP/0.9 behind a request', 'RFC 9112 2.3', `${get()}GET /smuggled\r\n`),
  refused('the HTTP/2 preface behind a request', 'RFC 9113 3.4', `${get()}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 505),
  refused('an answer behind a request', pipeline, `${get()}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`),
  unfinished('a request, then half of one', pipeline, 'GET /half HTTP/1.1\r\nHos'),
];

/** HTTP/1.0 is served; upstream it becomes HTTP/1.1, and a connection lives on only when the client asks for it. */
export const oldVersions: readonly RequestCase[] = [
  forwarded('HTTP/1.0', old, http10()),
  forwarded('HTTP/1.0, kept alive', old, http10('Connection: keep-alive\r\n')),
  forwarded('HTTP/1.0, kept alive in another case', old, http10('Connection: Keep-Alive\r\n')),
  forwarded('HTTP/1.0, kept alive twice', old, http10('Connection: keep-alive\r\n').repeat(2)),
  forwarded('HTTP/1.0 that asks to close', old, http10('Connection: close\r\n')),
  forwarded('HTTP/1.0 that asks for both', old, http10('Connection: keep-alive, close\r\n')),
  forwarded('HTTP/1.0 with a body', old, http10('Content-Length: 2\r\n', 'ab', 'POST /old')),
  forwarded('HEAD in HTTP/1.0', old, http10('', '', 'HEAD /old')),
  forwarded('HTTP/1.0, then HTTP/1.1', old, `${http10('Connection: keep-alive\r\n')}${get()}`),
  normalised('HTTP/1.0 nominates too', 'RFC 9110 7.6.1', http10('Connection: x-a\r\nX-A: 1\r\n'), { fields: [] }),
  refused(
    'HTTP/1.0 with two lengths',
    'RFC 9112 6.3',
    http10('Content-Length: 2\r\nContent-Length: 2\r\n', 'ab', 'POST /'),
  ),
];

const lineOf = (bytes: number) => `X-Long: ${'a'.repeat(bytes)}\r\n`;

/** The limits are the sidecar's own; codec.ts documents them. */
export const sizeLimits: readonly RequestCase[] = [
  forwarded('a head of 60,000 bytes', limits, get(lineOf(60_000))),
  forwarded('a head of 65,536 bytes', limits, get(lineOf(65_536 - get(lineOf(0)).length))),
  forwarded('128 headers', limits, get('X: 1\r\n'.repeat(127))),
  forwarded(
    '128 headers in 65,536 bytes',
    limits,
    get(`${lineOf(65_536 - 126 * 6 - get(lineOf(0)).length)}${'X: 1\r\n'.repeat(126)}`),
  ),
  refused('a head of 65,537 bytes', limits, get(lineOf(65_537 - get(lineOf(0)).length)), 431),
  refused('129 headers', limits, get('X: 1\r\n'.repeat(128)), 431),
  refused('10,000 headers', limits, get('X: 1\r\n'.repeat(10_000)), 431),
  refused('a header of 70,000 bytes', limits, get(lineOf(70_000)), 431),
  refused('a target of 70,000 bytes', 'RFC 9110 15.5.15', get('', `/${'a'.repeat(70_000)}`), 431, 414),
  refused('a header name of 70,000 bytes', limits, get(`${'N'.repeat(70_000)}: 1\r\n`), 431),
  refused('a million bytes without an end', limits, `GET / HTTP/1.1\r\nX: ${'a'.repeat(1_000_000)}`, 431),
  refused('blanks without an end before a value', limits, `GET / HTTP/1.1\r\nX:${' '.repeat(70_000)}`, 431),
];
