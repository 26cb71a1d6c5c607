import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

/** A service of namespace `shop` on port 80, with an endpoint per version. */
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

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
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

/**
 * Starts Istio on the given YAML texts and waits until `isReady` says so (Envoy listens before its routes are there).
 * @param program see `findIstioRuntime`
 */
export async function startRealIstio(
  program: string,
  texts: readonly string[],
  isReady: (get: RealIstio['get']) => Promise<boolean>,
): Promise<RealIstio> {
  const folder = await mkdtemp(join(tmpdir(), 'meshdesk-istio-'));
  for (const [index, text] of texts.entries()) {
    await writeFile(join(folder, `${index}.yaml`), text.replaceAll(/\.istio\.io\/v1$/gm, '.istio.io/v1beta1'));
  }
  const [proxyPort, admin] = await Promise.all([freePort(), freePort()]);
  const options = ['--http-proxy', String(proxyPort), '--admin', String(admin), '--workload', 'web.shop'];
  const child = spawn(program, ['run', folder, ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
  const agent = new Agent({ keepAlive: true, maxSockets: 40 });
  const istio: RealIstio = {
    get: createGet(proxyPort, agent),
    close: async () => {
      agent.destroy();
      if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
  const deadlineMs = performance.now() + 25_000;
  while (!(await isReady(istio.get).catch(() => false))) {
    if (performance.now() > deadlineMs || child.exitCode !== null) {
      await istio.close();
      throw new Error('istiod and Envoy did not become ready');
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return istio;
}
