/** Gateways as containers of ours, with ports published on this machine's loopback. */
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { MeshError } from '../../../contract/errors.ts';
import type { WorkloadAddress } from '../../../model/workload.ts';
import type { GatewayPlace, GatewayRequest, PublishedPort, RunningGateway } from '../../gateways/gateway-place.ts';
import type { HostPorts } from '../../gateways/host-ports.ts';
import type { TerminalSession } from '../runtime.ts';
import { controlSocket, joinSocket, sidecarUser, stopSeconds } from './docker-sidecar.ts';
import { engineMessage, isDone, toEngineError } from './engine-error.ts';
import { openExecStream } from './exec-stream.ts';
import { gatewayContainer, listOwn, removeContainer, toGatewayName } from './own-containers.ts';
import { openLogs, openShell } from './terminal.ts';

export interface GatewayContainersOptions {
  /** Throws ENGINE_UNAVAILABLE. */
  readonly docker: () => Docker;
  readonly isConnected: () => boolean;
  readonly image: (docker: Docker) => Promise<string>;
  readonly owner: string;
  readonly ports: HostPorts;
}

/** How often other ports of this machine are tried when the engine says that one is taken. */
const maxTries = 8;
const portTaken = /already allocated|address already in use|ports are not available|failed to bind|permission denied/i;

export class GatewayContainers implements GatewayPlace {
  readonly kind = 'docker';
  readonly #options: GatewayContainersOptions;

  constructor(options: GatewayContainersOptions) {
    this.#options = options;
  }

  async start(request: GatewayRequest): Promise<RunningGateway> {
    const { owner } = this.#options;
    const docker = this.#options.docker();
    const image = await this.#options.image(docker);
    const older = await listOwn(docker, { role: 'gateway', workloadId: request.workloadId, owner });
    await Promise.all(older.map(({ id }) => removeContainer(docker, id)));
    const network = await findPrimary(docker, request.networks);
    const taken = new Set<number>();
    for (let tries = 1; ; tries += 1) {
      const ports = await this.#choosePorts(request, taken);
      try {
        return await this.#run(docker, image, request, ports, network);
      } catch (error) {
        const message = engineMessage(error);
        if (!portTaken.test(message) || tries === maxTries)
          throw toEngineError(`The gateway ${request.name} could not be started`, error);
        const named = ports.filter(({ published }) => message.includes(String(published)));
        for (const { published } of named.length > 0 ? named : ports) taken.add(published);
      }
    }
  }

  async adopt(): Promise<readonly RunningGateway[]> {
    const { isConnected, owner } = this.#options;
    if (!isConnected()) return [];
    const docker = this.#options.docker();
    const image = await this.#options.image(docker).catch(() => null);
    const current = image === null ? null : (await docker.getImage(image).inspect()).Id;
    const adopted: RunningGateway[] = [];
    for (const own of await listOwn(docker, { role: 'gateway', owner })) {
      const isUsable = own.running && (current === null || own.image === current);
      if (!isUsable) {
        await removeContainer(docker, own.id);
        continue;
      }
      const { HostConfig } = await docker.getContainer(own.id).inspect();
      const ports = toPublished(HostConfig.PortBindings as Bindings);
      const gateway = new GatewayContainer(this.#options.docker, own.id, { ...own, ports });
      await gateway.readAddresses();
      adopted.push(gateway);
    }
    return adopted;
  }

  async close(): Promise<void> {
    // They go on without the control plane, as sidecars do.
  }

  async #choosePorts(request: GatewayRequest, except: ReadonlySet<number>): Promise<PublishedPort[]> {
    const chosen: PublishedPort[] = [];
    for (const port of request.ports) {
      const published = await this.#options.ports.choose(request.workloadId, port, { mayBind: true, except });
      chosen.push({ port, published });
    }
    return chosen;
  }

