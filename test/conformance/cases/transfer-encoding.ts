import { forwarded, normalised, post, type RequestCase, refused } from './case.ts';

const rule = 'RFC 9112 6.1';
const both = 'RFC 9112 6.3';
const end = '0\r\n\r\n';
const coding = (lines: string) => post(lines, end);
/** A length that covers what a parser without the coding would take for the body. */
const withLength = (lines: string) => post(`Content-Length: 4\r\n${lines}`, `1e\r\n${'x'.repeat(30)}\r\n${end}`);

/** Published ways to make one of two parsers overlook the coding. */
const disguises: readonly (readonly [name: string, lines: string, ...statuses: number[]])[] = [
  ['xchunked', 'Transfer-Encoding: xchunked\r\n', 501],
  ['chunkedx', 'Transfer-Encoding: chunkedx\r\n', 501],
  ['chunk', 'Transfer-Encoding: chunk\r\n', 501],
  ['x', 'Transfer-Encoding: x\r\n', 501],
  ['nothing', 'Transfer-Encoding:\r\n', 501],
  ['blanks', 'Transfer-Encoding: \t \r\n', 501],
  ['identity', 'Transfer-Encoding: identity\r\n', 501],
  ['gzip', 'Transfer-Encoding: gzip\r\n', 501],
  ['gzip before chunked', 'Transfer-Encoding: gzip, chunked\r\n', 501],
  ['chunked before gzip', 'Transfer-Encoding: chunked, gzip\r\n', 501],
  ['identity before chunked', 'Transfer-Encoding: identity, chunked\r\n', 501],
  ['chunked before identity', 'Transfer-Encoding: chunked, identity\r\n', 501],
  ['chunked in a list of its own', 'Transfer-Encoding: chunked, chunked\r\n', 501],
  ['a comma in front', 'Transfer-Encoding: ,chunked\r\n', 501],
  ['a comma behind', 'Transfer-Encoding: chunked,\r\n', 501],
  ['a semicolon behind', 'Transfer-Encoding: chunked;\r\n', 501],
  ['a parameter', 'Transfer-Encoding: chunked;q=1\r\n', 501],
  ['double quotes', 'Transfer-Encoding: "chunked"\r\n', 501],
  ['single quotes', "Transfer-Encoding: 'chunked'\r\n", 501],
  ['a word behind', 'Transfer-Encoding: chunked x\r\n', 501],
  ['a no-break space behind', 'Transfer-Encoding: chunked\xa0\r\n', 501],
  ['an octet above 127 in front', 'Transfer-Encoding: \xffchunked\r\n', 501],
  ['a dotless i', 'Transfer-Encoding: chun\xc4\xb1ked\r\n', 501],
  ['the Kelvin sign', 'Transfer-Encoding: chun\xe2\x84\xaaed\r\n', 501],
  ['a vertical tab in front', 'Transfer-Encoding:\x0bchunked\r\n', 400],
  ['a form feed behind', 'Transfer-Encoding: chunked\x0c\r\n', 400],
  ['NUL behind', 'Transfer-Encoding: chunked\0\r\n', 400],
  ['a backspace behind', 'Transfer-Encoding: chunked\x08\r\n', 400],
  ['a carriage return in front', 'Transfer-Encoding: \rchunked\r\n', 400],
  ['a carriage return behind', 'Transfer-Encoding: chunked\r\r\n', 400],
  ['a line feed in front', 'Transfer-Encoding: \nchunked\r\n', 400],
  ['a fold in front', 'Transfer-Encoding:\r\n chunked\r\n', 400, 501],
  ['a fold behind', 'Transfer-Encoding: chunked\r\n identity\r\n', 400],
  ['a blank before the colon', 'Transfer-Encoding : chunked\r\n', 400],
  ['a tab before the colon', 'Transfer-Encoding\t: chunked\r\n', 400],
  ['a vertical tab before the colon', 'Transfer-Encoding\x0b: chunked\r\n', 400],
  ['a blank before the name', ' Transfer-Encoding: chunked\r\n', 400],
  ['a blank before the name, behind another header', 'X-A: 1\r\n Transfer-Encoding: chunked\r\n', 400],
  ['a header line that hides it', 'X-A: 1\nTransfer-Encoding: chunked\r\n', 400],
  ['a header line that hides it behind a carriage return', 'X-A: 1\rTransfer-Encoding: chunked\r\n', 400],
  ['NUL in the name', 'Transfer-Encoding\0: chunked\r\n', 400],
  ['a blank in the name', 'Transfer Encoding: chunked\r\n', 400],
  ['a second colon', 'Transfer-Encoding:: chunked\r\n', 501],
  ['an equals sign', 'Transfer-Encoding= chunked\r\n', 400],
  ['twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 400],
  ['identity behind it', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', 400],
  ['identity before it', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', 501],
  ['x behind it', 'Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n', 400],
  ['cow before it', 'Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n', 501],
  ['an empty one behind it', 'Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n', 400],
];

const lookAlikes = [
  'Transfer_Encoding',
  'Transfer-Encodings',
  'X-Transfer-Encoding',
  'TransferEncoding',
  'Transfer--Encoding',
];

export const transferEncoding: readonly RequestCase[] = [
  forwarded('chunked', rule, coding('Transfer-Encoding: chunked\r\n')),
  forwarded('chunked in upper case', 'RFC 9112 7', coding('TRANSFER-ENCODING: CHUNKED\r\n')),
  forwarded('chunked in mixed case', 'RFC 9112 7', coding('tRANSFER-eNCODING: cHuNkEd\r\n')),
  forwarded('blanks and tabs around', 'RFC 9110 5.5', coding('Transfer-Encoding: \t chunked \t\r\n')),
  forwarded('no blank after the colon', 'RFC 9110 5.5', coding('Transfer-Encoding:chunked\r\n')),
  forwarded(
    'GET with chunks',
    'RFC 9110 9.3.1',
    `GET / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n${end}`,
  ),
  forwarded(
    'HEAD with chunks',
    'RFC 9110 9.3.2',
    `HEAD / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n${end}`,
  ),
  ...lookAlikes.map((name) =>
    forwarded(`${name} is another header`, rule, post(`${name}: chunked\r\nContent-Length: 2\r\n`, 'ab')),
  ),
  ...disguises.map(([name, lines, ...statuses]) =>
    refused(`chunked disguised: ${name}`, rule, coding(lines), ...statuses),
  ),
  ...disguises.map(([name, lines, ...statuses]) =>
    refused(`a length and chunked disguised: ${name}`, both, withLength(lines), ...statuses, 400),
  ),
  refused(
    'CL.TE: a length, then chunked',
    both,
    post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', `${end}G`),
  ),
  refused(
    'TE.CL: chunked, then a length',
    both,
    post('Transfer-Encoding: chunked\r\nContent-Length: 3\r\n', `1\r\nA\r\n${end}`),
  ),
  refused('CL.0: chunked and length 0', both, post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', end)),
  refused('chunked and an invalid length', both, post('Transfer-Encoding: chunked\r\nContent-Length: x\r\n', end)),
  refused(
    'chunked and a nominated length',
    both,
    post('Connection: content-length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n', end),
  ),
  refused('HTTP/1.0 with chunked', rule, `POST / HTTP/1.0\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n${end}`),
  refused(
    'HTTP/1.0 with chunked and a length',
    rule,
    `POST / HTTP/1.0\r\nHost: orders\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${end}`,
  ),
  refused(
    'HTTP/1.0 with chunked, kept alive',
    rule,
    `POST / HTTP/1.0\r\nHost: orders\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${end}`,
  ),
  normalised(
    'a nominated Transfer-Encoding still frames',
    'RFC 9110 7.6.1',
    coding('Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n'),
  ),
];
