/**
 * The corpus of requests through real sidecars, driven from outside: bytes in, and at the upstream only what was meant.
 * Every case is sent in one piece, byte by byte and cut at random, on a fresh connection and behind another request.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { understoodAs } from '../support/conformance/equivalence.ts';
import type { Cutting, RawClient } from '../support/conformance/raw-client.ts';
import { RecordingUpstream } from '../support/conformance/recording-upstream.ts';
import { readRequests } from '../support/conformance/reference-parser.ts';
import { openPath, pathNames, type RequestPathName, type SidecarPath } from '../support/conformance/sidecar-paths.ts';
import { eventually } from '../support/eventually.ts';
import { get, type RequestCase } from './cases/case.ts';
import { requestCases } from './cases/requests.ts';

const first = get('', '/first');
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: orders\r\n\r\n';
const after = get('', '/after');

interface Variant {
  readonly cutting: Cutting;
  /** Behind another request of the same connection. */
  readonly second: boolean;
}

/** A number from a name, so that a case is always cut in the same places. */
const seedOf = (name: string) => [...name].reduce((seed, letter) => (seed * 31 + letter.charCodeAt(0)) | 0, 7);

function variantsOf({ name, unrecognised }: RequestCase, path: RequestPathName): Variant[] {
  const random: Cutting = { seed: seedOf(name) };
  const variants: Variant[] = [
    { cutting: 'whole', second: true },
    { cutting: random, second: true },
    { cutting: 'whole', second: false },
    { cutting: random, second: false },
  ];
  // Between two sidecars the bytes of the client are gone, so that once is enough.
  if (path === 'outbound') variants.push({ cutting: 'bytes', second: false }, { cutting: 'bytes', second: true });
  // Each connection costs a handshake.
  return unrecognised === true || path === 'mesh' ? variants.filter(({ second }) => second) : variants;
}

/** An application may be a proxy itself, so that the absolute form is left to it; only the Host is made to agree. */
const changesOn = (path: RequestPathName, { as = [], send }: RequestCase) =>
  (path === 'inbound' || path === 'mesh') && send.split(' ', 2)[1]?.includes('://') === true
    ? as.map(({ target: _, ...change }) => change)
    : as;

const describeVariant = ({ cutting, second }: Variant) =>
  `${typeof cutting === 'string' ? cutting : 'cut at random'}${second ? ', behind a request' : ''}`;

for (const path of [...pathNames, 'mesh'] as const) {
  describe(`requests, ${path}`, () => {
    let upstream: RecordingUpstream;
    let sidecars: SidecarPath;
    let watcher: RawClient;
    let watched = 0;

    beforeAll(async () => {
      upstream = await new RecordingUpstream().start();
      sidecars = await openPath(path, upstream.port);
      watcher = await sidecars.connect();
    });

    afterAll(async () => {
      watcher.close();
      await sidecars.close();
      await upstream.close();
    });

    /** Once a later request has come through, whatever an earlier one had caused has arrived too. */
    async function settle(): Promise<void> {
      watched += 1;
      await watcher.send(get('', `/watch-${watched}`));
      const methods = Array.from({ length: watched }, () => 'GET');
      await watcher.final(watched, methods);
    }

    const arrived = () => upstream.messages.filter(({ target }) => !target.startsWith('/watch-'));

    async function run(listed: RequestCase, variant: Variant): Promise<void> {
      upstream.forget();
      const client = await sidecars.connect();
      try {
        const prefix = variant.second ? first : '';
        const sent = readRequests(prefix + listed.send + (listed.outcome === 'refused' ? smuggled : ''));
        const expected = understoodAs(sent.messages, changesOn(path, listed), variant.second ? 1 : 0);
        const methods = sent.messages.map(({ method }) => method);
        const understood = () => arrived().map((message) => understoodAs([message], [])[0]);
        if (listed.outcome === 'forwarded') {
          expect(sent.ending).toSatisfy((ending) => ending === 'nothing' || ending === 'head');
          await client.send(prefix + listed.send, variant.cutting);
          const answers = await client.final(methods.length, methods);
          expect(answers.filter(({ status }) => status >= 200).map(({ status }) => status)).toEqual(
            methods.map(() => 200),
          );
          expect(understood()).toEqual(expected);
          await checkWhatFollows(client, sent.messages.at(-1), methods);
        } else if (listed.outcome === 'refused') {
          expect(sent.ending).toEqual({ refused: expect.any(String) });
          await client.send(prefix + listed.send + smuggled, variant.cutting);
          await client.end();
          const answers = client.answers([...methods, 'GET']).messages.filter(({ status }) => status >= 200);
          const statuses = answers.map(({ status }) => status);
          expect(statuses.slice(0, methods.length)).toEqual(methods.map(() => 200));
          expect(listed.statuses).toContain(statuses[methods.length]);
          expect(statuses).toHaveLength(methods.length + 1);
          await settle();
          expect(understood()).toEqual(expected);
          await checkNothingOpen(listed.begins === true);
        } else {
          expect(sent.ending).toSatisfy((ending) => ending === 'head' || ending === 'body');
          await client.send(prefix + listed.send, variant.cutting);
          // Half of the time the client has gone before the requests in front of it are answered.
          if (variant.cutting === 'whole') client.socket.end();
          await client.final(methods.length, methods);
          await settle();
          expect(understood()).toEqual(expected);
          client.socket.end();
          await client.end();
          await settle();
          expect(understood()).toEqual(expected);
          await checkNothingOpen(true);
        }
      } catch (error) {
        upstream.reset();
        throw error;
      } finally {
        client.close();
      }
    }

    /** A connection that may live on carries another request; one that may not has ended. */
    async function checkWhatFollows(
      client: RawClient,
      last: ReturnType<typeof readRequests>['messages'][number] | undefined,
      methods: readonly string[],
    ): Promise<void> {
      const options = (last?.fields ?? [])
        .filter(([name]) => name.toLowerCase() === 'connection')
        .flatMap(([, value]) =>
          value
            .toLowerCase()
            .split(',')
            .map((option) => option.trim()),
        );
      const lives =
        last?.minor === 1 ? !options.includes('close') : options.includes('keep-alive') && !options.includes('close');
      if (!lives) {
        await client.end();
        expect(client.failed).toBe(false);
        return;
      }
      await client.send(after);
      const answers = await client.final(methods.length + 1, [...methods, 'GET']);
      expect(answers.at(-1)?.status).toBe(200);
      expect(arrived().at(-1)?.target).toBe('/after');
    }

    /** What has begun at the upstream must have been given up, what has not begun must not be there at all. */
    async function checkNothingOpen(mayHaveBegun: boolean): Promise<void> {
      const open = upstream.connections.filter(({ ending }) => ending !== 'nothing');
      if (!mayHaveBegun) expect(open.map(({ received }) => received.slice(-200))).toEqual([]);
      await eventually('unfinished messages to be given up', () => open.every(({ closed }) => closed));
      for (const { ending } of open) expect(['head', 'body']).toContain(ending);
    }

    for (const [subject, cases] of Object.entries(requestCases)) {
      describe(subject, () => {
        for (const listed of cases) {
          test(`${listed.outcome}: ${listed.name} [${listed.rule}]`, async () => {
            for (const variant of variantsOf(listed, path)) {
              await run(listed, variant).catch((cause: unknown) => {
                const reason = cause instanceof Error ? cause.message : String(cause);
                throw new Error(`${describeVariant(variant)}: ${reason}`, { cause });
              });
            }
          });
        }
      });
    }
  });
}
