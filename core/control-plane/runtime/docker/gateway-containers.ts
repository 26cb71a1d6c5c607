/** Gateways as containers of ours, with ports published on this machine's loopback. */
import { networkInterfaces } from 'node:os';
import type Docker from 'dockerode';
import type { Logger } from '../../../shared/logger.ts';
import type { GatewayPlace, GatewayRequest, PublishedPort, RunningGateway } from '../../gateways/gateway-place.ts';
import type { HostPorts } from '../../gateways/host-ports.ts';
import { engineMessage, isAbsent, toEngineError } from './engine-error.ts';
import { GatewayContainer } from './gateway-container.ts';
import { toPublished, withFreePorts } from './gateway-relays.ts';
import {
  fromGatewayName,
  gatewayContainer,
  gatewayNetwork,
  listOwn,
  removeContainer,
  toGatewayName,
} from './own-containers.ts';

export interface GatewayContainersOptions {
  /** Throws ENGINE_UNAVAILABLE. */
  readonly docker: () => Docker;
  readonly isConnected: () => boolean;
  readonly image: (docker: Docker) => Promise<string>;
  readonly owner: string;
  readonly hostPorts: HostPorts;
  readonly log: Logger;
}

export class GatewayContainers implements GatewayPlace {
  readonly kind = 'docker';
  readonly #options: GatewayContainersOptions;

  constructor(options: GatewayContainersOptions) {
    this.#options = options;
  }

  async start(request: GatewayRequest): Promise<RunningGateway> {
    const { owner } = this.#options;
    const { name, workloadId } = request;
    const docker = this.#options.docker();
    const image = await this.#options.image(docker);
    const roles = ['gateway', 'relay'] as const;
    const older = await Promise.all(roles.map((role) => listOwn(docker, { role, workloadId, owner })));
    await Promise.all(older.flat().map(({ id }) => removeContainer(docker, id)));
    const network = (await this.#ownNetwork(docker)) ?? (await findPrimary(docker, request.networks));
    const choose = (taken: ReadonlySet<number>) => this.#choosePorts(request, taken);
    return await withFreePorts(name, choose, (ports) => this.#run(docker, image, request, ports, network));
  }

  async adopt(): Promise<readonly RunningGateway[]> {
    const { isConnected, owner } = this.#options;
    if (!isConnected()) return [];
    const docker = this.#options.docker();
    const image = await this.#options.image(docker).catch(() => null);
    const current = image === null ? null : (await docker.getImage(image).inspect()).Id;
    const adopted: GatewayContainer[] = [];
    for (const own of await listOwn(docker, { role: 'gateway', owner })) {
      const isUsable = own.running && (current === null || own.image === current);
      if (!isUsable) {
        await removeContainer(docker, own.id);
        continue;
      }
      const { HostConfig } = await docker.getContainer(own.id).inspect();
      const { id, workloadId, incarnation } = own;
      const name = fromGatewayName(own.name);
      const ports = toPublished(HostConfig.PortBindings);
      const gateway = new GatewayContainer({ ...this.#options, id, workloadId, incarnation, name, ports });
      await gateway.takeOver();
      adopted.push(gateway);
    }
    const ids = new Set(adopted.map(({ workloadId }) => workloadId));
    const orphans = (await listOwn(docker, { role: 'relay', owner })).filter(({ workloadId }) => !ids.has(workloadId));
    await Promise.all(orphans.map(({ id }) => removeContainer(docker, id)));
    return adopted;
  }

  /**
   * This machine's own address on a network, when it routes to the containers there: the bridge is one of its interfaces.
   * `null` for engines in a virtual machine (Docker Desktop), of another machine or without root, and for other drivers.
   */
  async hostAddressOf(network: string): Promise<string | null> {
    const docker = this.#options.docker();
    try {
      const { IPAM } = await docker.getNetwork(network).inspect();
      const gateways = new Set((IPAM?.Config ?? []).map(({ Gateway }) => Gateway));
      const own = Object.values(networkInterfaces()).flat();
      return own.find((one) => one !== undefined && gateways.has(one.address))?.address ?? null;
    } catch (error) {
      if (isAbsent(error)) return null;
      throw toEngineError(`Network ${network} could not be read`, error);
    }
  }

  async close(): Promise<void> {
    // They go on without the control plane, as sidecars do.
  }

  /**
   * The gateway has its ports on a network of ours, and comes and goes on those of the containers: these can be removed
   * when their containers go. `null`: the engine has no room for one.
   */
  async #ownNetwork(docker: Docker): Promise<string | null> {
    const { log, owner } = this.#options;
    const wanted = gatewayNetwork(owner);
    try {
      const found = await docker.listNetworks({ filters: { name: [wanted.Name] } });
      if (!found.some(({ Name }) => Name === wanted.Name)) await docker.createNetwork(wanted);
      return wanted.Name;
    } catch (error) {
      log.warn(`gateways have no network of their own: ${engineMessage(error)}`);
      return null;
    }
  }

  async #choosePorts(request: GatewayRequest, except: ReadonlySet<number>): Promise<PublishedPort[]> {
    const chosen: PublishedPort[] = [];
    for (const port of request.ports) {
      const published = await this.#options.hostPorts.choose(request.workloadId, port, { mayBind: true, except });
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
      const { id } = created;
      const gateway = new GatewayContainer({ ...this.#options, id, workloadId, incarnation, name, ports });
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
