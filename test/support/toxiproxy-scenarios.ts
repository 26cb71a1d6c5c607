import type { Socket } from 'node:net';
import type { TcpAction } from '../../core/data-plane/faults/injection-set.ts';
import type { ToxiproxyToxic } from './toxiproxy.ts';

type ToxicAction = Exclude<TcpAction, { kind: 'tcp-refuse' }>;

/** What one side saw of a connection: bytes, how many arrivals at different times, when the last came, and how it ended. */
export interface SideSeen {
  readonly bytes: number;
  readonly bursts: number;
  readonly lastMs: number;
  readonly ending: 'open' | 'end' | 'reset';
  readonly endedMs: number;
}

export interface Scenario {
  readonly name: string;
  /** In force before the connection is opened. */
  readonly before?: readonly ToxicAction[];
  /** Put in force when both sides are connected, instead of those. */
  readonly during?: readonly ToxicAction[];
  /** Put in force after the steps, instead of those. */
  readonly after?: readonly ToxicAction[];
  readonly clientSends?: number;
  readonly serverSends?: number;
  /** The server ends its side after it has sent. */
  readonly serverEnds?: boolean;
  readonly watchMs: number;
}

const stream = 'downstream';

/** One scenario per statement of toxiproxy's documentation, and some about how toxics come, go and compose. */
export const scenarios: readonly Scenario[] = [
  { name: 'no toxic', serverSends: 1_000, clientSends: 500, watchMs: 300 },
  latency('latency of answers', { latencyMs: 200 }),
  latency('latency of questions', { latencyMs: 200, stream: 'upstream' }),
  {
    name: 'bandwidth: one chunk takes size / rate',
    before: [{ kind: 'tcp-bandwidth', stream, bytesPerSecond: 100_000 }],
    serverSends: 8_000,
    watchMs: 500,
  },
  {
    name: 'bandwidth: a large chunk leaves in pieces of 100 ms',
    before: [{ kind: 'tcp-bandwidth', stream, bytesPerSecond: 20_000 }],
    serverSends: 9_000,
    watchMs: 900,
  },
  {
    name: 'bandwidth of 0: nothing passes',
    before: [{ kind: 'tcp-bandwidth', stream, bytesPerSecond: 0 }],
    serverSends: 100,
    watchMs: 500,
  },
  {
    name: 'slow close: data at once, the end late',
    before: [{ kind: 'tcp-slow-close', stream, delayMs: 300 }],
    serverSends: 100,
    serverEnds: true,
    watchMs: 700,
  },
  {
    name: 'timeout: data is dropped, then closed',
    before: [{ kind: 'tcp-timeout', stream, timeoutMs: 200 }],
    serverSends: 100,
    watchMs: 600,
  },
  {
    name: 'timeout of 0: data is dropped, never closed',
    before: [{ kind: 'tcp-timeout', stream, timeoutMs: 0 }],
    serverSends: 100,
    watchMs: 500,
  },
  {
    name: 'timeout of 0 that is taken away closes',
    before: [{ kind: 'tcp-timeout', stream, timeoutMs: 0 }],
    serverSends: 100,
    after: [],
    watchMs: 400,
  },
  {
    name: 'timeout of questions: answers pass, then closed',
    before: [{ kind: 'tcp-timeout', stream: 'upstream', timeoutMs: 200 }],
    clientSends: 50,
    serverSends: 100,
    watchMs: 600,
  },
  {
    name: 'reset at once with the first data',
    before: [{ kind: 'tcp-reset', stream, afterMs: 0 }],
    serverSends: 100,
    watchMs: 300,
  },
  {
    name: 'reset some time after the first data',
    before: [{ kind: 'tcp-reset', stream, afterMs: 200 }],
    serverSends: 100,
    watchMs: 500,
  },
  {
    name: 'reset waits for data',
    before: [{ kind: 'tcp-reset', stream, afterMs: 0 }],
    watchMs: 400,
  },
  {
    name: 'reset by questions',
    before: [{ kind: 'tcp-reset', stream: 'upstream', afterMs: 0 }],
    clientSends: 50,
    watchMs: 300,
  },
  {
    name: 'slicer: halves until a piece is small enough',
    before: [{ kind: 'tcp-slicer', stream, averageBytes: 100, variationBytes: 0, delayMs: 20 }],
    serverSends: 1_000,
    watchMs: 900,
  },
  {
    name: 'limit data: so many bytes, then closed',
    before: [{ kind: 'tcp-limit-data', stream, bytes: 600 }],
    serverSends: 1_000,
    watchMs: 300,
  },
  {
    name: 'limit data: fewer bytes, and it stays open',
    before: [{ kind: 'tcp-limit-data', stream, bytes: 1_001 }],
    serverSends: 1_000,
    watchMs: 300,
  },
  {
    name: 'limit data of 0: closed with the first byte',
    before: [{ kind: 'tcp-limit-data', stream, bytes: 0 }],
    serverSends: 10,
    watchMs: 300,
  },
  {
    name: 'bandwidth, then latency: counted from the arrival',
    before: [
      { kind: 'tcp-bandwidth', stream, bytesPerSecond: 20_000 },
      { kind: 'tcp-latency', stream, latencyMs: 300, jitterMs: 0 },
    ],
    serverSends: 4_000,
    watchMs: 700,
  },
  {
    name: 'timeout, then slow close',
    before: [
      { kind: 'tcp-timeout', stream, timeoutMs: 200 },
      { kind: 'tcp-slow-close', stream, delayMs: 200 },
    ],
    serverSends: 100,
    watchMs: 800,
  },
  {
    name: 'latency that comes while the connection is open',
    during: [{ kind: 'tcp-latency', stream, latencyMs: 200, jitterMs: 0 }],
    serverSends: 100,
    watchMs: 500,
  },
  {
    name: 'latency that goes lets everything go',
    before: [{ kind: 'tcp-latency', stream, latencyMs: 60_000, jitterMs: 0 }],
    serverSends: 100,
    after: [],
    watchMs: 400,
  },
];

