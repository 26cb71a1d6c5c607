/** How requests come to connections: kept, shared, waited for, given up. Connections are stand-ins. */
import type { Socket } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { type UpstreamConnector, UpstreamError, type UpstreamTarget } from '../../../core/data-plane/connection.ts';
import type { HttpEndpoint } from '../../../core/data-plane/http/compiled-service.ts';
import type { SessionWaiter } from '../../../core/data-plane/http/endpoint-state.ts';
import type {
  ServerStream,
  SessionOptions,
  UpstreamCarrier,
  UpstreamSession,
} from '../../../core/data-plane/http/streams.ts';
import { Upstreams } from '../../../core/data-plane/http/upstreams.ts';
import { MemoryTelemetry } from '../../integration/http/harness.ts';

class StandInSession implements UpstreamSession {
  readonly shared: boolean;
  readonly options: SessionOptions;
  readonly capacity: number;
  active = 0;
  ready: boolean;
  usable = true;
  destroyed = false;
  retired = false;

  constructor(options: SessionOptions, shared: boolean, capacity: number, ready: boolean) {
    this.options = options;
    this.shared = shared;
    this.capacity = capacity;
    this.ready = ready;
  }

  get available(): boolean {
    return this.ready && this.usable && this.active < this.capacity;
  }

  open(): ServerStream | null {
    if (!this.available) return null;
    this.active += 1;
    return {} as ServerStream;
  }

  /** One request has ended. */
  finish(): void {
    this.active -= 1;
    this.options.onRoom(this);
  }

  becomeReady(): void {
    this.ready = true;
    this.options.onRoom(this);
  }

  retire(): void {
    this.retired = true;
    this.usable = false;
    if (this.active === 0) this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.usable = false;
    this.options.onClosed(this);
  }

  tick(): void {
    // Nothing grows old here.
  }
}

class StandInConnector implements UpstreamConnector {
  generation = 0;
  readonly dials: {
    target: UpstreamTarget;
    aborted: () => boolean;
    done: (alpn?: string) => void;
    fail: () => void;
  }[] = [];

  connect(target: UpstreamTarget, signal?: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new UpstreamError({ kind: 'refused', message: 'refused' }));
      signal?.addEventListener('abort', fail);
      const done = (alpnProtocol?: string) => resolve({ alpnProtocol } as unknown as Socket);
      this.dials.push({ target, aborted: () => signal?.aborted === true, done, fail });
    });
  }
}

class Waiter implements SessionWaiter {
  readonly fresh: boolean;
  session: UpstreamSession | null = null;
  error: UpstreamError | null = null;

  constructor(fresh = false) {
    this.fresh = fresh;
  }

  sessionReady(session: UpstreamSession): void {
    this.session = session;
    session.open({} as never, 'http/1.1');
  }

  connectFailed(error: UpstreamError): void {
    this.error = error;
  }
}

const endpoint = (mesh: boolean): HttpEndpoint =>
  ({
    key: `orders ${mesh}`,
    target: { host: 'a', port: 1, tls: mesh ? { alpn: 'h1', spiffeId: 's', serverName: 'n' } : null },
    edge: { direction: 'outbound', protocol: 'http/1.1' },
  }) as HttpEndpoint;
const settle = () => new Promise((resolve) => setImmediate(resolve));

let connector: StandInConnector;
let sessions: StandInSession[];
let upstreams: Upstreams;
let readyAtOnce = true;

beforeEach(() => {
  connector = new StandInConnector();
  sessions = [];
  readyAtOnce = true;
  const carrier = (alpn: string, shared: boolean, capacity: number): UpstreamCarrier => ({
    alpn,
    plaintext: shared ? null : 'http/1.1',
    shared,
    takesChunked: true,
    createSession: (_socket, options) => {
      const session = new StandInSession(options, shared, capacity, readyAtOnce);
      sessions.push(session);
      return session;
    },
  });
  upstreams = new Upstreams({
    connector,
    telemetry: new MemoryTelemetry(),
    monotonicMs: () => 0,
    carriers: [carrier('shared', true, 3), carrier('h1', false, 1)],
  });
});

function ask(mesh = false, fresh = false): Waiter {
  const state = upstreams.stateOf(endpoint(mesh), 'http/1.1');
  const waiter = new Waiter(fresh);
  const session = fresh ? null : upstreams.take(state);
  if (session !== null) waiter.sessionReady(session);
  else upstreams.wait(state, waiter);
  return waiter;
}

