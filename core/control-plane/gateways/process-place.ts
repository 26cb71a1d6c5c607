import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../contract/errors.ts';
import type { WorkloadAddress } from '../../model/workload.ts';
import type { Logger } from '../../shared/logger.ts';
import { probePort } from '../port-file.ts';
import { followOutput } from '../runtime/process/follow-output.ts';
import { SidecarProcess } from '../runtime/process/sidecar-process.ts';
import { makeSocketFolder } from '../runtime/process/socket-folder.ts';
import type { GatewayPlace, GatewayRequest, PublishedPort, RunningGateway } from './gateway-place.ts';
import type { HostPorts } from './host-ports.ts';

const loopback: WorkloadAddress = { network: 'loopback', ip: '127.0.0.1', aliases: [] };

export interface ProcessPlaceOptions {
  /** The built sidecar program. */
  readonly program: string;
  readonly stateDir: string;
  readonly ports: HostPorts;
  /** This machine's own address on a network of containers; `null`: it does not reach that network. */
  readonly hostAddressOf: (network: string) => Promise<string | null>;
  readonly log: Logger;
  readonly onRestart: (message: string) => void;
}

/**
 * Gateways as child processes of this one, on loopback; they end with it. They reach what this machine reaches: on Linux that
 * is containers of its own engine, too.
 */
export class ProcessPlace implements GatewayPlace {
  readonly kind = 'process';
  readonly #options: ProcessPlaceOptions;
  readonly #running = new Set<ProcessGateway>();
  #dir: Promise<string> | null = null;
  #count = 0;

  constructor(options: ProcessPlaceOptions) {
    this.#options = options;
  }

  async start(request: GatewayRequest): Promise<RunningGateway> {
    const { program, stateDir, log, onRestart } = this.#options;
    this.#dir ??= makeSocketFolder(join(stateDir, 'gateways.json'));
    this.#count += 1;
    const key = createHash('sha256').update(`${request.workloadId} ${this.#count}`).digest('hex').slice(0, 10);
    const sidecar = new SidecarProcess({
      ...{ name: request.name, program, log, onRestart },
      dir: join(await this.#dir, key),
      joins: false,
    });
    const gateway = new ProcessGateway(request, sidecar, this.#options, () => this.#running.delete(gateway));
    this.#running.add(gateway);
    try {
      await gateway.setPorts(request.ports);
      await sidecar.start();
    } catch (error) {
      await gateway.remove();
      throw error;
    }
    return gateway;
  }

  /** None: they end with the control plane that started them. */
  async adopt(): Promise<readonly RunningGateway[]> {
    return [];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((gateway) => gateway.remove()));
    if (this.#dir !== null) await rm(await this.#dir, { recursive: true, force: true });
  }
}

class ProcessGateway implements RunningGateway {
  readonly kind = 'process';
  readonly workloadId: string;
  readonly incarnation: string;
  addresses: readonly WorkloadAddress[] = [loopback];
  ports: readonly PublishedPort[] = [];
  readonly #sidecar: SidecarProcess;
  readonly #options: ProcessPlaceOptions;
  readonly #onRemoved: () => void;

  constructor(
    { workloadId, incarnation }: GatewayRequest,
    sidecar: SidecarProcess,
    options: ProcessPlaceOptions,
    onRemoved: () => void,
  ) {
    this.workloadId = workloadId;
    this.incarnation = incarnation;
    this.#sidecar = sidecar;
    this.#options = options;
    this.#onRemoved = onRemoved;
  }

  get listeners() {
    const hosts = this.addresses.flatMap(({ ip }) => (ip === '' ? [] : [ip]));
    const toListeners = ({ port, published }: PublishedPort) =>
      hosts.map((host) => ({ listen: { host, port: published }, port }));
    return { kind: 'gateway' as const, ports: this.ports.flatMap(toListeners) };
  }

  get endpointPorts() {
    return this.ports.map(({ port, published }) => ({ port, targetPort: published }));
  }

  connect() {
    return this.#sidecar.connect();
  }

  /** Ports that it listens at stay what they are. */
  async setPorts(ports: readonly number[]): Promise<boolean> {
    const chosen: PublishedPort[] = [];
    for (const port of ports) {
      const known = this.ports.find((own) => own.port === port);
      const published =
        known?.published ?? (await this.#options.ports.choose(this.workloadId, port, { mayBind: false }));
      chosen.push({ port, published });
    }
    this.ports = chosen;
    return true;
  }

  /** A network that it reaches and is not to be called from has no address here. */
  async join(networks: readonly string[], isDestination: boolean): Promise<boolean> {
    const known = new Map(this.addresses.map(({ network, ip }) => [network, ip]));
    const addresses: WorkloadAddress[] = [loopback];
    for (const network of networks) {
      const host = await this.#options.hostAddressOf(network);
      if (host === null) continue;
      const listens = isDestination && (known.get(network) === host || (await this.#isFreeAt(host)));
      addresses.push({ network, ip: listens ? host : '', aliases: [] });
    }
    const changed = JSON.stringify(addresses) !== JSON.stringify(this.addresses);
    this.addresses = addresses;
    return changed;
  }

  async #isFreeAt(host: string): Promise<boolean> {
    for (const { port, published } of this.ports) {
      if ((await probePort(published, host)) === 'free') continue;
      this.#options.log.warn(`containers do not reach port ${port} of the gateway: ${host}:${published} is taken`);
      return false;
    }
    return true;
  }

  async openTerminal(kind: 'logs' | 'shell') {
    if (kind === 'shell')
      throw new MeshError('BAD_REQUEST', 'A gateway that runs as a process has no shell of its own.');
    return followOutput(this.#sidecar.output);
  }

  async remove(): Promise<void> {
    this.#onRemoved();
    await this.#sidecar.remove();
  }
}
