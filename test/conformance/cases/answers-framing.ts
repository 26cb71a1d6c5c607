import { type AnswerCase, breaksOff, fails, ok, passes } from './answer.ts';

const rule = 'RFC 9112 6.3';
const codings = 'RFC 9112 6.1';
const chunks = 'RFC 9112 7.1';
const end = '0\r\n\r\n';
const length = (value: string, body = '') => ok(`Content-Length: ${value}\r\n`, body);
const chunked = (rest: string) => ok('Transfer-Encoding: chunked\r\n', rest);
const fin = { ending: 'fin' } as const;

const badLengths = [
  '+5',
  '-5',
  '0x5',
  '5.0',
  '5 5',
  '5, 5',
  '5,5',
  '',
  'x',
  '5;',
  '"5"',
  '18446744073709551621',
  '\x0b5',
  '5\0',
];
const badCodings = [
  'xchunked',
  'gzip',
  'gzip, chunked',
  'chunked, gzip',
  'identity',
  'chunked, chunked',
  '',
  '"chunked"',
  'chunked;a',
];
const badChunks = [
  ['a size with a prefix', `0x5\r\nhello\r\n${end}`],
  ['a size with a sign', `+5\r\nhello\r\n${end}`],
  ['a size with a blank', `5 \r\nhello\r\n${end}`],
  ['no size', `\r\nhello\r\n${end}`],
  ['a size that overflows', `10000000000000005\r\nhello\r\n${end}`],
  ['a bare line feed after a size', `5\nhello\r\n${end}`],
  ['a bare line feed after the data', `5\r\nhello\n${end}`],
  ['no line end after the data', `5\r\nhello${end}`],
  ['two octets too many', `5\r\nhelloXX${end}`],
  ['a bare line feed in an extension', `5;a\nb\r\nhello\r\n${end}`],
  ['a bare carriage return in an extension', `5;a\rb\r\nhello\r\n${end}`],
  ['a bare line feed at the end', '5\r\nhello\r\n0\r\n\n'],
  ['a folded trailer', '5\r\nhello\r\n0\r\nX-T: 1\r\n 2\r\n\r\n'],
  ['a trailer without a colon', '5\r\nhello\r\n0\r\nnonsense\r\n\r\n'],
  ['a Content-Length as a trailer', '5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n'],
  ['a Transfer-Encoding as a trailer', '5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['text instead of chunks', 'hello, world\r\n'],
] as const;

export const answersFraming: readonly AnswerCase[] = [
  passes('a length', rule, length('5', 'hello')),
  passes('length 0', rule, length('0')),
  passes('a body of every octet', rule, length('256', String.fromCharCode(...Array(256).keys()))),
  passes('a body of 200,000 bytes', rule, length('200000', 'b'.repeat(200_000))),
  passes('a body that looks like an answer', rule, length('38', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')),
  passes('a length and Connection: close', rule, ok('Content-Length: 5\r\nConnection: close\r\n', 'hello'), fin),
  passes('a length, then the end', rule, length('5', 'hello'), fin),
  passes('chunks', chunks, chunked(`5\r\nhello\r\n1\r\n \r\n${end}`)),
  passes('chunks with extensions', 'RFC 9112 7.1.1', chunked(`5;a="b"\r\nhello\r\n0;c\r\n\r\n`)),
  passes('chunks with trailers', 'RFC 9110 6.5', chunked('5\r\nhello\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n')),
  passes('no data in chunks', chunks, chunked(end)),
  passes('a last chunk as data', chunks, chunked(`5\r\n0\r\n\r\n\r\n${end}`)),
  passes('chunks of 100,000 bytes', chunks, chunked(`186a0\r\n${'c'.repeat(100_000)}\r\n${end}`)),
  passes('a body until the end', rule, ok('X-A: 1\r\n', 'hello'), fin),
  passes('an empty body until the end', rule, ok(''), fin),
  passes('a body of 100,000 bytes until the end', rule, ok('', 'u'.repeat(100_000)), fin),
  passes('HTTP/1.0 with a body until the end', 'RFC 9112 9.3', 'HTTP/1.0 200 OK\r\n\r\nhello', fin),
  passes('HTTP/1.0 with a length', 'RFC 9112 9.3', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', fin),
  passes(
    'HTTP/1.0, kept alive',
    'RFC 9112 9.3',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello',
  ),
  passes('a length for an HTTP/1.0 client', 'RFC 9112 9.3', length('5', 'hello'), { minor: 0 }),
  passes('chunks for an HTTP/1.0 client', codings, chunked(`5\r\nhello\r\n6\r\n world\r\n${end}`), { minor: 0 }),
  passes('a body until the end for an HTTP/1.0 client', rule, ok('', 'hello'), { minor: 0, ...fin }),
  passes('HEAD with a length', 'RFC 9110 9.3.2', length('5'), { method: 'HEAD' }),
  passes('HEAD with chunks announced', 'RFC 9110 9.3.2', chunked(''), { method: 'HEAD' }),
  passes('HEAD with nothing announced', 'RFC 9110 9.3.2', ok('X-A: 1\r\n'), { method: 'HEAD' }),
  passes('204', 'RFC 9110 15.3.5', 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n'),
  passes('204 with a length', 'RFC 9110 8.6', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'),
  passes('204 with chunks announced', codings, 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n'),
  passes('304 with a length', 'RFC 9110 15.4.5', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n'),
  passes('304 with chunks announced', codings, 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n'),
  passes('205 with length 0', 'RFC 9110 15.3.6', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n'),
  ...badLengths.map((value) =>
    fails(`Content-Length ${JSON.stringify(value)}`, 'RFC 9110 8.6', length(value, 'hello')),
  ),
  fails('two lengths', rule, ok('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello!')),
  fails('two equal lengths', rule, ok('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')),
  fails('a length and chunks', rule, ok('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `5\r\nhello\r\n${end}`)),
  fails('chunks and a length', rule, ok('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', `5\r\nhello\r\n${end}`)),
  fails('HEAD with a length and chunks', rule, ok('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'), {
    method: 'HEAD',
  }),
  ...badCodings.map((value) =>
    fails(
      `Transfer-Encoding ${JSON.stringify(value)}`,
      codings,
      ok(`Transfer-Encoding: ${value}\r\n`, `5\r\nhello\r\n${end}`),
    ),
  ),
  fails('chunked twice', codings, ok('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', end)),
  fails('chunks in HTTP/1.0', codings, `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n${end}`),
  ...badChunks.map(([name, body]) => breaksOff(`chunks with ${name}`, chunks, chunked(body))),
  breaksOff('a length that is not reached', 'RFC 9112 8', length('10', 'hello'), fin),
  breaksOff('a length that a reset cuts', 'RFC 9112 8', length('10', 'hello'), { ending: 'reset' }),
  breaksOff('chunks without a last one', 'RFC 9112 8', chunked('5\r\nhello\r\n'), fin),
  breaksOff('half a chunk', 'RFC 9112 8', chunked('a\r\nhello'), fin),
  breaksOff('chunks without the last empty line', 'RFC 9112 8', chunked('5\r\nhello\r\n0\r\n'), fin),
  breaksOff('chunks that a reset cuts', 'RFC 9112 8', chunked('5\r\nhello\r\n'), { ending: 'reset' }),
  breaksOff('a body until the end that a reset cuts', 'RFC 9112 8', ok('', 'hello'), { ending: 'reset' }),
  breaksOff('a length for an HTTP/1.0 client, not reached', 'RFC 9112 8', length('10', 'hello'), { minor: 0, ...fin }),
  breaksOff('chunks for an HTTP/1.0 client, without a last one', 'RFC 9112 8', chunked('5\r\nhello\r\n'), {
    minor: 0,
    ...fin,
  }),
];