  async #run(
    docker: Docker,
    image: string,
    request: GatewayRequest,
    ports: PublishedPort[],
    network: string | null,
  ): Promise<RunningGateway> {
    const { workloadId, incarnation, name } = request;
    const purpose = { owner: this.#options.owner, role: 'gateway', workloadId, incarnation } as const;
    const created = await docker.createContainer({
      name: toGatewayName(name),
      ...gatewayContainer(image, purpose, ports, network),
    });
    try {
      await created.start();
      const gateway = new GatewayContainer(this.#options.docker, created.id, { workloadId, incarnation, name, ports });
      await gateway.readAddresses();
      return gateway;
    } catch (error) {
      await removeContainer(docker, created.id);
      throw error;
    }
  }
}

/** The first that ports can be published on; `null`: the engine's default. */
async function findPrimary(docker: Docker, networks: readonly string[]): Promise<string | null> {
  for (const name of networks) {
    const found = await docker
      .getNetwork(name)
      .inspect()
      .catch(() => null);
    if (found !== null && found.Internal !== true && found.Driver === 'bridge') return name;
  }
  return null;
}

type Bindings = Readonly<Record<string, readonly { readonly HostPort?: string }[]>> | undefined;

function toPublished(bindings: Bindings): PublishedPort[] {
  return Object.entries(bindings ?? {}).flatMap(([port, [binding]]) => {
    const published = Number(binding?.HostPort ?? 0);
    return published > 0 ? [{ port: Number.parseInt(port, 10), published }] : [];
  });
}

interface Facts {
  readonly workloadId: string;
  readonly incarnation: string;
  readonly name: string;
  readonly ports: readonly PublishedPort[];
}

class GatewayContainer implements RunningGateway {
  readonly kind = 'docker';
  readonly workloadId: string;
  readonly incarnation: string;
  readonly ports: readonly PublishedPort[];
  readonly endpointPorts = [];
  addresses: readonly WorkloadAddress[] = [];
  readonly #docker: () => Docker;
  readonly #id: string;
  readonly #name: string;

  constructor(docker: () => Docker, id: string, { workloadId, incarnation, name, ports }: Facts) {
    this.workloadId = workloadId;
    this.incarnation = incarnation;
    this.ports = ports;
    this.#name = name;
    this.#docker = docker;
    this.#id = id;
  }

  get listeners() {
    const toListener = ({ port }: PublishedPort) => ({ listen: { host: '::', port }, port });
    return { kind: 'gateway' as const, ports: this.ports.map(toListener) };
  }

  async connect(): Promise<Duplex> {
    return await openExecStream(this.#docker(), this.#id, {
      command: ['/bin/sh', '-c', joinSocket, 'bridge', controlSocket],
      user: sidecarUser,
      name: this.#name,
    });
  }

  /** What a container publishes is settled when it is made. */
  async setPorts(ports: readonly number[]): Promise<boolean> {
    const own = this.ports.map(({ port }) => port);
    return ports.length === own.length && ports.every((port) => own.includes(port));
  }

  async join(networks: readonly string[]): Promise<boolean> {
    const docker = this.#docker();
    const joined = new Set(this.addresses.map(({ network }) => network));
    const missing = networks.filter((network) => !joined.has(network));
    for (const network of missing) {
      try {
        await docker.getNetwork(network).connect({ Container: this.#id });
      } catch (error) {
        // Joined meanwhile, gone, or one that takes nobody (host, none).
        if (!isDone(error) && !/cannot be|not supported|conflicting/i.test(engineMessage(error))) {
          throw new MeshError(
            'ENGINE_FAILED',
            `The gateway ${this.#name} could not join ${network}: ${engineMessage(error)}`,
            { cause: error },
          );
        }
      }
    }
    if (missing.length > 0) await this.readAddresses();
    return missing.length > 0;
  }

  async readAddresses(): Promise<void> {
    const { NetworkSettings } = await this.#docker().getContainer(this.#id).inspect();
    this.addresses = Object.entries(NetworkSettings.Networks ?? {})
      .filter(([, { IPAddress }]) => IPAddress !== '')
      .map(([network, { IPAddress: ip, Aliases }]) => ({ network, ip, aliases: [...(Aliases ?? [])] }));
  }

  async openTerminal(kind: 'logs' | 'shell', columns: number, rows: number): Promise<TerminalSession> {
    const docker = this.#docker();
    return kind === 'logs' ? await openLogs(docker, this.#id) : await openShell(docker, this.#id, { columns, rows });
  }

  async remove(): Promise<void> {
    await removeContainer(this.#docker(), this.#id, stopSeconds);
  }
}
