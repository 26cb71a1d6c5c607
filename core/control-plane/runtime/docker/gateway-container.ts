/** One gateway in a container of ours. */
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { MeshError } from '../../../contract/errors.ts';
import type { WorkloadAddress } from '../../../model/workload.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { PublishedPort, RunningGateway } from '../../gateways/gateway-place.ts';
import type { HostPorts } from '../../gateways/host-ports.ts';
import type { TerminalSession } from '../runtime.ts';
import { controlSocket, joinSocket, sidecarUser, stopSeconds } from './docker-sidecar.ts';
import { engineMessage, isDone } from './engine-error.ts';
import { openExecStream } from './exec-stream.ts';
import { adoptRelays, type Relay, startRelay, withFreePorts } from './gateway-relays.ts';
import { removeContainer, removeNetworks } from './own-containers.ts';
import { openLogs, openShell } from './terminal.ts';

export interface GatewayContainerOptions {
  /** Throws ENGINE_UNAVAILABLE. */
  readonly docker: () => Docker;
  readonly image: (docker: Docker) => Promise<string>;
  readonly owner: string;
  readonly hostPorts: HostPorts;
  readonly log: Logger;
  readonly id: string;
  readonly workloadId: string;
  readonly incarnation: string;
  readonly name: string;
  /** What it was started with. */
  readonly ports: readonly PublishedPort[];
}

export class GatewayContainer implements RunningGateway {
  readonly kind = 'docker';
  readonly workloadId: string;
  readonly incarnation: string;
  readonly endpointPorts = [];
  ports: readonly PublishedPort[];
  addresses: readonly WorkloadAddress[] = [];
  readonly #options: GatewayContainerOptions;
  #relays: readonly Relay[] = [];
  /** Network that it was started on. */
  #primary = '';

  constructor(options: GatewayContainerOptions) {
    this.workloadId = options.workloadId;
    this.incarnation = options.incarnation;
    this.ports = options.ports;
    this.#options = options;
  }

  get listeners() {
    const toListener = ({ port }: PublishedPort) => ({ listen: { host: '::', port }, port });
    return { kind: 'gateway' as const, ports: this.ports.map(toListener) };
  }

  get relayAddresses(): readonly string[] {
    return this.#relays.map(({ ip }) => ip);
  }

  async connect(): Promise<Duplex> {
    const { docker, id, name } = this.#options;
    return await openExecStream(docker(), id, {
      command: ['/bin/sh', '-c', joinSocket, 'bridge', controlSocket],
      user: sidecarUser,
      name,
    });
  }

  /** New ones get a relay. False: the engine refuses that. Ports that are given up stay published, and closed. */
  async setPorts(ports: readonly number[]): Promise<boolean> {
    const { log, name } = this.#options;
    const missing = ports.filter((port) => this.#published(port) === undefined);
    try {
      if (missing.length > 0) await this.#addRelay(missing);
    } catch (error) {
      log.warn(`the gateway ${name} is started anew for other ports: ${engineMessage(error)}`);
      return false;
    }
    this.ports = ports.flatMap((port) => this.#published(port) ?? []);
    await this.#dropRelays(({ ports: own }) => !own.some(({ port }) => ports.includes(port)));
    return true;
  }

  /** Leaves the others, so that they can be removed, but for the one that its ports are published on. */
  async join(networks: readonly string[]): Promise<boolean> {
    const { docker, id } = this.#options;
    const joined = this.addresses.map(({ network }) => network);
    const missing = networks.filter((network) => !joined.includes(network));
    const over = joined.filter((network) => !networks.includes(network) && network !== this.#primary);
    for (const network of over) {
      await this.#change(`leave ${network}`, docker().getNetwork(network).disconnect({ Container: id, Force: true }));
    }
    for (const network of missing) {
      await this.#change(`join ${network}`, docker().getNetwork(network).connect({ Container: id }));
    }
    if (missing.length + over.length > 0) await this.readAddresses();
    return missing.length + over.length > 0;
  }

  async #change(what: string, work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      // Done meanwhile, gone, or a network that takes nobody (host, none).
      if (isDone(error) || /cannot be|not supported|conflicting|not connected/i.test(engineMessage(error))) return;
      const message = `The gateway ${this.#options.name} could not ${what}: ${engineMessage(error)}`;
      throw new MeshError('ENGINE_FAILED', message, { cause: error });
    }
  }

  /** Reads from the engine where it is, and what an earlier control plane has put beside it. */
  async takeOver(): Promise<void> {
    await this.readAddresses();
    const { docker, owner, workloadId, id } = this.#options;
    this.#relays = await adoptRelays(docker(), { owner, workloadId, gatewayId: id });
  }

  async readAddresses(): Promise<void> {
    const { docker, id } = this.#options;
    const { HostConfig, NetworkSettings } = await docker().getContainer(id).inspect();
    this.#primary = HostConfig.NetworkMode ?? '';
    this.addresses = Object.entries(NetworkSettings.Networks ?? {})
      .filter(([, { IPAddress }]) => IPAddress !== '')
      .map(([network, { IPAddress: ip, Aliases }]) => ({ network, ip, aliases: [...(Aliases ?? [])] }));
  }

  async openTerminal(kind: 'logs' | 'shell', columns: number, rows: number): Promise<TerminalSession> {
    const { docker, id } = this.#options;
    return kind === 'logs' ? await openLogs(docker(), id) : await openShell(docker(), id, { columns, rows });
  }

  async remove(): Promise<void> {
    const { docker, id, owner } = this.#options;
    await Promise.all([removeContainer(docker(), id, stopSeconds), this.#dropRelays(() => true)]);
    await removeNetworks(docker(), owner);
  }

  #published(port: number): PublishedPort | undefined {
    const all = [...this.#options.ports, ...this.#relays.flatMap((relay) => relay.ports)];
    return all.find((own) => own.port === port);
  }

  async #addRelay(missing: readonly number[]): Promise<void> {
    const { docker, image, hostPorts, owner, workloadId, name, id } = this.#options;
    const place = this.addresses.find(({ network }) => network === this.#primary) ?? this.addresses[0];
    if (place === undefined) throw new Error('it is on no network');
    const { network, ip } = place;
    const request = { owner, workloadId, name, gatewayId: id, network, ip, image: await image(docker()) };
    const choose = async (except: ReadonlySet<number>) => {
      const chosen: PublishedPort[] = [];
      for (const port of missing)
        chosen.push({ port, published: await hostPorts.choose(workloadId, port, { mayBind: true, except }) });
      return chosen;
    };
    const relay = await withFreePorts(name, choose, (ports) => startRelay(docker(), request, ports));
    this.#relays = [...this.#relays, relay];
  }

  async #dropRelays(isOver: (relay: Relay) => boolean): Promise<void> {
    const over = this.#relays.filter(isOver);
    this.#relays = this.#relays.filter((relay) => !over.includes(relay));
    await Promise.all(over.map(({ id }) => removeContainer(this.#options.docker(), id)));
  }
}
