/** The load generator must see a wrong answer: otherwise the bench would praise a proxy that mixes answers up. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Churn, ClosedLoop, Idle } from '../../bench/load/closed-loop.ts';
import type { LoadOptions } from '../../bench/load/load-options.ts';
import { OpenLoop } from '../../bench/load/open-loop.ts';
import { createBody } from '../../bench/load/payload.ts';

const sizeBytes = 100;
const body = createBody(sizeBytes);
let server: Server | null = null;
const sockets = new Set<Socket>();

type Answer = (token: string, nth: number) => Buffer | null;
const answer = (token: string, content: Buffer = body, status = '200 OK'): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status}\r\nContent-Length: ${content.length}\r\nX-Token: ${token}\r\n\r\n`),
    content,
  ]);

/** `null` closes the connection instead of answering. */
async function serve(toAnswer: Answer): Promise<number> {
  let requests = 0;
  const started = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      const token = /^GET \/\d+\/(\d+) /.exec(chunk.toString('latin1'))?.[1] ?? '';
      requests += 1;
      const bytes = toAnswer(token, requests);
      if (bytes === null) socket.destroy();
      else socket.write(bytes);
    });
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  const address = started.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const options = (port: number, changes: Partial<LoadOptions> = {}): LoadOptions => ({
  kind: 'closed',
  port,
  connections: 2,
  sizeBytes,
  warmUpMs: 0,
  durationMs: 100,
  ...changes,
});
const run = (port: number) => new ClosedLoop(options(port)).run(() => undefined);

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
  server = null;
});

describe('the load generator', () => {
  it('counts right answers and finds nothing wrong with them', async () => {
    const result = await run(await serve((token) => answer(token)));
    expect(result).toMatchObject({ failures: 0, firstFailure: null });
    expect(result.requests).toBeGreaterThan(0);
    expect(result.p50Us).toBeLessThanOrEqual(result.p999Us);
  });

  const wrong: [string, Answer, RegExp][] = [
    ['another status', (token) => answer(token, body, '503 Service Unavailable'), /503/],
    ['a changed byte', (token) => answer(token, Buffer.from(body).fill(0, 50, 51)), /altered/],
    ['another length', (token) => answer(token, body.subarray(1)), /content-length/],
    ["another request's answer", () => answer('9999999999'), /another request/],
    ['more than was promised', (token) => Buffer.concat([answer(token), Buffer.from('x')]), /bytes|altered/],
    ['a closed connection', () => null, /closed|ended|read failed/],
  ];
  for (const [what, toAnswer, problem] of wrong) {
    it(`takes ${what} for a failure and goes on`, async () => {
      const result = await run(await serve((token, nth) => (nth % 5 === 0 ? toAnswer(token, nth) : answer(token))));
      expect(result.failures).toBeGreaterThan(0);
      expect(result.firstFailure).toMatch(problem);
      expect(result.requests).toBeGreaterThan(result.failures);
    });
  }

  it('keeps a constant rate in the open loop and says how late requests left', async () => {
    const port = await serve((token) => answer(token));
    const result = await new OpenLoop(options(port, { kind: 'open', ratePerSecond: 200, durationMs: 500 })).run(
      () => undefined,
    );
    expect(result.failures).toBe(0);
    expect(result.requests / result.seconds / 200).toBeCloseTo(1, 0);
    expect(result.lateP50Us).toBeGreaterThanOrEqual(0);
  });

  it('opens a connection for every request in churn', async () => {
    const result = await new Churn(options(await serve((token) => answer(token)), { kind: 'churn' })).run(
      () => undefined,
    );
    expect(result.failures).toBe(0);
    expect(sockets.size).toBeGreaterThanOrEqual(result.requests);
  });

  it('tells of idle connections that were closed meanwhile', async () => {
    const port = await serve((token) => answer(token));
    const load = new Idle(options(port, { kind: 'idle', connections: 5, durationMs: 300 }));
    const result = await load.run((part) => {
      if (part === 'begin') for (const socket of [...sockets].slice(0, 2)) socket.destroy();
    });
    expect(result).toMatchObject({ requests: 5, failures: 2 });
  });
});
