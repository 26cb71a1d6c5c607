import type { EngineStatus } from '../../core/contract/shapes.ts';
import type {
  Runtime,
  RuntimeEvents,
  Sidecar,
  SuccessorSidecar,
  TerminalSession,
} from '../../core/control-plane/runtime/runtime.ts';
import type { DiscoveredWorkload } from '../../core/model/workload.ts';
import { FakeSidecar } from './fake-sidecar.ts';

export function fakeWorkload(name: string, changes: Partial<DiscoveredWorkload> = {}): DiscoveredWorkload {
  const [service = name, version = null] = name.split('-');
  const last = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 250, 7) + 2;
  return {
    id: `id-${name}`,
    incarnation: '1',
    name,
    runtime: 'docker',
    service,
    namespace: 'shop',
    version,
    project: 'shop',
    image: `shop/${service}`,
    labels: {},
    state: 'running',
    stateText: 'Up 3 minutes',
    startedAtMs: 0,
    ports: [{ port: 80, protocol: 'auto', publishedPort: null }],
    addresses: [{ network: 'shop_default', ip: `10.1.0.${last}`, aliases: [service] }],
    notAttachable: null,
    ...changes,
  };
}

type Step = 'startSidecar' | 'startSuccessor' | 'confirm' | 'connect' | 'redirect' | 'undirect' | 'remove';

/** A container engine of fake sidecars. `log` holds what happened, in order, also what the sidecars learn of each other. */
export class FakeRuntime implements Runtime {
  readonly kind = 'docker';
  readonly log: string[] = [];
  readonly sidecars = new Map<string, FakeSidecar>();
  /** `step name` -> error to fail with. */
  readonly failures = new Map<`${Step} ${string}`, Error>();
  readonly adoptable: Sidecar[] = [];
  readonly successors = new Map<string, FakeSidecar>();
  /** Ids of workloads whose sidecar is of an older program. */
  readonly outdated = new Set<string>();
  engineState: EngineStatus['state'] = 'connected';
  prepare: (sidecar: FakeSidecar, name: string) => void = () => undefined;
  #events: RuntimeEvents | null = null;
  #workloads: DiscoveredWorkload[];
  readonly #meshed = new Map<string, Map<string, boolean>>();

  constructor(workloads: DiscoveredWorkload[]) {
    this.#workloads = workloads;
  }

