import type { Logger } from '../../shared/logger.ts';
import type { Runtime, Sidecar } from '../runtime/runtime.ts';
import type { AttachCoordinator } from './attach-coordinator.ts';
import type { Attachment } from './attachment.ts';
import type { Publisher } from './publisher.ts';
import type { Reconciler } from './reconciler.ts';
import type { SidecarRenewal } from './sidecar-renewal.ts';
import type { WantedSet } from './wanted-set.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

export interface AdoptionOptions {
  readonly registry: WorkloadRegistry;
  readonly attachments: ReadonlyMap<string, Attachment>;
  readonly coordinator: AttachCoordinator;
  readonly reconciler: Reconciler;
  readonly renewal: SidecarRenewal;
  readonly publisher: Publisher;
  readonly wanted: WantedSet;
  readonly log: Logger;
}

/** Takes over the sidecars that an earlier control plane left, at the start and when an engine answers later. */
export class Adoption {
  readonly #options: AdoptionOptions;
  readonly #connected = new Set<Runtime>();
  #working: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /** Nothing is attached by itself meanwhile. Resolves when the links have been dialled once. */
  async run(runtimes: readonly Runtime[]): Promise<void> {
    const { attachments, publisher, reconciler, registry } = this.#options;
    reconciler.pause();
    const before = new Set(attachments.keys());
    const replaced: Sidecar[] = [];
    for (const runtime of runtimes) {
      if (registry.isReachable(runtime.kind)) this.#connected.add(runtime);
      replaced.push(...(await this.#adopt(runtime)));
    }
    publisher.publish();
    if (!this.#isClosed) reconciler.resume();
    const adopted = [...attachments].filter(([id, { phase }]) => !before.has(id) && phase === 'attached');
    this.#working = Promise.all(adopted.map(([, { link }]) => link?.keep())).then(() => undefined);
    // In the background: an older sidecar may have connections that last.
    void this.#working.then(() => this.#replaceOlder(replaced, adopted));
  }

  /** Ends what an earlier control plane had replaced, and renews what is of an older program. */
  async #replaceOlder(
    replaced: readonly Sidecar[],
    adopted: readonly (readonly [string, Attachment])[],
  ): Promise<void> {
    const { renewal, log } = this.#options;
    const failed = (error: unknown) => log.warn(`an older sidecar is still there: ${String(error)}`);
    if (this.#isClosed) return;
    await Promise.all(replaced.map((sidecar) => renewal.finish(sidecar).catch(failed)));
    if (!this.#isClosed) await renewal.renewOutdated(adopted.map(([id]) => id));
  }

  /** The state of a runtime's engine has changed: one that has just come up may have sidecars of ours. */
  engineChanged(runtime: Runtime): void {
    if (!this.#options.registry.isReachable(runtime.kind)) {
      this.#connected.delete(runtime);
      return;
    }
    if (this.#connected.has(runtime)) return;
    this.#connected.add(runtime);
    this.#working = this.#working
      .then(() => this.run([runtime]))
      .catch((error: unknown) => this.#options.log.warn(`adoption: ${String(error)}`));
  }

  close(): void {
    this.#isClosed = true;
  }

  /**
   * What an earlier control plane had not finished (not in the wanted set) is attached from the start. Resolves with
   * those that have handed over to another one.
   */
  async #adopt(runtime: Runtime): Promise<Sidecar[]> {
    const replaced: Sidecar[] = [];
    const here = new Set<string>();
    const { attachments, coordinator, registry, wanted, log } = this.#options;
    try {
      for (const sidecar of await runtime.adopt()) {
        const workload = registry.get(sidecar.workloadId);
        if (here.has(sidecar.workloadId)) replaced.push(sidecar);
        const isOurs = workload !== null && !attachments.has(workload.id);
        if (!isOurs || sidecar.incarnation !== workload.incarnation) continue;
        here.add(workload.id);
        if (wanted.has(workload.id)) coordinator.takeOver(sidecar, workload.runtime);
        else wanted.add(workload.id);
      }
    } catch (error) {
      log.warn(`sidecars of the ${runtime.kind} runtime were not taken over: ${String(error)}`);
    }
    return replaced;
  }
}
