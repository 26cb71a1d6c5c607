/** Faults of requests, through two sidecars with mutual TLS, for clients of HTTP/1.1 and of HTTP/2. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpAction } from '../../../core/data-plane/faults/injection-set.ts';
import type { InjectionConfig } from '../../../core/model/injection-config.ts';
import type { HttpRoute } from '../../../core/model/sidecar-config.ts';
import type { RetryConfig } from '../../../core/model/traffic-config.ts';
import { eventually } from '../../support/eventually.ts';
import { abort, FaultShop, fixedDelay, httpFault, type Protocol } from '../../support/fault-shop.ts';

let shop: FaultShop;
beforeEach(async () => {
  shop = await FaultShop.start();
});
afterEach(() => shop.close());

const protocols: readonly Protocol[] = ['HTTP/1.1', 'HTTP/2'];
type BodyChange = Extract<HttpAction, { kind: 'body' }>;
const body = (more: Partial<BodyChange>): BodyChange => ({ kind: 'body', set: null, replace: [], ...more });
const operations = (more: Partial<{ remove: string[]; set: [string, string][]; add: [string, string][] }>) => ({
  remove: [],
  set: [],
  add: [],
  ...more,
});

function route(retries: Partial<RetryConfig>, more: Partial<HttpRoute> = {}): HttpRoute {
  const destination = { service: 'shop.shop', subset: null, port: null, weight: 1 };
  const plan = { retryOn: '5xx', perTryTimeoutMs: null, backoffBaseMs: 1, avoidPreviousHosts: false, attempts: 2 };
  return {
    name: 'all',
    match: [],
    destinations: [destination],
    timeoutMs: null,
    retries: { ...plan, ...retries },
    ...more,
  };
}

async function counted(id: string): Promise<{ seen: number; hits: number }> {
  const sum = { seen: 0, hits: 0 };
  for (const fault of shop.pair.web.control.reports.flatMap(({ faults }) => faults)) {
    if (fault.id !== id) continue;
    sum.seen += fault.seen;
    sum.hits += fault.hits;
  }
  return sum;
}

describe.each(protocols)('a fault of %s', (protocol) => {
  const inject = (...injections: InjectionConfig[]) => shop.inject(injections);
  const ask = (path = '/', headers: Record<string, string> = {}) => shop.ask(protocol, { path, headers });

  it('delays a request', async () => {
    await inject(httpFault(fixedDelay(300), { id: 'slow' }));
    const reply = await ask();
    expect([reply.status, reply.body, reply.headers['x-mesh-fault']]).toEqual([200, 'hello world', 'slow']);
    expect(reply.ms).toBeGreaterThanOrEqual(299);
  });

  it('aborts a request with status, headers and body', async () => {
    await inject(httpFault(abort(429, { headers: { 'Retry-After': '3' }, body: 'später' }), { id: 'limit' }));
    const reply = await ask();
    expect(reply).toMatchObject({
      status: 429,
      headers: { 'retry-after': '3', 'x-mesh-error': 'FI', 'x-mesh-fault': 'limit' },
    });
    expect(Buffer.from(reply.body, 'latin1').toString()).toBe('später');
    expect(shop.asked).toEqual([]);
  });

  it('delays first and aborts then, when there are both', async () => {
    await inject(httpFault(abort(503)), httpFault(fixedDelay(200)));
    const reply = await ask();
    expect([reply.status, reply.headers['x-mesh-fault']]).toEqual([503, 'abort, delay']);
    expect(reply.ms).toBeGreaterThanOrEqual(199);
  });

  it('changes heads of requests and answers', async () => {
    const request = operations({ set: [['x-set', 'mesh']], remove: ['x-gone'] });
    const response = operations({ add: [['x-added', 'mesh']], remove: ['x-application'] });
    await inject(httpFault({ kind: 'headers', request, response }));
    const reply = await ask('/headers', { 'x-set': 'client', 'x-gone': 'client' });
    expect(JSON.parse(reply.body)).toMatchObject({ 'x-set': 'mesh' });
    expect(JSON.parse(reply.body)).not.toHaveProperty('x-gone');
    expect(reply.headers).toMatchObject({ 'x-added': 'mesh' });
    expect(reply.headers).not.toHaveProperty('x-application');
  });

  it.each(['/', '/chunked'])('gives %s another body, with its length', async (path) => {
    await inject(httpFault(body({ set: '{"broken": tru' })));
    const reply = await ask(path);
    expect(reply).toMatchObject({ status: 200, body: '{"broken": tru', error: null });
    expect(reply.headers['content-length']).toBe('14');
    expect(reply.headers).not.toHaveProperty('transfer-encoding');
  });

  it.each(['/', '/chunked'])('replaces text in the body of %s', async (path) => {
    const replace = [
      { find: 'world', with: '$& mesh' },
      { find: 'l', with: 'L' },
    ];
    await inject(httpFault(body({ replace })));
    expect(await ask(path)).toMatchObject({ body: 'heLLo $& mesh', error: null, headers: { 'content-length': '13' } });
  });

  it('leaves bodies alone that are encoded, and says so', async () => {
    await inject(httpFault(body({ set: 'x' })));
    const reply = await ask('/gzip');
    expect([reply.body, reply.headers['x-mesh-fault-skipped']]).toEqual(['hello world', 'body: content-encoding gzip']);
  });

  it('leaves bodies alone that are too large to be held, and says so', async () => {
    await inject(httpFault(body({ replace: [{ find: 'a', with: 'b' }] })));
    const reply = await ask('/bytes/1500000');
    expect([reply.error, reply.body.length, reply.body[0]]).toEqual([null, 1_500_000, 'a']);
    expect(reply.headers['x-mesh-fault-skipped']).toBe('body: larger than 1048576 bytes');
    expect((await ask('/bytes/1000000')).body.startsWith('bbb')).toBe(true);
  });

  it.each(['/', '/chunked'])('cuts the answer of %s off, which the client sees', async (path) => {
    await inject(httpFault({ kind: 'truncate', afterBytes: 4 }));
    const reply = await ask(path);
    expect([reply.status, 'hell'.startsWith(reply.body)]).toEqual([200, true]);
    expect(reply.error).not.toBeNull();
  });

  it('leaves answers whole that are not longer than where they would be cut off', async () => {
    await inject(httpFault({ kind: 'truncate', afterBytes: 11 }));
    expect(await ask()).toMatchObject({ body: 'hello world', error: null });
    expect(await ask('/chunked')).toMatchObject({ body: 'hello world', error: null });
  });

  it('slows the body of an answer down', async () => {
    await inject(httpFault({ kind: 'response-bandwidth', bytesPerSecond: 50_000 }));
    const reply = await ask('/bytes/25000');
    expect([reply.error, reply.body.length]).toEqual([null, 25_000]);
    // One step of 50 ms goes at once.
    expect(reply.ms).toBeGreaterThanOrEqual(440);
  });

  it('keeps the server waiting while it slows an answer down, and lets go when it is switched off', async () => {
    await inject(httpFault({ kind: 'response-bandwidth', bytesPerSecond: 1_000 }));
    const reply = ask('/bytes/20000000');
    await eventually('the request has come', () => shop.asked.length === 1);
    await inject();
    const { error, body: received } = await reply;
    expect([error, received.length]).toEqual([null, 20_000_000]);
  });

  it('does all of it in one answer', async () => {
    await inject(
      httpFault(body({ replace: [{ find: 'hello', with: 'good bye, cruel' }] })),
      httpFault({ kind: 'response-bandwidth', bytesPerSecond: 100 }),
      httpFault({ kind: 'truncate', afterBytes: 10 }),
    );
    const reply = await ask('/chunked');
    expect([reply.status, 'good bye, '.startsWith(reply.body), reply.error === null]).toEqual([200, true, false]);
    expect(reply.headers['x-mesh-fault']).toBe('body, response-bandwidth, truncate');
  });

  it('is counted, and hits about its share', async () => {
    await inject(httpFault(abort(503), { percent: 30, seed: 5 }));
    const statuses: number[] = [];
    for (let index = 0; index < 200; index += 1) statuses.push((await ask()).status);
    const hits = statuses.filter((status) => status === 503).length;
    // Six standard deviations.
    expect(Math.abs(hits - 60)).toBeLessThan(39);
    await eventually('all are counted', async () => (await counted('abort')).seen === 200);
    expect((await counted('abort')).hits).toBe(hits);
  });

  it('hits the same requests again with the same seed', async () => {
    const run = async (sinceMs: number) => {
      await inject(httpFault(abort(503), { percent: 50, seed: 9, sinceMs }));
      const statuses: number[] = [];
      for (let index = 0; index < 30; index += 1) statuses.push((await ask()).status);
      return statuses;
    };
    const first = await run(1);
    expect(await run(2)).toEqual(first);
    expect(new Set(first)).toEqual(new Set([200, 503]));
  });

  it('is for the requests that it names', async () => {
    const match = [
      { uri: { prefix: '/bytes' }, headers: { 'x-user': { exact: 'ann' } } },
      { method: { exact: 'HEAD' } },
    ];
    await inject(httpFault(abort(503), { match }), httpFault(abort(500), { id: 'other-port', port: 1 }));
    const statuses = [await ask('/bytes/1', { 'x-user': 'ann' }), await ask('/bytes/1'), await ask('/')];
    expect(statuses.map(({ status }) => status)).toEqual([503, 200, 200]);
    expect((await shop.ask(protocol, { method: 'HEAD' })).status).toBe(503);
  });

  it('hits the first requests, or every k-th', async () => {
    const statuses = async () => {
      const all: number[] = [];
      for (let index = 0; index < 6; index += 1) all.push((await ask()).status);
      return all;
    };
    await inject(httpFault(abort(503), { trigger: { kind: 'first', count: 2 } }));
    expect(await statuses()).toEqual([503, 503, 200, 200, 200, 200]);
    await inject(httpFault(abort(503), { trigger: { kind: 'every', count: 3 } }));
    expect(await statuses()).toEqual([200, 200, 503, 200, 200, 503]);
  });

  it('goes on counting when something else changes', async () => {
    const first = httpFault(abort(503), { trigger: { kind: 'first', count: 2 } });
    await inject(first);
    expect((await ask()).status).toBe(503);
    await inject(first, httpFault(fixedDelay(1)));
    expect([(await ask()).status, (await ask()).status]).toEqual([503, 200]);
  });

  it('ends when it expires, also for the request that it holds', async () => {
    await inject(httpFault(fixedDelay(60_000), { expiresAtMs: Date.now() + 600 }));
    expect(await ask()).toMatchObject({ status: 200, body: 'hello world' });
    await inject(httpFault(abort(503), { expiresAtMs: Date.now() - 1 }));
    expect((await ask()).status).toBe(200);
  });

  it('lets go of the request that it holds when it is switched off', async () => {
    await inject(httpFault(fixedDelay(60_000)));
    const reply = ask();
    await eventually('it is held', async () => (await counted('delay')).hits === 1);
    await inject();
    expect(await reply).toMatchObject({ status: 200, body: 'hello world' });
  });

  it('leaves the body of a request whole that it holds', async () => {
    await inject(httpFault(fixedDelay(50)));
    const text = 'x'.repeat(200_000);
    const reply = await shop.ask(protocol, { path: '/echo', method: 'POST', body: text });
    expect([reply.status, reply.body === text]).toEqual([200, true]);
  });

  it('acts on a connection that stays open', async () => {
    const replies = [];
    for (const status of [503, 200, 503]) {
      await inject(...(status === 503 ? [httpFault(abort(503), { sinceMs: Date.now() })] : []));
      replies.push((await ask()).status);
    }
    expect(replies).toEqual([503, 200, 503]);
  });
});

describe.each(protocols)('a fault inside every try (%s)', (protocol) => {
  it('is made good by a retry', async () => {
    const injection = httpFault(abort(503), { trigger: { kind: 'first', count: 1 } });
    await shop.inject([injection], [route({})]);
    expect(await shop.ask(protocol)).toMatchObject({ status: 200, body: 'hello world' });
    expect(shop.asked).toHaveLength(1);
    await eventually('two tries are counted', async () => (await counted('abort')).seen === 2);
  });

  it('uses the retries up', async () => {
    await shop.inject([httpFault(abort(503))], [route({})]);
    expect(await shop.ask(protocol)).toMatchObject({ status: 503, headers: { 'x-mesh-error': 'FI' } });
    await eventually('three tries are counted', async () => (await counted('abort')).seen === 3);
  });

  it('is not tried again where the status is no reason', async () => {
    await shop.inject([httpFault(abort(418))], [route({})]);
    expect((await shop.ask(protocol)).status).toBe(418);
    await eventually('one try is counted', async () => (await counted('abort')).seen === 1);
  });

  it('runs into the time limit of a try', async () => {
    const slowOnce = httpFault(fixedDelay(60_000), { trigger: { kind: 'first', count: 1 } });
    await shop.inject([slowOnce], [route({ retryOn: '5xx', perTryTimeoutMs: 2_500 })]);
    expect(await shop.ask(protocol)).toMatchObject({ status: 200, body: 'hello world' });
  });

  it('runs into the time limit of the route', async () => {
    await shop.inject([httpFault(fixedDelay(60_000))], [route({ attempts: 0 }, { timeoutMs: 100 })]);
    expect(await shop.ask(protocol)).toMatchObject({ status: 504, headers: { 'x-mesh-error': 'UT' } });
  });

  it('hits repetitions only, when it says so', async () => {
    const first = httpFault(abort(503), { trigger: { kind: 'first', count: 1 } });
    const again = httpFault(abort(418), { id: 'again', trigger: { kind: 'retries' } });
    await shop.inject([first, again], [route({})]);
    expect(await shop.ask(protocol)).toMatchObject({ status: 418, headers: { 'x-mesh-fault': 'again' } });
  });

  it('changes the head of the try that it hits', async () => {
    const request = operations({ set: [['x-try', 'first']] });
    const mark = httpFault({ kind: 'headers', request, response: null }, { trigger: { kind: 'first', count: 1 } });
    const fail = httpFault(abort(503), { trigger: { kind: 'first', count: 1 } });
    await shop.inject([mark, fail], [route({})]);
    const reply = await shop.ask(protocol, { path: '/headers' });
    expect(JSON.parse(reply.body)).not.toHaveProperty('x-try');
  });
});

describe.each(protocols)('a fault before the router (%s)', (protocol) => {
  it('is not tried again', async () => {
    const injection = httpFault(abort(503), { layer: 'request', trigger: { kind: 'first', count: 1 } });
    await shop.inject([injection], [route({})]);
    expect((await shop.ask(protocol)).status).toBe(503);
    expect((await shop.ask(protocol)).status).toBe(200);
  });

  it('does not run into the time limit of the route', async () => {
    await shop.inject([httpFault(fixedDelay(2_700), { layer: 'request' })], [route({}, { timeoutMs: 2_500 })]);
    const reply = await shop.ask(protocol);
    expect([reply.status, reply.ms >= 2_699]).toEqual([200, true]);
  });
});

describe('without a control plane', () => {
  it('faults end with their lease, and requests that they hold go on', async () => {
    await shop.pair.web.reconnect(1_000);
    await shop.inject([httpFault(fixedDelay(3_600_000))]);
    const held = shop.ask('HTTP/1.1');
    await eventually('it is held', async () => (await counted('delay')).hits === 1);
    shop.pair.web.control.close();
    expect(await held).toMatchObject({ status: 200, body: 'hello world' });
    expect((await shop.ask('HTTP/2')).headers).not.toHaveProperty('x-mesh-fault');
  });
});