  async start(events: RuntimeEvents): Promise<void> {
    this.#events = events;
    events.onWorkloads(this.#workloads);
  }

  workloads(): readonly DiscoveredWorkload[] {
    return this.#workloads;
  }

  change(workloads: DiscoveredWorkload[]): void {
    this.#workloads = workloads;
    this.#events?.onWorkloads(workloads);
  }

  engine(): EngineStatus {
    return { state: this.engineState, name: 'fake', version: '1', endpoint: null, message: null };
  }

  /** Changes the engine's state; without it there is nothing to list. */
  setEngine(state: EngineStatus['state'], workloads: DiscoveredWorkload[]): void {
    this.engineState = state;
    this.#workloads = workloads;
    this.#events?.onEngine(this.engine());
    this.#events?.onWorkloads(workloads);
  }

  async startSidecar(workloadId: string): Promise<Sidecar> {
    const workload = this.#workloads.find(({ id }) => id === workloadId);
    if (workload === undefined) throw new Error(`${workloadId} is gone`);
    this.#do('startSidecar', workload.name);
    const existing = this.sidecars.get(workload.name);
    return this.#toSidecar(workload, existing ?? (await this.#createSidecar(workload)));
  }

  /** The one in charge stays `sidecar(name)` until this one is confirmed; meanwhile it is `successors.get(name)`. */
  async startSuccessor({ workloadId }: Sidecar): Promise<SuccessorSidecar> {
    const workload = this.#workloads.find(({ id }) => id === workloadId);
    if (workload === undefined) throw new Error(`${workloadId} is gone`);
    this.#do('startSuccessor', workload.name);
    const older = this.sidecars.get(workload.name);
    const successor = await this.#createSidecar(workload);
    if (older !== undefined) this.sidecars.set(workload.name, older);
    this.successors.set(workload.name, successor);
    return this.#toSidecar(workload, successor);
  }

  async isCurrent({ workloadId }: Sidecar): Promise<boolean> {
    return !this.outdated.has(workloadId);
  }

  /** A sidecar that an earlier control plane left. */
  async leaveSidecar(workload: DiscoveredWorkload): Promise<FakeSidecar> {
    const sidecar = await this.#createSidecar(workload);
    this.adoptable.push(this.#toSidecar(workload, sidecar));
    return sidecar;
  }

  /** One beside it that has handed over to it. */
  async leaveReplaced(workload: DiscoveredWorkload): Promise<FakeSidecar> {
    const inCharge = this.sidecar(workload.name);
    const sidecar = await this.#createSidecar(workload);
    this.sidecars.set(workload.name, inCharge);
    this.adoptable.push(this.#toSidecar(workload, sidecar));
    return sidecar;
  }

  async adopt(): Promise<readonly Sidecar[]> {
    return this.adoptable.splice(0);
  }

  sidecar(name: string): FakeSidecar {
    const sidecar = this.sidecars.get(name);
    if (sidecar === undefined) throw new Error(`${name} has no sidecar`);
    return sidecar;
  }

  async openTerminal(): Promise<TerminalSession> {
    throw new Error('there is no terminal here');
  }

  async doctor() {
    return [{ name: 'engine', status: 'ok' as const, message: 'answers', fix: null }];
  }

  async cleanup() {
    return { containers: ['left-over'], rules: [], images: [], problems: [] };
  }

  async close(): Promise<void> {
    for (const sidecar of [...this.sidecars.values(), ...this.successors.values()]) await sidecar.close();
  }

  #do(step: Step, name: string): void {
    this.log.push(`${step} ${name}`);
    const failure = this.failures.get(`${step} ${name}`);
    if (failure !== undefined) throw failure;
  }

  async #createSidecar(workload: DiscoveredWorkload): Promise<FakeSidecar> {
    const sidecar = await new FakeSidecar().start();
    this.sidecars.set(workload.name, sidecar);
    this.#meshed.set(workload.name, new Map());
    sidecar.onMessage = (message) => this.#watch(workload.name, message);
    this.prepare(sidecar, workload.name);
    return sidecar;
  }

  #toSidecar(workload: DiscoveredWorkload, sidecar: FakeSidecar): SuccessorSidecar {
    const { name } = workload;
    const nameOf = () => (this.successors.get(name) === sidecar ? `successor of ${name}` : name);
    return {
      workloadId: workload.id,
      incarnation: workload.incarnation,
      listeners: { kind: 'transparent', outboundPort: 15_001, inboundPort: 15_006 },
      endpointPorts: [],
      connect: async () => {
        const failure = this.failures.get(`connect ${nameOf()}`);
        if (failure !== undefined) throw failure;
        return sidecar.connect();
      },
      confirm: async () => {
        this.#do('confirm', nameOf());
        this.successors.delete(name);
        this.sidecars.set(name, sidecar);
        this.outdated.delete(workload.id);
      },
      redirect: async () => this.#do('redirect', name),
      undirect: async () => this.#do('undirect', name),
      remove: async () => {
        this.#do('remove', this.sidecars.get(name) === sidecar ? name : `${name} beside another`);
        if (this.successors.get(name) === sidecar) this.successors.delete(name);
        if (this.sidecars.get(name) === sidecar) this.sidecars.delete(name);
        await sidecar.close();
      },
    };
  }

  #watch(name: string, message: FakeSidecar['received'][number]): void {
    if (message.type !== 'push' && message.type !== 'push.change') {
      if (['drain', 'undrain', 'retire'].includes(message.type)) this.log.push(`${message.type} ${name}`);
      return;
    }
    const before = this.#meshed.get(name) ?? new Map<string, boolean>();
    const now = new Map([
      ...(message.type === 'push.change' ? before : []),
      ...message.config.services.flatMap(({ endpoints }) => endpoints.map((e) => [e.name, e.mesh] as const)),
    ]);
    for (const [peer, mesh] of now) {
      if (peer !== name && mesh !== (before.get(peer) ?? false)) {
        this.log.push(`${name} uses ${mesh ? 'mTLS' : 'plaintext'} with ${peer}`);
      }
    }
    this.#meshed.set(name, now);
  }
}