function latency(
  name: string,
  { latencyMs, stream: direction = stream }: { latencyMs: number; stream?: 'upstream' | 'downstream' },
): Scenario {
  return {
    name,
    before: [{ kind: 'tcp-latency', stream: direction, latencyMs, jitterMs: 0 }],
    clientSends: 100,
    serverSends: 100,
    watchMs: latencyMs + 300,
  };
}

export function toToxiproxy(action: ToxicAction): ToxiproxyToxic {
  const { stream: direction } = action;
  const toxic = (type: string, attributes: ToxiproxyToxic['attributes']) => ({ type, stream: direction, attributes });
  switch (action.kind) {
    case 'tcp-latency':
      return toxic('latency', { latency: action.latencyMs, jitter: action.jitterMs });
    case 'tcp-bandwidth':
      return toxic('bandwidth', { rate: action.bytesPerSecond / 1_000 });
    case 'tcp-slow-close':
      return toxic('slow_close', { delay: action.delayMs });
    case 'tcp-timeout':
      return toxic('timeout', { timeout: action.timeoutMs });
    case 'tcp-reset':
      return toxic('reset_peer', { timeout: action.afterMs });
    case 'tcp-slicer':
      return toxic('slicer', {
        average_size: action.averageBytes,
        size_variation: action.variationBytes,
        delay: action.delayMs * 1_000,
      });
    case 'tcp-limit-data':
      return toxic('limit_data', { bytes: action.bytes });
  }
}

export interface EdgeUnderTest {
  /** Only these from now on. */
  set(actions: readonly ToxicAction[]): Promise<void>;
  open(): Promise<{ client: Socket; server: Socket }>;
}

export interface SidesSeen {
  readonly client: SideSeen;
  readonly server: SideSeen;
}

/** A machine may be this much later than it should be. */
const mostLateMs = 20_000;
/** Arrivals closer than this are one. */
const burstMs = 8;

function watch(socket: Socket, sinceMs: () => number): () => SideSeen {
  const seen = { bytes: 0, bursts: 0, lastMs: 0, ending: 'open' as SideSeen['ending'], endedMs: 0 };
  let lastAt = Number.NEGATIVE_INFINITY;
  const ended = (ending: SideSeen['ending']) => {
    if (seen.ending === 'reset') return;
    seen.ending = ending;
    seen.endedMs = Math.round(performance.now() - sinceMs());
  };
  socket.on('data', (chunk: Buffer) => {
    const now = performance.now();
    seen.bytes += chunk.length;
    if (now - lastAt > burstMs) seen.bursts += 1;
    lastAt = now;
    seen.lastMs = Math.round(now - sinceMs());
  });
  socket.on('end', () => ended('end'));
  socket.on('error', () => ended('reset'));
  return () => ({ ...seen });
}

/** Watches as long as the scenario says, and on while `isWhole` says that something is missing yet: a busy machine is late. */
export async function observe(
  edge: EdgeUnderTest,
  scenario: Scenario,
  isWhole: (seen: SidesSeen) => boolean = () => true,
): Promise<SidesSeen> {
  await edge.set(scenario.before ?? []);
  const { client, server } = await edge.open();
  let began = performance.now();
  const [atClient, atServer] = [client, server].map((socket) => watch(socket, () => began));
  if (atClient === undefined || atServer === undefined) throw new Error('a connection has two sides');
  if (scenario.during !== undefined) await edge.set(scenario.during);
  began = performance.now();
  if (scenario.clientSends !== undefined) client.write('c'.repeat(scenario.clientSends));
  if (scenario.serverSends !== undefined) server.write('s'.repeat(scenario.serverSends));
  if (scenario.serverEnds === true) server.end();
  if (scenario.after !== undefined) {
    // What was sent has to be inside before they go.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await edge.set(scenario.after);
  }
  await new Promise((resolve) => setTimeout(resolve, scenario.watchMs));
  const look = () => ({ client: atClient(), server: atServer() });
  const giveUpAt = performance.now() + mostLateMs;
  while (!isWhole(look()) && performance.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 20));
  const result = look();
  client.destroy();
  server.destroy();
  await edge.set([]);
  return result;
}
