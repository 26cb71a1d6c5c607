/** Many clients doing different things at once over shared upstream connections: every answer is the right one. */
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { expect, test } from 'vitest';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { endpoint, listen, service, sidecarConfig, startProxy, until } from './harness.ts';

const data = randomBytes(512 * 1024);
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Sends back who asked, and the hash of what came; or so many bytes, with a length, in chunks, or until the close. */
async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const digest = createHash('sha256');
  for await (const bytes of request) digest.update(bytes);
  response.setHeader('x-asked', request.headers['x-ask'] ?? '');
  response.setHeader('x-got', digest.digest('hex'));
  const [, form, size = '0'] = (request.url ?? '').split('/');
  const body = data.subarray(0, Number(size));
  if (form === 'length') response.setHeader('content-length', body.length);
  if (form === 'close') {
    response.useChunkedEncodingByDefault = false;
    response.setHeader('connection', 'close');
  }
  for (let at = 0; at < body.length; at += 40_000) response.write(body.subarray(at, at + 40_000));
  response.end();
}

test('a mixture of requests, aborts and answers of every form', async () => {
  const server = http.createServer((request, response) => {
    // A client that went away in the middle of its body ends the loop over it with an error.
    serve(request, response).catch(() => response.destroy());
  });
  const port = await listen(server);
  const config = sidecarConfig([service('orders', [endpoint('a', port), endpoint('b', port)])]);
  const proxy = await startProxy({ config });
  const random = createSeededRandom(20);
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 12 });
  const wrong: string[] = [];
  let answered = 0;
  let aborted = 0;

  const ask = (number: number) =>
    new Promise<void>((resolve) => {
      const sent = data.subarray(0, pick(0, 1, 5_000, 70_000, 300_000));
      const size = pick(0, 1, 9_000, 16_384, 65_536, 500_000);
      const aborts = random() < 0.15;
      const headers = {
        host: 'orders',
        'x-ask': String(number),
        ...(random() < 0.5 ? { 'content-length': sent.length } : { 'transfer-encoding': 'chunked' }),
      };
      const path = `/${pick('length', 'chunked', 'close')}/${size}`;
      const request = http.request({ host: '127.0.0.1', port: proxy.port, agent, path, method: 'POST', headers });
      request.on('close', resolve);
      request.on('error', (error) => {
        if (!aborts) wrong.push(`${number} ${path}: ${error.message}`);
      });
      request.on('response', (response) => {
        if (aborts) {
          aborted += 1;
          request.destroy();
          return;
        }
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          answered += 1;
          const body = Buffer.concat(chunks);
          const right = response.headers['x-asked'] === String(number) && response.headers['x-got'] === hash(sent);
          if (!right || hash(body) !== hash(data.subarray(0, size)))
            wrong.push(`${number} ${path}: ${response.statusCode}`);
        });
      });
      for (let at = 0; at < sent.length; at += 30_000) request.write(sent.subarray(at, at + 30_000));
      request.end();
    });

  const total = 600;
  for (let number = 0; number < total; number += 60) {
    await Promise.all(Array.from({ length: 60 }, (_, index) => ask(number + index)));
  }
  expect(wrong).toEqual([]);
  expect(answered + aborted).toBe(total);
  expect(aborted).toBeGreaterThan(20);
  agent.destroy();
  await until(() => proxy.handler.active === 0, 'no client connection');
  await until(() => proxy.telemetry.requests.length === total, 'a record of every request');
  await proxy.close();
  await until(
    () => proxy.telemetry.connections.closed === proxy.telemetry.connections.opened,
    'no upstream connection',
  );
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
