/**
 * Real containers that call each other: web -> orders -> payments (v1 and v2, only v1 has the name `payments`), orders ->
 * Redis. All but Redis (a plain `docker run`) carry compose labels. Everything is named after one run and removed by
 * `close`.
 */
import { randomBytes } from 'node:crypto';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import { deframe } from '../../core/control-plane/runtime/docker/deframe.ts';
import { ensureTestImage } from './docker-image.ts';
import { httpService, loadGenerator } from './docker-programs.ts';
import { eventually } from './eventually.ts';

export interface LoadTotals {
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, number>>;
}

export interface ContainerSpec {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly aliases?: readonly string[];
  readonly port?: number;
  /** More ports the image would declare. */
  readonly ports?: readonly number[];
  /** Also publishes `port` on a free port of this machine's loopback. */
  readonly publish?: boolean;
  readonly networkMode?: string;
  /** User name or uid; default: root. */
  readonly user?: string;
  /** Content of files that are put into the container before it starts, by absolute path. */
  readonly files?: Readonly<Record<string, string>>;
}

export class DockerShop {
  readonly docker = new Docker();
  readonly run = `mt${randomBytes(3).toString('hex')}`;
  readonly project = `${this.run}-shop`;
  readonly containers = new Map<string, Docker.Container>();
  readonly #ensureImage: (docker: Docker) => Promise<string>;
  #image = '';
  #network: Docker.Network | null = null;

  constructor(ensureImage: (docker: Docker) => Promise<string> = ensureTestImage) {
    this.#ensureImage = ensureImage;
  }

  /** Full container name of a short one. */
  name(short: string): string {
    return `${this.run}-${short}`;
  }

  id(short: string): string {
    const container = this.containers.get(short);
    if (container === undefined) throw new Error(`there is no container ${short}`);
    return container.id;
  }

  async prepare(): Promise<void> {
    this.#image = await this.#ensureImage(this.docker);
    this.#network = await this.docker.createNetwork({ Name: this.project, CheckDuplicate: true });
  }

  /** The four services and Redis, answering. */
  async start(): Promise<void> {
    await this.prepare();
    const composed = (service: string) => ({
      'com.docker.compose.project': this.project,
      'com.docker.compose.service': service,
    });
    const node = ['node', '-e', httpService];
    await this.add({
      name: 'redis',
      command: ['redis-server', '--save', '', '--protected-mode', 'no'],
      aliases: ['redis'],
      port: 6379,
    });
    await this.add({
      name: 'payments-v1',
      command: node,
      env: { NAME: 'payments', VERSION: 'v1' },
      aliases: ['payments'],
      port: 8080,
      labels: composed('payments-v1'),
    });
    await this.add({
      name: 'payments-v2',
      command: node,
      env: { NAME: 'payments', VERSION: 'v2' },
      port: 8080,
      labels: composed('payments-v2'),
    });
    await this.add({
      name: 'orders',
      command: node,
      env: { NAME: 'orders', UPSTREAMS: 'http://payments:8080/charge', REDIS: 'redis:6379' },
      aliases: ['orders'],
      port: 8080,
      labels: composed('orders'),
    });
    await this.add({
      name: 'web',
      command: node,
      env: { NAME: 'web', UPSTREAMS: 'http://orders:8080/orders' },
      aliases: ['web'],
      port: 8080,
      publish: true,
      labels: composed('web'),
    });
    await eventually('the shop answers', async () => {
      const answer = await this.call('web', 'http://web:8080/');
      if (!answer.includes('paymentsv1') || !answer.includes('redis')) throw new Error(answer);
      return true;
    });
  }

