/** Either side breaks off, at every stage of an exchange, politely or not: the other side is told, and the next request is served. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RawClient } from '../support/conformance/raw-client.ts';
import { RecordingUpstream } from '../support/conformance/recording-upstream.ts';
import { openPath, pathNames, type SidecarPath } from '../support/conformance/sidecar-paths.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/test-sidecar.ts';
import { chunked, get, post } from './cases/case.ts';

interface Stage {
  readonly name: string;
  /** What the client has sent when it breaks off. */
  readonly sent: string;
  /** What the upstream has sent by then; `null`: it has been told nothing to answer. */
  readonly answered: string | null;
  /** Complete requests that the upstream has got by then. */
  readonly complete: number;
}

const stages: readonly Stage[] = [
  { name: 'half a request line', sent: 'GET /ca', answered: null, complete: 0 },
  { name: 'half a head', sent: 'GET /case HTTP/1.1\r\nHost: ord', answered: null, complete: 0 },
  { name: 'a head whose body is to come', sent: post('Content-Length: 10\r\n'), answered: null, complete: 0 },
  { name: 'half a body', sent: post('Content-Length: 10\r\n', 'hello'), answered: null, complete: 0 },
  { name: 'half a chunk', sent: chunked('a\r\nhello'), answered: null, complete: 0 },
  { name: 'chunks without the last one', sent: chunked('5\r\nhello\r\n'), answered: null, complete: 0 },
  { name: 'a request that is not answered yet', sent: get('', '/case'), answered: null, complete: 1 },
  { name: 'half an answer’s head', sent: get('', '/case'), answered: 'HTTP/1.1 200 OK\r\nContent-', complete: 1 },
  { name: 'an early answer', sent: get('', '/case'), answered: 'HTTP/1.1 103 Early\r\n\r\n', complete: 1 },
  {
    name: 'half an answer',
    sent: get('', '/case'),
    answered: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello',
    complete: 1,
  },
  {
    name: 'half a chunked answer',
    sent: get('', '/case'),
    answered: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel',
    complete: 1,
  },
  {
    name: 'half an answer that ends with the connection',
    sent: get('', '/case'),
    answered: 'HTTP/1.1 200 OK\r\n\r\nhello',
    complete: 1,
  },
];

for (const path of pathNames) {
  describe(`aborts, ${path}`, () => {
    let upstream: RecordingUpstream;
    let sidecars: SidecarPath;

    beforeAll(async () => {
      upstream = await new RecordingUpstream().start();
      sidecars = await openPath(path, upstream.port);
    });

    beforeEach(() => upstream.reset());

    afterAll(async () => {
      await sidecars.close();
      await upstream.close();
    });

    /** The sidecars serve on, and with the right answer. */
    async function checkServing(): Promise<void> {
      upstream.answer = ({ target }) => `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`;
      const client = await RawClient.open(sidecars.port);
      await client.send(get('Connection: close\r\n', '/next'));
      await client.end();
      expect(client.answers(['GET']).messages.map(({ body }) => body)).toEqual(['/next']);
      client.close();
    }

    const answerWith = (text: string | null) => {
      upstream.answer = () => text;
    };

    /** Nothing is left of the exchange at the upstream. */
    const released = () =>
      eventually('the upstream connection to be given up', () => upstream.connections.every(({ closed }) => closed));

    for (const { name, sent, answered, complete } of stages) {
      for (const how of ['fin', 'reset'] as const) {
        test(`the client's ${how} behind ${name}`, async () => {
          upstream.forget();
          answerWith(answered);
          const client = await RawClient.open(sidecars.port);
          await client.send(sent);
          await eventually('the requests to arrive', () => upstream.messages.length === complete);
          if (answered?.includes('hel')) await client.until('the first bytes', () => client.received.includes('hel'));
          if (how === 'reset') {
            client.reset();
            await released();
          } else {
            client.socket.end();
            // A client that is only through with sending still gets its answer; until then nothing is given up.
            if (complete === 1) for (const { socket } of upstream.connections) socket.destroy();
            await client.end();
            expect(
              client
                .answers(['GET'])
                .messages.filter(({ status }) => status < 400 && status >= 200 && answered === null),
            ).toEqual([]);
            await released();
          }
          expect(upstream.messages).toHaveLength(complete);
          client.close();
          await checkServing();
        });
      }
    }

    test('a client that is through with sending gets its answer', async () => {
      upstream.forget();
      answerWith(null);
      const client = await RawClient.open(sidecars.port);
      await client.send(get('', '/case'));
      client.socket.end();
      await eventually('the request to arrive', () => upstream.messages.length === 1);
      upstream.connections.at(-1)?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate');
      await client.end();
      expect(client.answers(['GET']).messages.map(({ body }) => body)).toEqual(['late']);
      expect(client.failed).toBe(false);
    });

    test.each(['half a body', 'half a head'])(
      'a client that ends its side in %s gets the answers to what came before',
      async (what) => {
        upstream.forget();
        upstream.answer = () => 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst';
        const client = await RawClient.open(sidecars.port);
        const rest = what === 'half a body' ? post('Content-Length: 5\r\n', 'hell') : 'GET /half HTTP/1.1\r\nHo';
        await client.send(get('', '/first') + rest);
        client.socket.end();
        await client.end();
        expect(client.answers(['GET']).messages.map(({ body }) => body)).toEqual(['first']);
        expect(upstream.messages).toHaveLength(1);
        await eventually('what was begun to be given up', () =>
          upstream.connections.every(({ ending, closed }) => ending === 'nothing' || closed),
        );
      },
    );

    test('a client that ends its side in the middle of the answer gets the rest of it, and the end', async () => {
      upstream.forget();
      answerWith('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
      const client = await RawClient.open(sidecars.port);
      await client.send(get('', '/case'));
      await client.until('the first bytes', () => client.received.includes('hello'));
      client.socket.end();
      upstream.connections.at(-1)?.socket.write('world');
      await client.end();
      expect(client.answers(['GET']).messages.map(({ body }) => body)).toEqual(['helloworld']);
    });

    test('an upstream that refuses connections gives 503, and is found again', async () => {
      const port = await freePort();
      const lonely = await openPath(path, port);
      const client = await RawClient.open(lonely.port);
      await client.send(get());
      expect((await client.final(1, ['GET'])).map(({ status }) => status)).toEqual([503]);
      client.close();
      await lonely.close();
      await checkServing();
    });

    test.each([
      ['413 and a close', 'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch', true],
      ['413 and the end of the connection', 'HTTP/1.1 413 Too Large\r\n\r\nmuch', true],
      ['200 on a connection that stays', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmuch', false],
    ])('an answer before the end of the request: %s', async (_name, text, closes) => {
      upstream.forget();
      const client = await RawClient.open(sidecars.port);
      await client.send(post('Content-Length: 2000000\r\n', 'a'.repeat(1_000)));
      const connection = await eventually('the head to arrive', () =>
        upstream.connections.find(({ received }) => received.includes('/items')),
      );
      connection.socket.write(text);
      if (closes) connection.socket.end();
      const [answer] = await client.final(1, ['POST']);
      expect(answer?.body).toBe('much');
      expect(upstream.messages).toEqual([]);
      client.reset();
      await released();
      await checkServing();
    });
  });
}