describe('connections for one request at a time', () => {
  test('are opened one per request that waits, and used again, the last one first', async () => {
    const waiters = [ask(), ask()];
    expect(connector.dials).toHaveLength(2);
    for (const dial of connector.dials) dial.done();
    await settle();
    expect(waiters.map(({ session }) => session)).toEqual(sessions);
    sessions[0]?.finish();
    sessions[1]?.finish();
    expect(ask().session).toBe(sessions[1]);
    expect(ask().session).toBe(sessions[0]);
    expect(connector.dials).toHaveLength(2);
  });

  test('serve whoever waits when one becomes free first; the new one is kept for later', async () => {
    ask();
    connector.dials[0]?.done();
    await settle();
    const second = ask();
    sessions[0]?.finish();
    expect(second.session).toBe(sessions[0]);
    connector.dials[1]?.done();
    await settle();
    expect(ask().session).toBe(sessions[1]);
  });

  test('that were used before do not serve those who insist on a new one', async () => {
    ask();
    connector.dials[0]?.done();
    await settle();
    const insisting = ask(false, true);
    sessions[0]?.finish();
    expect(insisting.session).toBeNull();
    connector.dials[1]?.done();
    await settle();
    expect(insisting.session).toBe(sessions[1]);
  });

  test('fail one request per failed attempt', async () => {
    const waiters = [ask(), ask()];
    connector.dials[0]?.fail();
    await settle();
    expect(waiters.map(({ error }) => error?.failure.kind)).toEqual(['refused', undefined]);
    connector.dials[1]?.done();
    await settle();
    expect(waiters[1]?.session).toBe(sessions[0]);
  });

  test('are not waited for any longer by a request that was given up, and the attempt ends', async () => {
    const state = upstreams.stateOf(endpoint(false), 'http/1.1');
    const [first, second] = [ask(), ask()];
    upstreams.giveUp(state, second);
    expect(connector.dials.map(({ aborted }) => aborted())).toEqual([false, true]);
    await settle();
    connector.dials[0]?.done();
    await settle();
    expect([first.session, second.session, second.error]).toEqual([sessions[0], null, null]);
  });

  test('of an older generation take no new requests', async () => {
    const first = ask();
    connector.dials[0]?.done();
    await settle();
    connector.generation += 1;
    sessions[0]?.finish();
    expect(sessions[0]).toMatchObject({ retired: true, destroyed: true });
    const second = ask();
    connector.generation += 1;
    connector.dials[1]?.done();
    await settle();
    expect(sessions[1]?.retired).toBe(true);
    expect(second.session).toBeNull();
    connector.dials[2]?.done();
    await settle();
    expect(second.session).toBe(sessions[2]);
    expect(first.error).toBeNull();
  });
});

describe('connections for many requests', () => {
  test('are offered with the others, and shared by all who wait', async () => {
    const waiters = [ask(true), ask(true), ask(true)];
    expect(connector.dials).toHaveLength(1);
    expect(connector.dials[0]?.target.tls?.offers).toEqual(['shared', 'h1']);
    connector.dials[0]?.done('shared');
    await settle();
    expect(waiters.map(({ session }) => session)).toEqual([sessions[0], sessions[0], sessions[0]]);
  });

  test('are joined by another one when they are full, and used again when there is room', async () => {
    const waiters = [ask(true), ask(true), ask(true), ask(true)];
    connector.dials[0]?.done('shared');
    await settle();
    expect(waiters[3]?.session).toBeNull();
    expect(connector.dials).toHaveLength(2);
    sessions[0]?.finish();
    expect(waiters[3]?.session).toBe(sessions[0]);
    connector.dials[1]?.done('shared');
    await settle();
    expect(ask(true).session).toBe(sessions[1]);
    sessions[0]?.finish();
    expect(ask(true).session).toBe(sessions[0]);
  });

  test('are waited for until they are ready, without opening more', async () => {
    readyAtOnce = false;
    const waiters = [ask(true), ask(true, true)];
    connector.dials[0]?.done('shared');
    await settle();
    expect(waiters.map(({ session }) => session)).toEqual([null, null]);
    expect(connector.dials).toHaveLength(1);
    sessions[0]?.becomeReady();
    expect(waiters.map(({ session }) => session)).toEqual([sessions[0], sessions[0]]);
  });

  test('that are lost before they are ready fail those who wait', async () => {
    readyAtOnce = false;
    const waiters = [ask(true), ask(true)];
    connector.dials[0]?.done('shared');
    await settle();
    sessions[0]?.destroy();
    expect(waiters.map(({ error }) => error?.failure.kind)).toEqual(['reset', 'reset']);
    expect(connector.dials).toHaveLength(1);
  });

  test('give way to one connection per request where the peer does not know them', async () => {
    const waiters = [ask(true), ask(true)];
    connector.dials[0]?.done('h1');
    await settle();
    expect(waiters.map(({ session }) => session)).toEqual([sessions[0], null]);
    expect(connector.dials).toHaveLength(2);
    connector.dials[1]?.done('h1');
    await settle();
    expect(waiters[1]?.session).toBe(sessions[1]);
  });
});

test('closing ends connections and attempts', async () => {
  ask();
  connector.dials[0]?.done();
  await settle();
  ask();
  expect(upstreams.size).toBe(1);
  upstreams.close();
  expect(sessions[0]?.destroyed).toBe(true);
  expect(connector.dials[1]?.aborted()).toBe(true);
  expect(upstreams.size).toBe(0);
});

test('forgets endpoints without connections and requests', async () => {
  const before = upstreams.stateOf(endpoint(false), 'http/1.1');
  expect(upstreams.stateOf(endpoint(false), 'http/1.1')).toBe(before);
  upstreams.tick(0);
  expect(upstreams.stateOf(endpoint(false), 'http/1.1')).not.toBe(before);
  const used = upstreams.stateOf(endpoint(false), 'http/1.1');
  used.active += 1;
  upstreams.tick(0);
  expect(upstreams.stateOf(endpoint(false), 'http/1.1')).toBe(used);
});
