/**
 * The fuzzer: streams made by the grammar and damaged, against laws that hold for every stream. In CI with a fixed seed and
 * budget; `npm run fuzz -- --seconds N --seed S` runs it for as long as one likes.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answeredAs, understoodAs } from '../support/conformance/equivalence.ts';
import { answerStreams, cuttingSeeds, requestStreams } from '../support/conformance/fuzz-streams.ts';
import { cutBytes, RawClient } from '../support/conformance/raw-client.ts';
import {
  type CodecReading,
  readAnswerHead,
  readRequestHead,
  readWithCodec,
} from '../support/conformance/read-with-codec.ts';
import { RecordingUpstream } from '../support/conformance/recording-upstream.ts';
import {
  type RequestMessage,
  readRequests,
  readResponses,
  type Stream,
  valuesOf,
} from '../support/conformance/reference-parser.ts';
import { openPath, type PathName, type SidecarPath } from '../support/conformance/sidecar-paths.ts';
import { eventually } from '../support/eventually.ts';
import { get } from './cases/case.ts';

const seconds = Number(process.env.MESHDESK_FUZZ_SECONDS ?? 0);
const seed = Number(process.env.MESHDESK_FUZZ_SEED ?? 20_261_121);
/** Shares of a long run: the codec is quick, whole sidecars are where the time has to go. */
const budget = (runs: number, share: number) =>
  seconds > 0
    ? {
        seed,
        numRuns: Number.MAX_SAFE_INTEGER,
        interruptAfterTimeLimit: seconds * share * 1_000,
        markInterruptAsFailure: false,
      }
    : { seed, numRuns: runs };
const timeLimit = { timeout: seconds * 1_000 + 300_000 };

/** Ways in which an unfinished stream could go on. */
const continuations = [
  '\r\n',
  '\n',
  '\r\n\r\n',
  '\n\r\n',
  'a\r\n\r\n',
  ': a\r\n\r\n',
  ' / HTTP/1.1\r\nHost: a\r\n\r\n',
  '/ HTTP/1.1\r\nHost: a\r\n\r\n',
  ' HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.1\r\nHost: a\r\n\r\n',
  '.1\r\nHost: a\r\n\r\n',
  '1\r\nHost: a\r\n\r\n',
  '\r\nHost: a\r\n\r\n',
  'Host: a\r\n\r\n',
  '0\r\n\r\n',
  '\r\n0\r\n\r\n',
  'aaaaaaaa',
];

/** The codec and the reference agree on every complete message, and on whether what follows can become one. */
function agree<Message>(text: string, reading: CodecReading, read: (bytes: string) => Stream<Message>): void {
  const expected = read(text);
  expect(read(reading.messages.join('')).messages).toEqual(expected.messages);
  expect(reading.messages).toHaveLength(expected.messages.length);
  if (typeof expected.ending === 'object') expect(reading.ending).toBe('refused');
  else if (reading.ending === 'refused') {
    for (const more of continuations) expect(read(text + more).messages).toHaveLength(expected.messages.length);
  }
}

describe('the codec, on damaged streams', () => {
  test('requests: any cutting gives the same, and a parser of another making agrees', timeLimit, () => {
    fc.assert(
      fc.property(requestStreams, cuttingSeeds, (text, cut) => {
        const whole = readWithCodec([text], readRequestHead);
        expect(readWithCodec(cutBytes(text, { seed: cut }), readRequestHead)).toEqual(whole);
        expect(readWithCodec([...text], readRequestHead)).toEqual(whole);
        agree(text, whole, (bytes) => readRequests(bytes, false));
      }),
      budget(8_000, 0.2),
    );
  });

  test('answers: any cutting gives the same, and a parser of another making agrees', timeLimit, () => {
    fc.assert(
      fc.property(answerStreams, cuttingSeeds, (text, cut) => {
        const whole = readWithCodec([text], readAnswerHead);
        expect(readWithCodec(cutBytes(text, { seed: cut }), readAnswerHead)).toEqual(whole);
        expect(readWithCodec([...text], readAnswerHead)).toEqual(whole);
        agree(text, whole, (bytes) => readResponses(bytes, [], false));
      }),
      budget(8_000, 0.2),
    );
  });
});

/** Messages until the one after which the connection ends. */
function untilClose(messages: readonly RequestMessage[]): RequestMessage[] {
  const ends = messages.findIndex(({ minor, fields }) => {
    const options = fields
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.toLowerCase().split(','))
      .map((option) => option.trim());
    return options.includes('close') || (minor === 0 && !options.includes('keep-alive'));
  });
  return ends < 0 ? [...messages] : messages.slice(0, ends + 1);
}

/** An absolute form is taken apart on its way to a service. */
function change({ method, target, minor, fields }: RequestMessage) {
  const [, authority, rest = ''] = /^[a-z][a-z0-9+.-]*:\/\/([^/?]+)(.*)$/i.exec(target) ?? [];
  const origin = rest.startsWith('/') ? rest : method === 'OPTIONS' && rest === '' ? '*' : `/${rest}`;
  const asked = authority === undefined ? {} : { host: authority, target: origin };
  // Nobody waits for a 100 in HTTP/1.0; an upgrade to h2c is not offered.
  const kept = understoodAs([{ method, target, minor, fields, body: '', trailers: [] }], [])[0];
  const expects =
    minor === 0 && kept !== undefined ? { fields: kept.fields.filter(([name]) => name !== 'expect') } : {};
  const upgrade = /(^|,)\s*h2c\s*(,|$)/i.test(kept?.upgrade ?? '') ? { upgrade: null } : {};
  return { ...asked, ...expects, ...upgrade };
}

