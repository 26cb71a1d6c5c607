/** The corpus of answers through real sidecars: an upstream that sends them, a client that has to understand them alike. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resetConnection } from '../../core/data-plane/reset-connection.ts';
import { answeredAs } from '../support/conformance/equivalence.ts';
import { type Cutting, cutBytes, RawClient } from '../support/conformance/raw-client.ts';
import { type RecordedConnection, RecordingUpstream } from '../support/conformance/recording-upstream.ts';
import { readResponses } from '../support/conformance/reference-parser.ts';
import { openPath, type PathName, pathNames, type SidecarPath } from '../support/conformance/sidecar-paths.ts';
import type { AnswerCase } from './cases/answer.ts';
import { answersFraming } from './cases/answers-framing.ts';
import { answersDesync, answersHeads, answersInterim } from './cases/answers-heads.ts';

const subjects: Readonly<Record<string, readonly AnswerCase[]>> = {
  framing: answersFraming,
  heads: answersHeads,
  'bytes behind an answer': answersDesync,
  'early answers': answersInterim,
};

const cuttingsOf = (path: PathName): Cutting[] =>
  path === 'outbound' ? ['whole', 'bytes', { seed: 11 }] : ['whole', { seed: 12 }];

async function send(
  connection: RecordedConnection,
  { answer, ending }: AnswerCase,
  cutting: Cutting,
  relayed: () => Promise<void>,
): Promise<void> {
  const { socket } = connection;
  for (const piece of cutBytes(answer, cutting)) {
    if (!socket.writable) return;
    if (piece !== '') await new Promise<void>((resolve) => socket.write(piece, 'latin1', () => resolve()));
    if (cutting !== 'whole') await new Promise((resolve) => setImmediate(resolve));
  }
  if (ending === 'fin') socket.end();
  if (ending !== 'reset') return;
  // What the client has is out of the reset's reach.
  if (answer !== '') await relayed();
  resetConnection(socket);
}

for (const path of pathNames) {
  describe(`answers, ${path}`, () => {
    let upstream: RecordingUpstream;
    let sidecars: SidecarPath;
    let asked = 0;

    beforeAll(async () => {
      upstream = await new RecordingUpstream().start();
      sidecars = await openPath(path, upstream.port);
    });

    afterAll(async () => {
      await sidecars.close();
      await upstream.close();
    });

    async function run(listed: AnswerCase, cutting: Cutting): Promise<void> {
      upstream.forget();
      const { method = 'GET', lines = '', minor = 1 } = listed;
      const client = await RawClient.open(sidecars.port);
      const relayed = () =>
        client.until('the bytes before a reset', () => /\r\n\r\n.*h.*e.*l.*l.*o/s.test(client.received));
      let sending: Promise<void> = Promise.resolve();
      upstream.answer = ({ target }, connection) => {
        if (target !== '/case') return `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`;
        sending = send(connection, listed, cutting, relayed);
        return null;
      };
      try {
        await client.send(`${method} /case HTTP/1.${minor}\r\nHost: orders\r\n${lines}\r\n`);
        const [sent] = readResponses(listed.answer, [method], listed.ending === 'fin').messages.filter(
          ({ status }) => status >= 200,
        );
        if (listed.outcome === 'cut') {
          // While nothing has been forwarded the loss may still be told by an answer of the sidecar's own.
          const isOwn = () => [502, 503].includes(client.answers([method]).messages[0]?.status ?? 0);
          await client.until('the end, or an answer of the sidecar', isOwn);
          const { messages, ending } = client.answers([method]);
          if (!isOwn())
            expect({ messages, whole: ending === 'nothing' && !client.failed }).toEqual({ messages: [], whole: false });
        } else {
          const answers = await client.final(1, [method]);
          const final = answers.at(-1);
          if (final === undefined) throw new Error('there is no answer');
          if (listed.outcome === 'refused') {
            expect(listed.statuses ?? [502]).toContain(final.status);
            expect(final.fields).toContainEqual(['server', 'meshdesk']);
            expect(client.received).not.toContain('evil');
          } else {
            if (sent === undefined) throw new Error('the answer of the case is none');
            const interim = answers.slice(0, -1).map(({ status }) => status);
            expect(interim).toEqual(listed.as?.interim ?? []);
            expect(answeredAs(final, method)).toEqual({ ...answeredAs(sent, method), ...changesOf(listed) });
          }
        }
        await sending;
        await checkNextAnswers(client, method, client.answers([method]).messages.length);
      } catch (error) {
        upstream.reset();
        throw error;
      } finally {
        client.close();
      }
    }

    const changesOf = ({ as = {} }: AnswerCase) => ({
      ...(as.body === undefined ? {} : { body: as.body }),
      ...(as.fields === undefined ? {} : { fields: as.fields }),
    });

    /** On the same connection where it lives on, and on a new one: what belongs to a request answers it. */
    async function checkNextAnswers(client: RawClient, method: string, before: number): Promise<void> {
      asked += 1;
      const target = `/after-${asked}`;
      const request = `GET ${target} HTTP/1.1\r\nHost: orders\r\n\r\n`;
      await client.send(request);
      const fresh = await RawClient.open(sidecars.port);
      try {
        await fresh.send(request);
        expect((await fresh.final(1, ['GET'])).map(({ body }) => body)).toEqual([target]);
      } finally {
        fresh.close();
      }
      await client.until('an answer or the end', () => client.answers([method, 'GET']).messages.length > before);
      const following = client.ended ? [] : client.answers([method, 'GET']).messages.slice(before);
      expect(following.map(({ body }) => body)).toEqual(client.ended ? [] : [target]);
    }

    for (const [subject, cases] of Object.entries(subjects)) {
      describe(subject, () => {
        for (const listed of cases) {
          test(`${listed.outcome}: ${listed.name} [${listed.rule}]`, async () => {
            for (const cutting of cuttingsOf(path)) {
              await run(listed, cutting).catch((cause: unknown) => {
                const reason = cause instanceof Error ? cause.message : String(cause);
                throw new Error(`${typeof cutting === 'string' ? cutting : 'cut at random'}: ${reason}`, { cause });
              });
            }
          });
        }
      });
    }
  });
}
