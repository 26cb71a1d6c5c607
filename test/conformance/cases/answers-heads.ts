import { type AnswerCase, fails, ok, passes } from './answer.ts';

const line = 'RFC 9112 4';
const fieldsRule = 'RFC 9112 5';
const desync = 'RFC 9112 9.2';
const interim = 'RFC 9110 15.2';
const hop = 'RFC 9110 7.6.1';
const empty = 'Content-Length: 0\r\n';
const status = (start: string) => `${start}\r\n${empty}\r\n`;
const fin = { ending: 'fin' } as const;
const hello = ok('Content-Length: 5\r\n', 'hello');
const evil = ok('Content-Length: 4\r\n', 'evil');
const early = (code: number, lines = '') => `HTTP/1.1 ${code} Early\r\n${lines}\r\n`;

const statusLines: readonly AnswerCase[] = [
  ...[200, 201, 206, 301, 400, 404, 418, 429, 500, 503, 599, 799, 999].map((code) =>
    passes(`status ${code}`, line, status(`HTTP/1.1 ${code} Phrase`)),
  ),
  passes('an empty reason', line, status('HTTP/1.1 200 ')),
  passes('no reason and no blank', line, status('HTTP/1.1 200')),
  passes('a reason with octets above 127', line, status('HTTP/1.1 200 \xd6K')),
  passes('a reason of several words', line, status('HTTP/1.1 404 Nothing to be seen here')),
  fails('status 99', line, status('HTTP/1.1 99 Low')),
  fails('status 000', line, status('HTTP/1.1 000 Low')),
  fails('status 099', line, status('HTTP/1.1 099 Low')),
  fails('a status of four digits', line, status('HTTP/1.1 2000 OK')),
  fails('a status of two digits', line, status('HTTP/1.1 20 OK')),
  fails('a status with a sign', line, status('HTTP/1.1 +20 OK')),
  fails('a status with a letter', line, status('HTTP/1.1 20x OK')),
  fails('no status', line, status('HTTP/1.1 OK')),
  fails('two blanks before the status', line, status('HTTP/1.1  200 OK')),
  fails('a tab before the status', line, status('HTTP/1.1\t200 OK')),
  fails('a tab behind the status', line, status('HTTP/1.1 200\tOK')),
  fails('a blank before the line', line, status(' HTTP/1.1 200 OK')),
  fails('an empty line before the line', line, `\r\n${hello}`),
  fails('HTTP/2', line, status('HTTP/2 200 OK')),
  fails('HTTP/1.2', line, status('HTTP/1.2 200 OK')),
  fails('lower-case http', line, status('http/1.1 200 OK')),
  fails('HTTP/0.9: text only', line, 'hello, world\r\n', fin),
  fails('a NUL in the reason', line, status('HTTP/1.1 200 O\0K')),
  fails('a bare carriage return in the reason', line, status('HTTP/1.1 200 O\rK')),
  fails('a bare line feed after the line', line, 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'),
  fails('bare line feeds throughout', line, 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'),
  fails('a request instead of an answer', line, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
  fails('TLS', line, '\x15\x03\x01\x00\x02\x02\x46\x00\x00\x00\x00\x00\x00'),
  fails('nothing', line, '', { ...fin, statuses: [503, 502] }),
  fails('nothing but a reset', line, '', { ending: 'reset', statuses: [503, 502] }),
  fails('half a status line', line, 'HTTP/1.1 20', { ...fin, statuses: [503, 502] }),
  fails('half a head', line, 'HTTP/1.1 200 OK\r\nContent-Le', { ...fin, statuses: [503, 502] }),
];

const bad = (lines: string) => ok(`${lines}${empty}`);
const fieldLines: readonly AnswerCase[] = [
  passes('headers in their order, twice the same', fieldsRule, bad('Set-Cookie: a=b\r\nX-A: 1\r\nSet-Cookie: c=d\r\n')),
  passes('octets above 127 in a value', fieldsRule, bad('X-A: \xe9\r\n')),
  passes('an empty value', fieldsRule, bad('X-A:\r\n')),
  passes('a header of 30,000 bytes', fieldsRule, bad(`X-A: ${'a'.repeat(30_000)}\r\n`)),
  fails('a folded header', 'RFC 9112 5.2', bad('X-A: 1\r\n 2\r\n')),
  fails('a blank before the colon', 'RFC 9112 5.1', bad('X-A : 1\r\n')),
  fails('a header without a colon', fieldsRule, bad('nonsense\r\n')),
  fails('an empty name', fieldsRule, bad(': 1\r\n')),
  fails('NUL in a value', 'RFC 9110 5.5', bad('X-A: \0\r\n')),
  fails('NUL in a name', 'RFC 9110 5.1', bad('X\0A: 1\r\n')),
  fails('a bare carriage return in a value', 'RFC 9112 2.2', bad('X-A: 1\rSet-Cookie: evil=1\r\n')),
  fails('a bare line feed in a value', 'RFC 9112 2.2', bad('X-A: 1\nSet-Cookie: evil=1\r\n')),
  fails('response splitting with bare line feeds', 'RFC 9112 2.2', bad('X-A: 1\n\nHTTP/1.1 200 OK\r\n')),
  fails('a head of 70,000 bytes', fieldsRule, bad(`X-A: ${'a'.repeat(70_000)}\r\n`)),
  fails('an endless head', fieldsRule, `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(500_000)}`),
  passes('128 headers', fieldsRule, bad('X-A: 1\r\n'.repeat(127))),
  fails('129 headers', fieldsRule, bad('X-A: 1\r\n'.repeat(128))),
  passes('a head of 65,536 bytes', fieldsRule, bad(`X-A: ${'a'.repeat(65_536 - bad('X-A: \r\n').length)}\r\n`)),
  fails('200 headers', fieldsRule, bad('X-A: 1\r\n'.repeat(200))),
  passes('Keep-Alive stays here', hop, bad('Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n'), {
    as: { fields: [] },
  }),
  passes('a nominated header stays here', hop, bad('Connection: X-A\r\nX-A: 1\r\nX-B: 2\r\n'), {
    as: { fields: [['x-b', '2']] },
  }),
  passes('Proxy-Connection stays here', hop, bad('Proxy-Connection: close\r\n'), { as: { fields: [] } }),
];

/** What stands behind an answer belongs to no request. */
const leftovers: readonly AnswerCase[] = [
  passes('a second answer behind the first', desync, `${hello}${evil}`),
  passes(
    'a second answer behind chunks',
    desync,
    ok('Transfer-Encoding: chunked\r\n', `5\r\nhello\r\n0\r\n\r\n${evil}`),
  ),
  passes('more bytes than the length', desync, ok('Content-Length: 5\r\n', 'hello, world')),
  passes('one octet more than the length', desync, ok('Content-Length: 5\r\n', 'hello!')),
  passes('CR LF behind the body', desync, `${hello}\r\n`),
  passes('a body of HEAD', desync, ok('Content-Length: 4\r\n', 'evil'), { method: 'HEAD' }),
  passes('an answer as body of HEAD', desync, ok(`Content-Length: ${evil.length}\r\n`, evil), { method: 'HEAD' }),
  passes('chunks of HEAD', desync, ok('Transfer-Encoding: chunked\r\n', '4\r\nevil\r\n0\r\n\r\n'), { method: 'HEAD' }),
  passes('a body of 204', desync, 'HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil'),
  passes('an answer behind 204', desync, `HTTP/1.1 204 No Content\r\n\r\n${evil}`),
  passes('a body of 304', desync, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil'),
  passes('an answer behind 304', desync, `HTTP/1.1 304 Not Modified\r\n\r\n${evil}`),
  passes('an answer behind an empty one', desync, `${ok(empty)}${evil}`),
  passes('an early answer behind the final one', desync, `${hello}${early(100)}`),
];

const early100 = { as: { interim: [100] } };
const interims: readonly AnswerCase[] = [
  passes('100, then the answer', interim, `${early(100)}${hello}`, early100),
  passes('103 with links', 'RFC 8297', `${early(103, 'Link: </a>; rel=preload\r\n')}${hello}`, {
    as: { interim: [103] },
  }),
  passes('102 three times', interim, `${early(102).repeat(3)}${hello}`, { as: { interim: [102, 102, 102] } }),
  passes('several kinds', interim, `${early(100)}${early(103)}${hello}`, { as: { interim: [100, 103] } }),
  passes('an unknown early answer', interim, `${early(199)}${hello}`, { as: { interim: [199] } }),
  passes('an early answer for an HTTP/1.0 client', interim, `${early(103)}${hello}`, { minor: 0, as: { interim: [] } }),
  passes('an early answer that announces a body has none', interim, `${early(103, 'X-A: 1\r\n')}${hello}`, {
    as: { interim: [103] },
  }),
  passes('64 early answers', interim, `${early(103).repeat(64)}${hello}`, { as: { interim: Array(64).fill(103) } }),
  fails('65 early answers', interim, `${early(103).repeat(65)}${hello}`),
  fails('a flood of early answers', interim, `${early(103).repeat(20_000)}${hello}`),
  fails('101 that nobody asked for', 'RFC 9110 15.2.2', `${early(101, 'Connection: Upgrade\r\nUpgrade: foo\r\n')}evil`),
  fails('101 without Upgrade', 'RFC 9110 15.2.2', early(101), { lines: 'Connection: Upgrade\r\nUpgrade: foo\r\n' }),
  fails('101 without Connection', 'RFC 9110 15.2.2', early(101, 'Upgrade: foo\r\n'), {
    lines: 'Connection: Upgrade\r\nUpgrade: foo\r\n',
  }),
  fails('101 for an upgrade to h2c', 'RFC 9113 3.1', early(101, 'Connection: Upgrade\r\nUpgrade: h2c\r\n'), {
    lines: 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n',
  }),
  fails('a broken early answer', interim, `HTTP/1.1 100 Continue\r\nX A: 1\r\n\r\n${hello}`),
];

export const answersHeads: readonly AnswerCase[] = [...statusLines, ...fieldLines];
export const answersDesync: readonly AnswerCase[] = leftovers;
export const answersInterim: readonly AnswerCase[] = interims;
