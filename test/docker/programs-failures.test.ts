/**
 * A client, a server or one of their sidecars is killed, paused or restarted while a request waits for its answer and a
 * download, an upload, a TCP stream, a WebSocket and a gRPC stream are under way. Each has to end as it should, none may hang or pass
 * for complete; afterwards traffic flows, and nothing is left of what was broken off.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresDir } from '../support/docker-program-image.ts';
import type { ClientEvent, Operation } from '../support/docker-program-shop.ts';
import { eventually } from '../support/eventually.ts';
import { ProgramMesh } from '../support/program-mesh.ts';

/** What runs when the harm is done, each for a minute and a half if nothing disturbs it: a busy machine takes its time to begin all. */
const long = {
  request: ['request', 'server', 25_000],
  download: ['download', 'server', 10_000_000, 600],
  upload: ['upload', 'server', 10_000_000, 600],
  tcp: ['tcp', 'server', 7003],
  websocket: ['websocket', 'server', 1_800],
  grpc: ['grpc', 'server', 1_800],
} as const;
type Kind = keyof typeof long;
type Operations = Readonly<Record<Kind, readonly (string | number)[]>>;
/** The same for a quarter of a minute, where the end is waited for. */
const short: Operations = {
  request: ['request', 'server', 15_000],
  download: ['download', 'server', 10_000_000, 100],
  upload: ['upload', 'server', 10_000_000, 100],
  tcp: ['tcp', 'server', 7002],
  websocket: ['websocket', 'server', 300],
  grpc: ['grpc', 'server', 300],
};
const kinds = Object.keys(long) as Kind[];
const members = ['client', 'server'] as const;
/** Idle connections that a sidecar keeps for the next request; each operation that is not let go takes two or more. */
const keptIdle = { client: 4, server: 8 };
const mostRssBytes = 128 * 1_024 ** 2;

/** How a broken operation may look to its client: a reset, an end too early, or an answer of the mesh that says so. */
const broken: Record<Kind, RegExp> = {
  request: /^(ECONNRESET|status 50[234]|socket hang up)$/,
  download: /^(ECONNRESET|aborted)$/,
  upload: /^(ECONNRESET|EPIPE|status 50[234]|socket hang up)$/,
  tcp: /^(ECONNRESET|FIN)$/,
  websocket: /^(ECONNRESET|close 1006)$/,
  // UNAVAILABLE; INTERNAL and CANCELLED are what RST_STREAM codes map to; UNKNOWN has no place here.
  grpc: /^grpc (14|13|1)$/,
};

