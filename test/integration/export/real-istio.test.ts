import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findIstioRuntime } from '../../support/istio-tools.ts';
import { exportShop, ordersFaults, writeFiles } from './sample-export.ts';

/**
 * The exported files through a real istiod and Envoy: the same split, the same pin, the same faults. This istiod knows
 * v1beta1 only and has no certificates, so API versions are rewritten and mutual TLS is off.
 */
const runtime = findIstioRuntime();
const reason = 'MESHDESK_ISTIO_RUNTIME does not name a program that runs istiod and Envoy';

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startUpstream(name: string): Promise<{ server: Server; port: number }> {
  const server = createServer((_request, response) => response.end(name)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

const serviceEntry = (name: string, endpoints: readonly { version: string; port: number }[]) => `
apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${name}.shop.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints:
${endpoints.map(({ version, port }) => `    - { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: ${name}, version: "${version}" } }`).join('\n')}
`;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly durationMs: number;
}

describe('a real Istio with the exported files', () => {
  const upstreams: Server[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 40 });
  let istio: ChildProcess | null = null;
  let folder = '';
  let proxyPort = 0;

  const get = (service: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const startedAt = performance.now();
    const host = `${service}.shop.svc.cluster.local`;
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: proxyPort, path: `http://${host}/`, agent };
      const sent = request({ ...options, headers: { host, ...headers } }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const body = Buffer.concat(parts).toString();
          resolve({ status: response.statusCode ?? 0, body, durationMs: performance.now() - startedAt });
        });
      });
      sent.on('error', reject).end();
    });
  };
  const getMany = (count: number, service: string, headers?: Record<string, string>) =>
    Promise.all(Array.from({ length: count }, () => get(service, headers)));

  /** Envoy listens before its routes are there: wait until the last of them answers. */
  const untilReady = async (deadlineMs: number) => {
    for (;;) {
      const answers = await Promise.all([get('payments', { 'x-beta': 'yes' }), get('orders')]).catch(() => []);
      if (answers[0]?.body === 'payments v2' && [200, 503].includes(answers[1]?.status ?? 0)) return;
      if (performance.now() > deadlineMs) throw new Error(`Istio is not ready: ${JSON.stringify(answers)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  beforeAll(async () => {
    if (runtime === null) {
      process.stderr.write(`skipped: ${reason}\n`);
      return;
    }
    const [v1, v2, orders] = await Promise.all(['payments v1', 'payments v2', 'orders'].map(startUpstream));
    if (v1 === undefined || v2 === undefined || orders === undefined) throw new Error('no upstreams');
    upstreams.push(v1.server, v2.server, orders.server);
    const manifests = exportShop({ faults: ordersFaults })
      .files.filter(({ path }) => path.startsWith('shop/'))
      .map(({ path, content }) => ({
        path: path.replaceAll('/', '-'),
        content: content.replaceAll('.istio.io/v1\n', '.istio.io/v1beta1\n'),
      }));
    folder = await writeFiles([
      ...manifests.filter(({ path }) => !path.includes('peer-authentication')),
      {
        path: 'payments-entry.yaml',
        content: serviceEntry('payments', [
          { version: 'v1', port: v1.port },
          { version: 'v2', port: v2.port },
        ]),
      },
      { path: 'orders-entry.yaml', content: serviceEntry('orders', [{ version: '1.0', port: orders.port }]) },
    ]);
    proxyPort = await freePort();
    const options = ['--http-proxy', String(proxyPort), '--admin', String(await freePort()), '--workload', 'web.shop'];
    istio = spawn(runtime, ['run', folder, ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
    await untilReady(performance.now() + 28_000);
  });

  afterAll(async () => {
    agent.destroy();
    if (istio !== null && istio.exitCode === null) {
      istio.kill('SIGTERM');
      await once(istio, 'exit');
    }
    for (const server of upstreams) server.close();
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  });

  beforeEach((context) => {
    if (runtime === null) context.skip(reason);
  });

  it('splits 90 to 10', async () => {
    const answers = await getMany(2_000, 'payments');
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const share = answers.filter(({ body }) => body === 'payments v2').length / answers.length;
    expect(Math.abs(share - 0.1)).toBeLessThan(0.04);
  });

  it('sends pinned requests to v2, and only those', async () => {
    const pinned = await getMany(100, 'payments', { 'x-beta': 'yes' });
    expect(new Set(pinned.map(({ body }) => body))).toEqual(new Set(['payments v2']));
    const others = await getMany(100, 'payments', { 'x-beta': 'no' });
    expect(others.some(({ body }) => body === 'payments v1')).toBe(true);
  });

  it('delays 30 % by 400 ms and aborts 10 % with 503', async () => {
    const answers: Answer[] = [];
    for (let round = 0; round < 15; round += 1) answers.push(...(await getMany(40, 'orders')));
    const delayed = answers.filter(({ durationMs }) => durationMs >= 395).length / answers.length;
    const aborted = answers.filter(({ status }) => status === 503).length / answers.length;
    expect(Math.abs(delayed - 0.3)).toBeLessThan(0.12);
    expect(Math.abs(aborted - 0.1)).toBeLessThan(0.07);
    expect(answers.filter(({ status }) => status !== 200).every(({ body }) => body === 'fault filter abort')).toBe(
      true,
    );
  });
});