for (const path of ['outbound', 'pair'] satisfies PathName[]) {
  describe(`whole sidecars, ${path}, on damaged streams`, () => {
    let upstream: RecordingUpstream;
    let sidecars: SidecarPath;

    beforeAll(async () => {
      upstream = await new RecordingUpstream().start();
      sidecars = await openPath(path, upstream.port);
    });

    afterAll(async () => {
      await sidecars.close();
      await upstream.close();
    });

    async function sendRequests(text: string, cut: number): Promise<void> {
      // How paths are normalized is the subject of other tests.
      fc.pre(!/\/\.|\\|%(?!0d|0a)/.test(text));
      upstream.answer = ({ method }) =>
        `HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n${method === 'HEAD' ? '' : 'recorded'}`;
      // A first request makes it an HTTP connection, whatever follows.
      const sent = get('', '/first') + text;
      const expected = readRequests(sent);
      const served = untilClose(expected.messages);
      const refused = typeof expected.ending === 'object' && served.length === expected.messages.length;
      const methods = served.map(({ method }) => method);
      const client = await RawClient.open(sidecars.port);
      upstream.forget();
      try {
        await client.send(sent, cut % 3 === 0 ? 'whole' : { seed: cut });
        client.socket.end();
        await client.end();
        const statuses = client
          .answers([...methods, 'GET'])
          .messages.map(({ status }) => status)
          .filter((status) => status >= 200);
        expect(statuses.slice(0, served.length)).toEqual(served.map(() => 200));
        expect(statuses.length).toBeLessThanOrEqual(served.length + 1);
        if (refused) expect(statuses[served.length] ?? 400).toBeGreaterThanOrEqual(400);
        // HTTP/1.1 needs a Host; a client of HTTP/1.0 that names none is given the address of the upstream.
        const names = served.map(({ fields }) => (valuesOf(fields, 'host').length === 0 ? { host: '' } : {}));
        expect(understoodAs(upstream.messages, names)).toEqual(understoodAs(served, served.map(change)));
        const open = upstream.connections.filter(({ ending }) => ending !== 'nothing');
        await eventually('what was begun to be given up', () => open.every(({ closed }) => closed));
        for (const { ending } of open) expect(['head', 'body']).toContain(ending);
      } catch (error) {
        upstream.reset();
        throw error;
      } finally {
        client.close();
      }
    }

    async function sendAnswers(text: string, cut: number): Promise<void> {
      upstream.forget();
      upstream.answer = ({ target }, { socket }) => {
        if (target !== '/case') return 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown';
        const pieces = cutBytes(text, { seed: cut });
        const next = () => {
          const piece = pieces.shift();
          if (piece === undefined) socket.end();
          else if (socket.writable) socket.write(piece, 'latin1', () => setImmediate(next));
        };
        next();
        return null;
      };
      const client = await RawClient.open(sidecars.port);
      try {
        await client.send(`${get('', '/case')}`);
        client.socket.end();
        await client.end();
        const expected = readResponses(text, ['GET'], true).messages;
        const final = expected.findIndex(({ status }) => status >= 200);
        const valid = final >= 0 && expected.slice(0, final).every(({ status }) => status !== 101);
        const { messages } = client.answers(['GET']);
        const last = messages.at(-1);
        // Either what the upstream meant, or an answer of the sidecar's own, or something that is visibly cut off.
        const own = last?.fields.some(([name, value]) => name === 'server' && value === 'meshdesk') === true;
        const meant = valid && last !== undefined ? expected[final] : undefined;
        if (last !== undefined && !own && last.status >= 200) {
          expect(meant).toBeDefined();
          if (meant !== undefined) expect(answeredAs(last, 'GET')).toEqual(answeredAs(meant, 'GET'));
        }
        if (valid) expect(own).toBe(false);
        const next = await RawClient.open(sidecars.port);
        await next.send(get('Connection: close\r\n', '/next'));
        await next.end();
        expect(next.answers(['GET']).messages.map(({ body }) => body)).toEqual(['own']);
        next.close();
      } catch (error) {
        upstream.reset();
        throw error;
      } finally {
        client.close();
      }
    }

    const share = path === 'outbound' ? 0.2 : 0.1;

    test('requests: the upstream understands what was sent and nothing else', timeLimit, async () => {
      await fc.assert(
        fc.asyncProperty(requestStreams, fc.nat(), sendRequests),
        budget(path === 'outbound' ? 400 : 150, share),
      );
    });

    test('answers: the client understands what was sent, or sees that it is broken', timeLimit, async () => {
      await fc.assert(
        fc.asyncProperty(answerStreams, fc.nat(), sendAnswers),
        budget(path === 'outbound' ? 300 : 100, share),
      );
    });
  });
}