describe.skipIf(postgresDir === null)('what is under way when a part fails', () => {
  const mesh = new ProgramMesh(['server']);
  const { shop } = mesh;
  const container = (short: string) => shop.docker.getContainer(shop.id(short));
  const sidecar = async (short: string) => shop.docker.getContainer((await shop.sidecarsOf(short))[0] ?? '');

  /** Operations that the server still has open, by its own count. */
  const openAtServer = async () =>
    JSON.parse(await shop.shell('server', 'curl -s http://127.0.0.1:8080/open')) as Record<string, number>;

  const begin = async (operations: Operations = long): Promise<Map<Kind, Operation>> => {
    const begun = await Promise.all(
      kinds.map(async (kind): Promise<[Kind, Operation]> => {
        const operation = await shop.operate(...operations[kind]);
        await operation.begun();
        return [kind, operation];
      }),
    );
    await eventually('the server serves all of them', async () => {
      const open = await openAtServer();
      return kinds.every((kind) => open[kind] === 1);
    });
    return new Map(begun);
  };
  /** A request with a deadline of its own, to a server that does not answer, ends at that deadline. */
  const waitsInVain = async () => {
    const { code } = await shop.runIn('client', ['curl', '-s', '-m', '1', 'http://server:8080/hello']);
    return code === 28;
  };
  const outcomes = async (begun: ReadonlyMap<Kind, Operation>): Promise<Record<Kind, ClientEvent>> => {
    const ended = await Promise.allSettled(
      [...begun].map(async ([kind, operation]) => [kind, await operation.outcome()]),
    );
    const late = ended.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
    expect(late).toEqual([]);
    return Object.fromEntries(ended.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
  };
  /** Both ends are in the mesh, every kind of traffic flows, and the sidecars hold no more than before. */
  const recovered = async () => {
    for (const member of members) await mesh.healthy(member);
    await shop.answers('the server', ['curl', '-sf', '-m', '2', 'http://server:8080/hello']);
    const brief = [
      await shop.operate('request', 'server', 1),
      await shop.operate('download', 'server', 300_000, 0),
      await shop.operate('upload', 'server', 300_000, 0),
      await shop.operate('tcp-echo', 'server', 100_000),
      await shop.operate('websocket', 'server', 2),
      await shop.operate('grpc', 'server', 2),
    ];
    for (const operation of brief) {
      const ended = await operation.outcome();
      expect(ended, JSON.stringify(ended)).toMatchObject({ outcome: 'complete' });
    }
    expect((await shop.securedEdge(mesh.client, 'server')).mtls).toBe('closed');
    await eventually('the server serves nothing any more', async () => {
      const open = await openAtServer();
      if (Object.values(open).some((count) => count !== 0)) throw new Error(JSON.stringify(open));
      return true;
    });
    for (const member of members) {
      await eventually(
        `the sidecar of the ${member} holds what it keeps for the next request, and no more`,
        async () => {
          const { connections, rssBytes } = await shop.sidecarFigures(member);
          if (connections > keptIdle[member]) throw new Error(`${connections} connections`);
          if (!(rssBytes < mostRssBytes)) throw new Error(`${rssBytes} bytes`);
          return true;
        },
      );
    }
    for (const member of members) expect(await shop.sidecarsOf(member)).toHaveLength(1);
    const ids: readonly string[] = members.map((member) => shop.id(member));
    const helpers = await shop.docker.listContainers({ all: true, filters: { label: ['dev.meshdesk.role=rules'] } });
    expect(helpers.filter(({ Labels }) => ids.includes(Labels['dev.meshdesk.workload'] ?? ''))).toEqual([]);
  };

  beforeAll(async () => {
    await mesh.start();
    await recovered();
  });
  afterAll(() => mesh.close());

  it.each([
    {
      name: 'the server is killed',
      harm: () => container('server').kill(),
      mend: () => container('server').start(),
    },
    { name: 'the server is restarted', harm: () => container('server').restart({ t: 0 }), mend: async () => undefined },
    {
      name: 'the sidecar of the server is killed',
      harm: () => shop.killSidecar('server'),
      mend: async () => undefined,
    },
    {
      name: 'the sidecar of the client is killed',
      harm: () => shop.killSidecar('client'),
      mend: async () => undefined,
    },
    {
      name: 'the container of the client’s sidecar is restarted',
      harm: async () => (await sidecar('client')).restart({ t: 3 }),
      mend: async () => undefined,
    },
    {
      name: 'the container of the server’s sidecar is removed',
      harm: async () => (await sidecar('server')).remove({ force: true }),
      mend: async () => undefined,
    },
  ])('ends everything with an error when $name', async ({ harm, mend }) => {
    const begun = await begin();
    try {
      await harm();
      const ended = await outcomes(begun);
      for (const kind of kinds) {
        expect(ended[kind], kind).toMatchObject({ outcome: 'broken' });
        expect(ended[kind].error, kind).toMatch(broken[kind]);
      }
    } finally {
      await mend();
    }
    await recovered();
  });

  it.each([
    { name: 'the client is killed', harm: () => container('client').kill(), mend: () => container('client').start() },
    { name: 'the client is restarted', harm: () => container('client').restart({ t: 0 }), mend: async () => undefined },
  ])('lets the server know when $name', async ({ harm, mend }) => {
    await begin();
    try {
      await harm();
      await eventually('the server serves none of the streams', async () => {
        // A request whose client has sent its FIN is answered all the same: it may only have closed its half.
        const { request, ...streams } = await openAtServer();
        if (Object.values(streams).some((count) => count !== 0)) throw new Error(JSON.stringify(streams));
        return request !== undefined;
      });
    } finally {
      await mend();
    }
    await recovered();
  });

  it.each([
    { name: 'the server', paused: async () => container('server') },
    { name: 'the client', paused: async () => container('client') },
    { name: 'the sidecar of the server', paused: () => sidecar('server') },
    { name: 'the sidecar of the client', paused: () => sidecar('client') },
  ])('only interrupts what is under way while $name is paused', async ({ name, paused }) => {
    const begun = await begin(short);
    const container = await paused();
    await container.pause();
    try {
      if (name === 'the client') await eventually('it is paused', async () => (await container.inspect()).State.Paused);
      else expect(await waitsInVain()).toBe(true);
    } finally {
      await container.unpause();
    }
    const ended = await outcomes(begun);
    for (const kind of kinds) expect(ended[kind], kind).toMatchObject({ outcome: 'complete' });
    await recovered();
  });
});
