import type { Selection } from '../../contract/contract.ts';
import { MeshError } from '../../contract/errors.ts';
import { type DiscoveredWorkload, toServiceKey } from '../../model/workload.ts';
import { isLoopbackHost } from '../../model/workload-entry.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { suggest } from './suggest.ts';

/** The workloads of all runtimes, and how a user names them. */
export class WorkloadRegistry {
  readonly #runtimes: readonly Runtime[];
  readonly #byRuntime = new Map<Runtime, readonly DiscoveredWorkload[]>();
  #byId: ReadonlyMap<string, DiscoveredWorkload> = new Map();
  #byAddress: ReadonlyMap<string, readonly DiscoveredWorkload[]> = new Map();

  constructor(runtimes: readonly Runtime[]) {
    this.#runtimes = runtimes;
  }

  update(runtime: Runtime, workloads: readonly DiscoveredWorkload[]): void {
    this.#byRuntime.set(runtime, workloads);
    const all = [...this.#byRuntime.values()].flat();
    this.#byId = new Map(all.map((workload) => [workload.id, workload]));
    const byAddress = new Map<string, DiscoveredWorkload[]>();
    for (const workload of all) {
      for (const { ip } of workload.addresses) byAddress.set(ip, [...(byAddress.get(ip) ?? []), workload]);
    }
    this.#byAddress = byAddress;
  }

  /** By namespace, then name. */
  all(): DiscoveredWorkload[] {
    return [...this.#byId.values()].sort(
      (a, b) => order(a) - order(b) || compare(a.namespace, b.namespace) || compare(a.name, b.name),
    );
  }

  get(id: string): DiscoveredWorkload | null {
    return this.#byId.get(id) ?? null;
  }

  runtimeOf(workload: Pick<DiscoveredWorkload, 'runtime'>): Runtime {
    const runtime = this.#runtimeFor(workload.runtime);
    if (runtime === undefined) throw new Error(`there is no ${workload.runtime} runtime`);
    return runtime;
  }

  /** An engine that does not answer, or is not looked for, says nothing about its containers. */
  isReachable(kind: DiscoveredWorkload['runtime']): boolean {
    return kind === 'process' || this.#runtimeFor(kind)?.engine().state === 'connected';
  }

  #runtimeFor(kind: DiscoveredWorkload['runtime']): Runtime | undefined {
    return this.#runtimes.find((runtime) => runtime.kind === kind);
  }

  /** Workload with this address on a network that `seenBy` is on; host processes share loopback, so: none. */
  byAddress(address: string, seenBy: string): DiscoveredWorkload | null {
    if (isLoopbackHost(address)) return null;
    const networks = new Set(this.get(seenBy)?.addresses.map(({ network }) => network));
    const there = (this.#byAddress.get(address) ?? []).filter((workload) =>
      workload.addresses.some(({ ip, network }) => ip === address && networks.has(network)),
    );
    const [only, ...others] = there;
    return only === undefined || others.length > 0 ? null : only;
  }

  /** Loopback, a relay of it, or the first address of a network that it is on: where the host's own calls come from. */
  isLocal(address: string, seenBy: string): boolean {
    if (address === '::1' || address.startsWith('127.')) return true;
    const gateway = (ip: string) => ip.replace(/\.\d+$/, '.1');
    const { addresses = [], relayAddresses = [] } = this.get(seenBy) ?? {};
    return relayAddresses.includes(address) || addresses.some(({ ip }) => gateway(ip) === address);
  }

  /** One workload by id, name, start of its id, or by a service that has only one. Throws NOT_FOUND, AMBIGUOUS_NAME. */
  find(name: string): DiscoveredWorkload {
    const [only, ...others] = this.#match(name);
    if (only === undefined) throw this.#notFound(name);
    if (others.length === 0) return only;
    const ids = [only, ...others].map((workload) => `${workload.name} (${workload.id.slice(0, 12)})`).join(', ');
    throw new MeshError('AMBIGUOUS_NAME', `Several workloads are called ${name}: ${ids}.`);
  }

  /** Workloads of a selection. A name may also be a service: then all of its workloads. Throws as `find`. */
  select(select: Selection): DiscoveredWorkload[] {
    if (select.names !== undefined) {
      const chosen = select.names.flatMap((name) => (this.#isService(name) ? this.#match(name) : [this.find(name)]));
      return [...new Set(chosen)];
    }
    if (select.project === undefined) return this.all();
    const inProject = this.all().filter((workload) => workload.project === select.project);
    if (inProject.length > 0) return inProject;
    const projects = this.all().flatMap((workload) => workload.project ?? []);
    throw new MeshError(
      'NOT_FOUND',
      `No workload belongs to a project called ${select.project}.${suggest(select.project, projects)}`,
    );
  }

  #isService(name: string): boolean {
    return (
      !this.all().some((workload) => workload.name === name || workload.id === name) && this.#match(name).length > 0
    );
  }

  #match(name: string): DiscoveredWorkload[] {
    const all = this.all();
    const ways: ((workload: DiscoveredWorkload) => boolean)[] = [
      (workload) => workload.id === name,
      (workload) => workload.name === name,
      (workload) => name.length >= 8 && workload.id.startsWith(name),
      (workload) => workload.service === name || toServiceKey(workload.service, workload.namespace) === name,
    ];
    for (const way of ways) {
      const found = all.filter(way);
      if (found.length > 0) return found;
    }
    return [];
  }

  #notFound(name: string): MeshError {
    const names = this.all().flatMap((workload) => [workload.name, workload.service]);
    return new MeshError('NOT_FOUND', `There is no workload called ${name}.${suggest(name, names)}`);
  }
}

/** What runs comes first. */
const order = (workload: DiscoveredWorkload) => (workload.state === 'exited' ? 1 : 0);
const compare = (a: string, b: string) => (a === b ? 0 : a < b ? -1 : 1);