  async add(spec: ContainerSpec): Promise<Docker.Container> {
    const network = spec.networkMode ?? this.project;
    const ports = [...(spec.port === undefined ? [] : [spec.port]), ...(spec.ports ?? [])];
    const container = await this.docker.createContainer({
      name: this.name(spec.name),
      Image: this.#image,
      Cmd: [...spec.command],
      Env: Object.entries(spec.env ?? {}).map(([key, value]) => `${key}=${value}`),
      Labels: { 'meshdesk-test': this.run, ...spec.labels },
      ...(spec.user === undefined ? {} : { User: spec.user }),
      ExposedPorts: Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}])),
      HostConfig: {
        NetworkMode: network,
        ...(spec.publish === true
          ? { PortBindings: { [`${spec.port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] } }
          : {}),
      },
      ...(spec.networkMode === undefined
        ? { NetworkingConfig: { EndpointsConfig: { [this.project]: { Aliases: [...(spec.aliases ?? [])] } } } }
        : {}),
    });
    this.containers.set(spec.name, container);
    if (spec.files !== undefined) await container.putArchive(toArchive(spec.files), { path: '/' });
    await container.start();
    return container;
  }

  /**
   * Starts a load of its own container; `read` gives its latest totals. `kept` false: each request has a connection of
   * its own; `visible`: the container is a workload like any other.
   */
  async startLoad(
    url: string,
    ratePerSecond: number,
    name = 'load',
    { kept = true, visible = false }: { readonly kept?: boolean; readonly visible?: boolean } = {},
  ): Promise<{ read(): Promise<LoadTotals>; stop(): Promise<void> }> {
    const container = await this.add({
      name,
      command: ['node', '-e', loadGenerator],
      env: { URL: url, RATE: String(ratePerSecond), KEEP: kept ? '1' : '0' },
      labels: visible ? {} : { 'dev.meshdesk.ignore': 'true' },
    });
    return {
      read: async () => {
        const lines = (await this.logs(container)).trim().split('\n');
        return JSON.parse(lines.at(-1) ?? '{}') as LoadTotals;
      },
      stop: async () => {
        await container.remove({ force: true });
        this.containers.delete(name);
      },
    };
  }

  /** Address on this machine that leads to a container's published port. */
  async publishedUrl(short: string, port = 8080): Promise<string> {
    const { NetworkSettings: settings } = await this.docker.getContainer(this.id(short)).inspect();
    return `http://127.0.0.1:${settings.Ports[`${port}/tcp`]?.[0]?.HostPort}/`;
  }

  /** stdout of a command in a container. */
  async exec(short: string, command: readonly string[]): Promise<string> {
    const exec = await this.docker
      .getContainer(this.id(short))
      .exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({});
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return deframe(Buffer.concat(chunks));
  }

  /** Body of a GET from inside a container. */
  async call(from: string, url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const script = `fetch(${JSON.stringify(url)},{headers:${JSON.stringify(headers)}}).then(async(r)=>console.log(r.status+' '+await r.text()),(e)=>console.log('error '+(e.cause?.code??e.message)))`;
    return (await this.exec(from, ['node', '-e', script])).trim();
  }

  async logs(container: Docker.Container): Promise<string> {
    return deframe((await container.logs({ stdout: true, stderr: true, tail: 50 })) as unknown as Buffer);
  }

  /** nat rules (IPv4) of a container's namespace, whichever backend they are in, from a container that joins it. */
  async rulesOf(short: string): Promise<string> {
    const container = await this.docker.createContainer({
      Image: this.#image,
      Cmd: [
        'sh',
        '-c',
        'iptables-nft-save -t nat 2>/dev/null | grep "^-A" ; iptables-legacy-save -t nat 2>/dev/null | grep "^-A"; true',
      ],
      Labels: { 'meshdesk-test': this.run, 'dev.meshdesk.ignore': 'true' },
      HostConfig: { NetworkMode: `container:${this.id(short)}`, CapAdd: ['NET_ADMIN', 'NET_RAW'] },
    });
    try {
      await container.start();
      await container.wait();
      return deframe((await container.logs({ stdout: true })) as unknown as Buffer).trim();
    } finally {
      await container.remove({ force: true });
    }
  }

  async close(): Promise<void> {
    const left = await this.docker.listContainers({ all: true, filters: { label: [`meshdesk-test=${this.run}`] } });
    await Promise.all(left.map(({ Id }) => this.docker.getContainer(Id).remove({ force: true, v: true })));
    await this.#network?.remove();
  }
}

function toArchive(files: Readonly<Record<string, string>>): NodeJS.ReadableStream {
  const tar = pack();
  for (const [path, content] of Object.entries(files)) tar.entry({ name: path.slice(1), mode: 0o644 }, content);
  tar.finalize();
  return tar as unknown as NodeJS.ReadableStream;
}
