/** The DNS server on real sockets: answers of its own, and resolvers that get everything else. */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type DnsFault, DnsServer } from '../../../core/data-plane/dns/dns-server.ts';
import { recordType } from '../../../core/data-plane/dns/message.ts';
import { compileNames } from '../../../core/data-plane/dns/name-table.ts';
import { MessageReader, toFrame } from '../../../core/data-plane/dns/stream-relay.ts';
import { readAnswer, toQuery } from '../../support/dns-messages.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort, serviceOf } from '../../support/test-sidecar.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** The question with a mark behind it: bytes that a server which reads and writes messages would not keep. */
const mark = Buffer.from([0xde, 0xad, 0xbe, 0xef]);
function toReply(question: Buffer, code = 0): Buffer {
  const reply = Buffer.concat([question, mark]);
  reply.writeUInt16BE(0x8180 | code, 2);
  return reply;
}

/** A resolver that keeps what it was asked; `answer` `null`: it says nothing. */
async function startResolver(answer: (question: Buffer) => Buffer | null = (question) => toReply(question)) {
  const seen: Buffer[] = [];
  const ports: number[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (question, { port, address }) => {
    seen.push(question);
    ports.push(port);
    const reply = answer(question);
    if (reply !== null) socket.send(reply, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  cleanUps.push(() => socket.close());
  return { seen, ports, address: { host: '127.0.0.1', port: socket.address().port } };
}

async function startServer(
  resolvers: readonly { host: string; port: number }[],
  { fault = () => null, port }: { fault?: (name: string) => DnsFault | null; port?: number } = {},
) {
  const services = [
    { ...serviceOf('a', 80, []), dns: [{ hosts: ['api.example.internal'], addresses: ['240.240.0.7'] }] },
    {
      ...serviceOf('b', 80, []),
      dns: [{ hosts: ['many.example'], addresses: Array.from({ length: 100 }, (_, index) => `10.0.0.${index}`) }],
    },
  ];
  const names = compileNames(services);
  const server = new DnsServer({
    names: () => names,
    fault,
    connector: {
      generation: 0,
      connect: async ({ host, port: to }) => {
        const socket = connect(to, host);
        await once(socket, 'connect');
        return socket;
      },
    },
    monotonicMs: () => performance.now(),
    random: Math.random,
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    resolvers: () => resolvers,
  });
  const dnsPort = port ?? (await freePort());
  const prepared = await server.prepare({ kind: 'transparent', outboundPort: 1, inboundPort: 2, dnsPort });
  prepared.commit();
  cleanUps.push(() => server.close());
  return { server, dnsPort };
}

async function openClient(port: number): Promise<{ socket: DatagramSocket; ask(message: Buffer): Promise<Buffer> }> {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  cleanUps.push(() => socket.close());
  const ask = async (message: Buffer) => {
    const answered = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(message);
    return (await answered)[0];
  };
  return { socket, ask };
}

describe('over UDP', () => {
  it('answers names of the mesh itself, and asks nobody', async () => {
    const resolver = await startResolver();
    const { dnsPort } = await startServer([resolver.address]);
    const { ask } = await openClient(dnsPort);
    const read = readAnswer(await ask(toQuery('API.example.internal', { id: 7, udpBytes: 1_232 })));
    expect(read).toMatchObject({ id: 7, code: 0, records: [{ address: '240.240.0.7' }] });
    const none = readAnswer(await ask(toQuery('api.example.internal', { type: recordType.aaaa })));
    expect(none).toMatchObject({ code: 0, records: [] });
    expect(resolver.seen).toHaveLength(0);
  });

  it('passes everything else on and back byte for byte but for the id', async () => {
    const resolver = await startResolver();
    const { dnsPort } = await startServer([resolver.address]);
    const { ask } = await openClient(dnsPort);
    for (const question of [
      toQuery('www.example.com', { id: 0xabcd }),
      toQuery('www.example.com', { type: 65, udpBytes: 4_096 }),
      Buffer.concat([toQuery('odd.example'), Buffer.from('what is this?')]),
    ]) {
      expect((await ask(question)).equals(toReply(question))).toBe(true);
      expect(resolver.seen.at(-1)?.subarray(2).equals(question.subarray(2))).toBe(true);
    }
  });

  it('keeps questions of many clients with the same id apart', async () => {
    const resolver = await startResolver();
    const { dnsPort } = await startServer([resolver.address]);
    const clients = await Promise.all(Array.from({ length: 20 }, () => openClient(dnsPort)));
    const answers = await Promise.all(
      clients.flatMap(({ ask }, index) =>
        ask(toQuery(`n${index}.example`, { id: 1 })).then((reply) => ({ index, reply })),
      ),
    );
    for (const { index, reply } of answers) {
      expect(reply.equals(toReply(toQuery(`n${index}.example`, { id: 1 })))).toBe(true);
    }
    expect(new Set(resolver.seen.map((question) => question.readUInt16BE(0))).size).toBe(20);
  });

  it.skipIf(process.platform !== 'linux')(
    'asks from ports that applications are not given, and not for ever from one',
    async () => {
      const resolver = await startResolver();
      const { dnsPort } = await startServer([resolver.address]);
      const { ask } = await openClient(dnsPort);
      for (let turn = 0; turn < 600; turn += 1) await ask(toQuery(`n${turn}.example`));
      const [, last = 65_535] = (await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'))
        .trim()
        .split(/\s+/)
        .map(Number);
      if (last < 64_000) expect(Math.min(...resolver.ports)).toBeGreaterThan(last);
      expect(new Set(resolver.ports).size).toBeGreaterThanOrEqual(3);
      expect(new Set(resolver.seen.map((question) => question.readUInt16BE(0))).size).toBeGreaterThan(500);
    },
  );

  it('takes no answer to another question, and none from somebody else', async () => {
    const resolver = await startResolver((question) => {
      const other = Buffer.from(question);
      other.write('x', 13, 'latin1');
      return toReply(other);
    });
    const right = await startResolver();
    const { dnsPort } = await startServer([resolver.address, right.address]);
    const { ask } = await openClient(dnsPort);
    const question = toQuery('a.example');
    expect((await ask(question)).equals(toReply(question))).toBe(true);
    expect(right.seen).toHaveLength(1);
  });

  it('asks the next resolver when one is not there', async () => {
    const right = await startResolver();
    const gone = { host: '127.0.0.1', port: await freePort() };
    const { dnsPort } = await startServer([gone, right.address]);
    const { ask } = await openClient(dnsPort);
    const question = toQuery('a.example');
    expect((await ask(question)).equals(toReply(question))).toBe(true);
  });

  it('says SERVFAIL when no resolver can be reached', async () => {
    const { dnsPort } = await startServer([{ host: '127.0.0.1', port: await freePort() }]);
    const { ask } = await openClient(dnsPort);
    expect(readAnswer(await ask(toQuery('a.example', { id: 5 })))).toMatchObject({ id: 5, code: 2 });
  });

  it('knows no other records of its names, but not that there is no such name', async () => {
    const resolver = await startResolver((question) => toReply(question, 3));
    const { dnsPort } = await startServer([resolver.address]);
    const { ask } = await openClient(dnsPort);
    const read = readAnswer(await ask(toQuery('api.example.internal', { type: 16, id: 9 })));
    expect(read).toMatchObject({ id: 9, code: 0, records: [] });
    expect(resolver.seen).toHaveLength(1);
    expect((await ask(toQuery('other.example'))).readUInt16BE(2) & 15).toBe(3);
  });

  it('goes on after datagrams that are no questions', async () => {
    const resolver = await startResolver(() => null);
    const { dnsPort } = await startServer([resolver.address]);
    const { socket, ask } = await openClient(dnsPort);
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(12), Buffer.alloc(600, 0xff)])
      socket.send(bytes);
    expect(readAnswer(await ask(toQuery('api.example.internal'))).records).toHaveLength(1);
  });

  it('makes faults: another code, or a delay', async () => {
    const resolver = await startResolver();
    const codes: Record<string, DnsFault> = {
      'gone.example': { delayMs: 0, code: 3 },
      'broken.example': { delayMs: 1, code: 2 },
      'slow.example': { delayMs: 30, code: null },
    };
    const { dnsPort } = await startServer([resolver.address], { fault: (name) => codes[name] ?? null });
    const { ask } = await openClient(dnsPort);
    expect(readAnswer(await ask(toQuery('gone.example'))).code).toBe(3);
    expect(readAnswer(await ask(toQuery('broken.example'))).code).toBe(2);
    expect(resolver.seen).toHaveLength(0);
    const before = performance.now();
    await ask(toQuery('slow.example'));
    expect(performance.now() - before).toBeGreaterThanOrEqual(29);
  });

  it('gives new questions to a newer server on the same port', async () => {
    const [old, young] = [await startResolver(), await startResolver()];
    const first = await startServer([old.address]);
    const { ask } = await openClient(first.dnsPort);
    await ask(toQuery('a.example'));
    await startServer([young.address], { port: first.dnsPort });
    first.server.retire();
    await ask(toQuery('b.example'));
    expect([old.seen.length, young.seen.length]).toEqual([1, 1]);
  });
});

describe('over TCP', () => {
  async function startTcpResolver(code = 0): Promise<{ server: Server; connections: () => number }> {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      const reader = new MessageReader();
      // Everything in one packet, the last question first.
      socket.on('data', (chunk: Buffer) => {
        const replies = reader.read(chunk).map((question) => toFrame(toReply(question, code)));
        socket.write(Buffer.concat(replies.reverse()));
      });
      socket.on('error', () => socket.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUps.push(() => server.close());
    return { server, connections: () => connections };
  }

  /** The stream side stands behind a listener that knows whom the client dialled. */
  async function openStream(resolver: Server) {
    const { server } = await startServer([]);
    const { port } = resolver.address() as AddressInfo;
    const front = createServer({ allowHalfOpen: true }, (socket) =>
      server.acceptStream(socket, { host: '127.0.0.1', port }),
    ).listen(0, '127.0.0.1');
    await once(front, 'listening');
    cleanUps.push(() => front.close());
    const client = connect((front.address() as AddressInfo).port, '127.0.0.1');
    cleanUps.push(() => client.destroy());
    const reader = new MessageReader();
    const answers: Buffer[] = [];
    client.on('data', (chunk: Buffer) => answers.push(...reader.read(chunk).map((message) => Buffer.from(message))));
    return { client, answers };
  }

  it('answers and passes on questions of one connection, in pieces or all at once', async () => {
    const resolver = await startTcpResolver();
    const { client, answers } = await openStream(resolver.server);
    const foreign = [1, 2].map((id) => toQuery(`n${id}.example`, { id }));
    const all = Buffer.concat([...foreign, toQuery('many.example', { id: 3 })].map(toFrame));
    for (const byte of all.subarray(0, 40)) client.write(Buffer.from([byte]));
    client.write(all.subarray(40));
    await eventually('three answers', async () => answers.length === 3);
    const byId = new Map(answers.map((answer) => [answer.readUInt16BE(0), answer]));
    for (const question of foreign) {
      expect(byId.get(question.readUInt16BE(0))?.equals(toReply(question))).toBe(true);
    }
    expect(readAnswer(byId.get(3) ?? Buffer.alloc(0))).toMatchObject({ truncated: false, code: 0 });
    expect(readAnswer(byId.get(3) ?? Buffer.alloc(0)).records).toHaveLength(100);
    expect(resolver.connections()).toBe(1);
  });

  it('ends when the client has ended and everything is answered', async () => {
    const resolver = await startTcpResolver();
    const { client, answers } = await openStream(resolver.server);
    client.end(toFrame(toQuery('a.example')));
    await once(client, 'end');
    expect(answers).toHaveLength(1);
  });

  it('closes the connection when the resolver refuses its own', async () => {
    const resolver = await startTcpResolver();
    const { client } = await openStream(resolver.server);
    resolver.server.close();
    await once(resolver.server, 'close');
    client.on('error', () => undefined);
    client.write(toFrame(toQuery('a.example')));
    await once(client, 'close');
    expect(client.destroyed).toBe(true);
  });
});
