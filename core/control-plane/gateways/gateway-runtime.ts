import { MeshError } from '../../contract/errors.ts';
import type { CleanupResult, DoctorCheck, EngineStatus } from '../../contract/shapes.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { Logger } from '../../shared/logger.ts';
import { type GatewayProxy, portsOf } from '../../snapshot/gateways/gateway-proxies.ts';
import type { Runtime, RuntimeEvents, Sidecar, SuccessorSidecar, TerminalSession } from '../runtime/runtime.ts';
import type { GatewayPlace, RunningGateway } from './gateway-place.ts';

export interface GatewayRuntimeOptions {
  /** Proxies that the project's Gateways ask for, now. */
  readonly proxies: () => readonly GatewayProxy[];
  /** Calls back when they may have changed. */
  readonly onChange: (callback: () => void) => () => void;
  readonly processes: GatewayPlace;
  /** `null`: there is no engine. */
  readonly containers: GatewayPlace | null;
  /** Networks of containers that a gateway in a container is to be on. */
  readonly networks: () => readonly string[];
  /** Where a gateway reaches what it leads to. */
  readonly placeFor: (proxy: GatewayProxy) => Promise<GatewayPlace['kind'] | null>;
  /** Whether routes of the mesh lead to it. */
  readonly isDestination: (proxy: GatewayProxy) => boolean;
  readonly log: Logger;
}

/** The proxies that Gateways ask for, as workloads: they are listed as soon as a Gateway does, and run while attached. */
export class GatewayRuntime implements Runtime {
  readonly kind = 'gateway';
  readonly #options: GatewayRuntimeOptions;
  readonly #running = new Map<string, RunningGateway>();
  /** Counted up when a proxy has to be started anew. */
  readonly #incarnations = new Map<string, string>();
  #events: RuntimeEvents | null = null;
  #stopWatching: (() => void) | null = null;
  #announced = '';
  #following: Promise<void> = Promise.resolve();

  constructor(options: GatewayRuntimeOptions) {
    this.#options = options;
  }

  async start(events: RuntimeEvents): Promise<void> {
    this.#events = events;
    this.#stopWatching = this.#options.onChange(() => this.refresh());
  }

