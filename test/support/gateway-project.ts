/** A project with applications of this process as declared workloads, and a control plane for it without an engine. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { GatewayView } from '../../core/contract/shapes.ts';
import { eventually } from './eventually.ts';
import { type SampleMesh, startSampleMesh } from './sample-mesh.ts';

export interface Application {
  readonly service: string;
  readonly namespace?: string;
  readonly version?: string;
  /** Default: says who it is and what it was asked. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => void;
}

/** What an application says by default. */
export interface Echo {
  readonly service: string;
  readonly version: string | null;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export class GatewayProject {
  readonly #closers: (() => unknown)[] = [];
  readonly #entries: string[] = [];
  #mesh: SampleMesh | null = null;
  /** By the name of its workload: `reviews-v2`. */
  readonly ports = new Map<string, number>();
  dir = '';

  static async create(applications: readonly Application[]): Promise<GatewayProject> {
    const project = new GatewayProject();
    project.dir = await mkdtemp(join(tmpdir(), 'gateway-'));
    for (const application of applications) project.#entries.push(await project.#listen(application));
    await project.write('workloads.yaml', project.#entries.join('---\n'));
    return project;
  }

  get mesh(): SampleMesh {
    if (this.#mesh === null) throw new Error('the project has not been started');
    return this.#mesh;
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.dir, path)), { recursive: true });
    await writeFile(join(this.dir, path), text);
  }

  /** Starts the control plane, and attaches all applications; `count`: those that files of the test declare are among them. */
  async start(count = this.#entries.length): Promise<void> {
    this.#mesh = await startSampleMesh({ projectDir: this.dir });
    const { client } = this.mesh;
    await eventually('the applications', async () => {
      const workloads = await client.call('workload.list', {});
      const own = workloads.filter(({ runtime }) => runtime === 'process');
      return own.length === count && own.every(({ state }) => state === 'running');
    });
    const own = (await client.call('workload.list', {})).filter(({ runtime }) => runtime === 'process');
    await client.call('workload.attach', { select: { names: own.map(({ id }) => id) } });
  }

  /** Ends the control plane and starts another one. */
  async restart(): Promise<void> {
    const { client, controlPlane } = this.mesh;
    client.close();
    await controlPlane.close({ detach: false });
    this.#mesh = await startSampleMesh({ projectDir: this.dir });
  }

  /** The gateway once it runs with all its ports. */
  gateway(name: string): Promise<GatewayView> {
    return eventually(`gateway ${name}`, async () => {
      const gateways = await this.mesh.client.call('gateway.list', {});
      const found = gateways.find((gateway) => gateway.name === name);
      const isUp = found?.mesh === 'attached' && found.listeners.every(({ published }) => published !== null);
      return isUp ? found : null;
    });
  }

  async close(): Promise<void> {
    await this.#mesh?.close();
    for (const close of this.#closers.reverse()) await close();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #listen({ service, namespace = 'default', version, answer }: Application): Promise<string> {
    const server = createServer((request, response) => {
      if (answer !== undefined) answer(request, response);
      else response.end(JSON.stringify(toEcho(service, version, request)));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const name = version === undefined ? service : `${service}-${version}`;
    this.ports.set(name, port);
    return `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  address: 127.0.0.1
  ports: { http: ${port} }
  labels: { app: ${service}${version === undefined ? '' : `, version: ${version}`} }
`;
  }
}

function toEcho(
  service: string,
  version: string | undefined,
  { method = '', url = '', headers }: IncomingMessage,
): Echo {
  return { service, version: version ?? null, method, url, headers: headers as Record<string, string> };
}

/** Port of this machine where a gateway has `port`. */
export function publishedAt(gateway: GatewayView, port: number): number {
  const published = gateway.listeners.find((listener) => listener.port === port)?.published;
  if (published == null) throw new Error(`${gateway.name} has no port ${port}`);
  return published;
}
