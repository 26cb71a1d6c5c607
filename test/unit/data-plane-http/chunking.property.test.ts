import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBodyScanner } from '../../../core/data-plane/http/body-scanner.ts';
import type { BodyKind } from '../../../core/data-plane/http/codec.ts';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';

type Outcome = { heads: string[]; body: string; ending: string };

/** Reads a stream of requests from pieces, as a connection does. */
function read(pieces: readonly Buffer[]): Outcome {
  const codec = createHttpCodec();
  const scanner = createBodyScanner();
  const outcome: Outcome = { heads: [], body: '', ending: 'open' };
  let pending: Buffer = Buffer.alloc(0);
  let inBody = false;
  for (const piece of pieces) {
    pending = Buffer.concat([pending, piece]);
    while (pending.length > 0 && outcome.ending === 'open') {
      if (!inBody) {
        const result = codec.parseRequest(pending, 0, pending.length);
        if (result === 'incomplete') break;
        if (result === 'refused') {
          outcome.ending = `${codec.refusal.status} ${codec.refusal.reason}`;
          break;
        }
        const { request } = codec;
        outcome.heads.push(pending.toString('latin1', request.start, request.end));
        const kind: BodyKind = request.chunked ? 'chunked' : request.contentLength > 0 ? 'length' : 'none';
        scanner.begin(kind, Math.max(0, request.contentLength), false);
        pending = pending.subarray(request.end);
      }
      const end = scanner.scan(pending, 0, pending.length);
      if (end < 0) {
        // How much of it went on before the break was seen may differ.
        outcome.ending = 'broken body';
        outcome.body = '';
        break;
      }
      for (let index = 0; index < scanner.spanCount; index += 2) {
        outcome.body += pending.toString('latin1', scanner.spans[index], scanner.spans[index + 1]);
      }
      inBody = !scanner.done;
      pending = pending.subarray(end);
      if (inBody) break;
    }
  }
  return outcome;
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((position) => position % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

const chunk = fc
  .tuple(fc.string({ minLength: 1, maxLength: 20 }), fc.constantFrom('', ';x', ';x="1;2"'))
  .map(([data, extension]) => {
    const bytes = Buffer.from(data);
    return `${bytes.length.toString(16)}${extension}\r\n${bytes.toString('latin1')}\r\n`;
  });
const chunkedBody = fc
  .tuple(fc.array(chunk, { maxLength: 4 }), fc.constantFrom('', 'X-T: 1\r\n'))
  .map(([chunks, trailers]) => `Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n${trailers}\r\n`);
const lengthBody = fc.string({ maxLength: 40 }).map((text) => {
  const bytes = Buffer.from(text);
  return `Content-Length: ${bytes.length}\r\n\r\n${bytes.toString('latin1')}`;
});
const request = fc
  .tuple(fc.constantFrom('GET', 'POST', 'M-SEARCH'), fc.oneof(chunkedBody, lengthBody, fc.constant('\r\n')))
  .map(([method, rest]) => `${method} /a?b HTTP/1.1\r\nHost: a\r\nX-Long: ${'v'.repeat(30)}\r\n${rest}`);
const cuts = fc.array(fc.nat({ max: 100_000 }), { maxLength: 30 });

/** Turns a valid stream into one that is most likely not. */
const damaged = fc
  .tuple(
    fc.array(request, { minLength: 1, maxLength: 3 }),
    fc.nat(),
    fc.constantFrom('\r', '\n', '\0', ' ', ':', '0', ';', '\x80'),
  )
  .map(([requests, position, octet]) => {
    const text = requests.join('');
    const at = position % text.length;
    return text.slice(0, at) + octet + text.slice(at + 1);
  });

describe('any cutting of the byte stream gives the same result', () => {
  test('of valid requests', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 4 }), cuts, (requests, positions) => {
        const bytes = Buffer.from(requests.join(''), 'latin1');
        const whole = read([bytes]);
        expect(whole.heads).toHaveLength(requests.length);
        expect(read(cut(bytes, positions))).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  test('of damaged requests', () => {
    fc.assert(
      fc.property(damaged, cuts, (text, positions) => {
        const bytes = Buffer.from(text, 'latin1');
        expect(read(cut(bytes, positions))).toEqual(read([bytes]));
      }),
      { numRuns: 1_000 },
    );
  });

  test('byte by byte', () => {
    fc.assert(
      fc.property(damaged, (text) => {
        const bytes = Buffer.from(text, 'latin1');
        expect(read([...bytes].map((octet) => Buffer.of(octet)))).toEqual(read([bytes]));
      }),
      { numRuns: 100 },
    );
  });
});