  /** Ports and networks of what runs follow what is asked for now; then the others are told. */
  refresh(): void {
    this.#following = this.#following
      .then(() => this.#follow())
      .catch((error: unknown) => this.#options.log.warn(`gateways: ${String(error)}`));
  }

  workloads(): readonly DiscoveredWorkload[] {
    return this.#options
      .proxies()
      .map((proxy) => toWorkload(proxy, this.#running.get(proxy.id), this.#incarnation(proxy.id)));
  }

  engine(): EngineStatus {
    return { state: 'connected', name: 'gateways', version: null, endpoint: null, message: null };
  }

  async startSidecar(workloadId: string): Promise<Sidecar> {
    const proxy = this.#proxy(workloadId);
    const running = this.#running.get(workloadId);
    await running?.remove();
    const wanted = this.#options.networks();
    const place = await this.#placeOf(proxy);
    const gateway = await place.start({
      workloadId,
      incarnation: this.#incarnation(workloadId),
      name: proxy.name,
      ports: numbersOf(proxy),
      networks: wanted,
    });
    this.#running.set(workloadId, gateway);
    await gateway.join(wanted, this.#options.isDestination(proxy));
    this.#announce();
    return this.#toSidecar(gateway);
  }

  async startSuccessor(): Promise<SuccessorSidecar> {
    throw new MeshError('BAD_REQUEST', 'A gateway is not renewed; detach and attach it.');
  }

  /** Those of an earlier program are not taken over. */
  async isCurrent(): Promise<boolean> {
    return true;
  }

  async adopt(): Promise<readonly Sidecar[]> {
    const found = (await this.#options.containers?.adopt()) ?? [];
    const adopted: Sidecar[] = [];
    for (const gateway of found) {
      const proxy = this.#options.proxies().find(({ id }) => id === gateway.workloadId);
      const isWanted =
        proxy !== undefined && !this.#running.has(proxy.id) && (await gateway.setPorts(numbersOf(proxy)));
      if (!isWanted) {
        await gateway.remove();
        continue;
      }
      this.#incarnations.set(proxy.id, gateway.incarnation);
      this.#running.set(proxy.id, gateway);
      adopted.push(this.#toSidecar(gateway));
    }
    this.#announce();
    return adopted;
  }

  async openTerminal(request: Parameters<Runtime['openTerminal']>[0]): Promise<TerminalSession> {
    const { workloadId, kind, columns, rows } = request;
    const running = this.#running.get(workloadId);
    if (running === undefined) throw new MeshError('NOT_RUNNING', 'The gateway does not run.');
    return running.openTerminal(kind, columns, rows);
  }

  async doctor(): Promise<readonly DoctorCheck[]> {
    return [];
  }

  async cleanup(): Promise<CleanupResult> {
    await Promise.all([...this.#running.values()].map((gateway) => gateway.remove()));
    return { containers: [], rules: [], images: [], problems: [] };
  }

  async close(): Promise<void> {
    this.#stopWatching?.();
    await this.#following;
    await this.#options.processes.close();
    await this.#options.containers?.close();
  }

  /** Where a gateway runs; `null` while it does not. */
  placeOf(workloadId: string): GatewayPlace['kind'] | null {
    return this.#running.get(workloadId)?.kind ?? null;
  }

  async #follow(): Promise<void> {
    const networks = this.#options.networks();
    for (const proxy of this.#options.proxies()) {
      const running = this.#running.get(proxy.id);
      if (running === undefined) continue;
      const kind = (await this.#placeOf(proxy, running.kind)).kind;
      const stays = kind === running.kind && (await running.setPorts(numbersOf(proxy)));
      if (!stays) this.#incarnations.set(proxy.id, String(Number(this.#incarnation(proxy.id)) + 1));
      else await running.join(networks, this.#options.isDestination(proxy));
    }
    this.#announce();
  }

  #incarnation(workloadId: string): string {
    return this.#incarnations.get(workloadId) ?? '1';
  }

  /** @param otherwise while nothing says where it belongs */
  async #placeOf(proxy: GatewayProxy, otherwise: GatewayPlace['kind'] = 'process'): Promise<GatewayPlace> {
    const { containers, processes, placeFor } = this.#options;
    if (containers === null) return processes;
    return ((await placeFor(proxy)) ?? otherwise) === 'docker' ? containers : processes;
  }

  #announce(): void {
    const workloads = this.workloads();
    const text = JSON.stringify(workloads);
    if (text === this.#announced) return;
    this.#announced = text;
    this.#events?.onWorkloads(workloads);
  }

  #proxy(workloadId: string): GatewayProxy {
    const proxy = this.#options.proxies().find(({ id }) => id === workloadId);
    if (proxy === undefined) throw new MeshError('NOT_FOUND', 'No Gateway asks for this proxy any more.');
    return proxy;
  }

  #toSidecar(gateway: RunningGateway): Sidecar {
    return {
      workloadId: gateway.workloadId,
      incarnation: gateway.incarnation,
      get listeners() {
        return gateway.listeners;
      },
      get endpointPorts() {
        return gateway.endpointPorts;
      },
      connect: () => gateway.connect(),
      redirect: async () => undefined,
      undirect: async () => undefined,
      remove: async () => {
        if (this.#running.get(gateway.workloadId) === gateway) this.#running.delete(gateway.workloadId);
        await gateway.remove();
        this.#announce();
      },
    };
  }
}

const numbersOf = (proxy: GatewayProxy) => portsOf(proxy).map(({ port }) => port);

function toWorkload(proxy: GatewayProxy, running: RunningGateway | undefined, incarnation: string): DiscoveredWorkload {
  const published = new Map(running?.ports.map((own) => [own.port, own.published]));
  return {
    id: proxy.id,
    incarnation,
    name: proxy.name,
    runtime: 'gateway',
    service: proxy.name,
    namespace: proxy.namespace,
    version: null,
    project: null,
    image: null,
    labels: { ...proxy.labels },
    state: 'running',
    stateText: running === undefined ? 'starts with the first workload that is attached' : 'Up',
    startedAtMs: null,
    ports: portsOf(proxy).map(({ port, protocol }) => ({
      ...{ port, protocol },
      publishedPort: published.get(port) ?? null,
    })),
    addresses: [...(running?.addresses ?? [])],
    ...(running?.relayAddresses === undefined ? {} : { relayAddresses: [...running.relayAddresses] }),
    notAttachable: null,
  };
}
