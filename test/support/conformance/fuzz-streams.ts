/**
 * Streams of HTTP/1.1 for the fuzzer: made by the grammar, then damaged where a parser has to decide something. As fast-check
 * arbitraries, so that a stream that breaks a law shrinks to the few bytes that matter.
 */
import fc from 'fast-check';

const methods = ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'M-SEARCH', 'get', 'CONNECT'];
const targets = [
  '/',
  '/a?b=c',
  '*',
  'http://orders/x?y',
  'http://orders:8080',
  '//a',
  '/%0d%0a',
  '/\xff',
  'a',
  'http://a@b/',
];
const lines = [
  'X-A: 1',
  'X-B:',
  'X-A: \t2 \t',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: x-a, upgrade',
  'Connection: content-length',
  'Connection: transfer-encoding, close',
  'Keep-Alive: timeout=5',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'TE: trailers',
  'Trailer: X-T',
  'Expect: 100-continue',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: 05',
  'Content-Length: 5, 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: CHUNKED',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'Host: elsewhere',
  'X-Forwarded-For: 10.0.0.1',
  'Cookie: a=b; c=d',
];

/** What a stream is damaged with: delimiters, look-alikes of them, and whole parts of a message in the wrong place. */
const fragments = [
  '\r\n',
  '\n',
  '\r',
  '\r\r\n',
  '\n\r',
  '\r\n\r\n',
  '\n\n',
  ' ',
  '\t',
  '\x0b',
  '\x0c',
  '\0',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  ':',
  ';',
  ',',
  '"',
  '0',
  '1',
  '5',
  'a',
  'f',
  'g',
  '0x',
  '+',
  '-',
  '_',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  '5;a="b"\r\nhello\r\n',
  ';a\nb',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'chunked',
  'GET / HTTP/1.1\r\nHost: orders\r\n\r\n',
  'GET /smuggled HTTP/1.1\r\nX: ',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  ...lines.map((line) => `${line}\r\n`),
];

const data = fc.oneof(
  fc.string({ maxLength: 12, unit: fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet)) }),
  fc.constantFrom('hello', '0\r\n\r\n', '\r\n', 'GET / HTTP/1.1\r\n\r\n'),
);
const extension = fc.constantFrom('', '', ';a', ';a=b', ';a="b;c"');
const hex = fc.constantFrom(
  (size: number) => size.toString(16),
  (size: number) => size.toString(16).toUpperCase(),
  (size: number) => `00${size.toString(16)}`,
);
const chunk = fc
  .tuple(data, extension, hex)
  .map(([bytes, behind, write]) => (bytes === '' ? '' : `${write(bytes.length)}${behind}\r\n${bytes}\r\n`));
const trailer = fc.constantFrom('', '', 'X-T: 1\r\n', 'X-T:\r\nX-U: 2\r\n', 'Content-Length: 5\r\n');
const body = fc.oneof(
  fc.constant('\r\n'),
  data.map((bytes) => `Content-Length: ${bytes.length}\r\n\r\n${bytes}`),
  fc
    .tuple(fc.array(chunk, { maxLength: 3 }), extension, trailer)
    .map(([chunks, behind, last]) => `Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0${behind}\r\n${last}\r\n`),
);
const fields = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...lines.slice(0, 5)) },
      { weight: 1, arbitrary: fc.constantFrom(...lines) },
    ),
    {
      maxLength: 3,
    },
  )
  .map((chosen) => chosen.map((line) => `${line}\r\n`).join(''));

const mostly = <T>(usual: T, others: readonly T[]) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const request = fc
  .tuple(mostly('POST', methods), mostly('/a', targets), mostly('1.1', ['1.0']), fields, body)
  .map(
    ([method, target, version, more, rest]) => `${method} ${target} HTTP/${version}\r\nHost: orders\r\n${more}${rest}`,
  );

const status = mostly('200 OK', [
  '100 Continue',
  '103 Early',
  '204 No Content',
  '304 Not Modified',
  '404 ',
  '599',
  '099 Low',
  '2000 Much',
]);
const answer = fc
  .tuple(mostly('1.1', ['1.0']), status, fields, body)
  .map(([version, code, more, rest]) => `HTTP/${version} ${code}\r\n${more}${rest}`);

interface Damage {
  readonly place: number;
  readonly kind: 'insert' | 'replace' | 'remove' | 'repeat' | 'cut';
  readonly fragment: string;
  readonly length: number;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constantFrom('insert', 'insert', 'replace', 'remove', 'repeat', 'cut'),
  fragment: fc.constantFrom(...fragments),
  length: fc.integer({ min: 1, max: 12 }),
});

/** Half of the time at a place where something ends, which is where parsers disagree. */
function placeOf(text: string, { place, length }: Damage): number {
  const at = Math.floor(place * text.length);
  if (length % 2 === 0) return at;
  const ends = [text.indexOf('\r\n', at), text.indexOf(':', at), text.indexOf(' ', at), text.indexOf(';', at)];
  const next = ends.filter((end) => end >= 0);
  return next.length === 0 ? at : Math.min(...next) + (length % 3);
}

function applyDamage(text: string, done: Damage): string {
  const at = placeOf(text, done);
  const { kind, fragment, length } = done;
  switch (kind) {
    case 'insert':
      return text.slice(0, at) + fragment + text.slice(at);
    case 'replace':
      return text.slice(0, at) + fragment + text.slice(at + fragment.length);
    case 'remove':
      return text.slice(0, at) + text.slice(at + length);
    case 'repeat':
      return text.slice(0, at + length) + text.slice(at);
    case 'cut':
      return text.slice(0, at);
  }
}

const damaged = (message: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.array(message, { minLength: 1, maxLength: 3 }), fc.array(damage, { maxLength: 3 }))
    .map(([messages, damages]) => damages.reduce(applyDamage, messages.join('')));

export const requestStreams: fc.Arbitrary<string> = damaged(request);
export const answerStreams: fc.Arbitrary<string> = damaged(answer);
/** Seeds for the cutting of a stream. */
export const cuttingSeeds: fc.Arbitrary<number> = fc.integer();
