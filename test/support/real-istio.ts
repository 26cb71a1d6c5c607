import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './test-sidecar.ts';

/** A real istiod and one Envoy on loopback, as the sidecar of `web.shop`; no certificates, API version v1beta1. */
export interface RealIstio {
  get(request: { host: string; path?: string; method?: string; headers?: Record<string, string> }): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly durationMs: number;
}

export interface Upstream {
  readonly port: number;
  close(): void;
}

/** An HTTP server that answers everything with its name. */
export async function startUpstream(name: string): Promise<Upstream> {
  const server: Server = createServer((_request, response) => response.end(name)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A service of namespace `shop` on port 80, as Istio gets it without Kubernetes, with an endpoint on loopback per version. */
export function serviceEntry(
  hosts: readonly string[],
  endpoints: readonly { readonly version: string; readonly port: number }[],
): string {
  const [name] = hosts;
  const lines = endpoints.map(
    ({ version, port }) =>
      `    - { address: 127.0.0.1, ports: { http: ${port} }, labels: { version: "${version}" } }\n`,
  );
  return `apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${hosts.map((host) => `${host}.shop.svc.cluster.local`).join(', ')}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints:
${lines.join('')}`;
}

function createGet(proxyPort: number, agent: Agent): RealIstio['get'] {
  return ({ host: name, path = '/', method = 'GET', headers = {} }) => {
    const startedAt = performance.now();
    const host = `${name}.shop.svc.cluster.local`;
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: proxyPort, path: `http://${host}${path}`, method, agent };
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
}

/** istiod and Envoy, and the folder whose YAML files they follow. */
export interface IstioProcess {
  /** Where Envoy takes requests in absolute form. */
  readonly proxyPort: number;
  /** Envoy's admin. */
  readonly adminPort: number;
  /** The folder's only file becomes this text, at once. Istio takes it over some time later. */
  write(text: string): Promise<void>;
  hasEnded(): boolean;
  close(): Promise<void>;
}

const listensWithinMs = 40_000;

/**
 * Starts istiod and the sidecar of `web.shop`, without resources, and waits until Envoy listens (before its routes are there).
 * Before it serves, istiod takes a hundred resources and then hangs; afterwards any number.
 * @param program see `findIstioRuntime`
 * @param labels more labels of the sidecar's workload, `key=value`
 */
export async function startIstioProcess(program: string, labels: readonly string[] = []): Promise<IstioProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'meshdesk-istio-'));
  const file = join(folder, 'resources.yaml');
  await writeFile(file, '');
  const [proxyPort, adminPort] = await Promise.all([freePort(), freePort()]);
  const options = ['--http-proxy', String(proxyPort), '--admin', String(adminPort), '--workload', 'web.shop'];
  const child = spawn(program, ['run', folder, ...options, ...labels.flatMap((label) => ['--label', label])], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const istio: IstioProcess = {
    proxyPort,
    adminPort,
    async write(text) {
      await writeFile(join(folder, 'next.tmp'), text.replaceAll(/\.istio\.io\/v1$/gm, '.istio.io/v1beta1'));
      await rename(join(folder, 'next.tmp'), file);
    },
    hasEnded: () => child.exitCode !== null,
    async close() {
      if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await eventually('the proxy of Istio listens', () => isOpen(proxyPort), listensWithinMs);
  } catch (error) {
    await istio.close();
    throw error;
  }
  return istio;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.end());
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
  });
}

/**
 * Istio with the given YAML texts, once `isReady` says so.
 * @param program see `findIstioRuntime`
 */
export async function startRealIstio(
  program: string,
  texts: readonly string[],
  isReady: (get: RealIstio['get']) => Promise<boolean>,
): Promise<RealIstio> {
  const running = await startIstioProcess(program);
  const agent = new Agent({ keepAlive: true, maxSockets: 40 });
  const istio: RealIstio = {
    get: createGet(running.proxyPort, agent),
    close: async () => {
      agent.destroy();
      await running.close();
    },
  };
  try {
    await running.write(texts.join('\n---\n'));
    await eventually('istiod and Envoy are ready', () => running.hasEnded() || isReady(istio.get), 25_000);
    if (running.hasEnded()) throw new Error('istiod or Envoy ended');
  } catch (error) {
    await istio.close();
    throw error;
  }
  return istio;
}
