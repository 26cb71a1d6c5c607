import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { Logger } from '../../shared/logger.ts';
import type { AttachCoordinator } from './attach-coordinator.ts';
import type { Attachment } from './attachment.ts';
import type { WantedSet } from './wanted-set.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

export interface ReconcilerOptions {
  readonly registry: WorkloadRegistry;
  readonly coordinator: AttachCoordinator;
  readonly attachments: ReadonlyMap<string, Attachment>;
  readonly wanted: WantedSet;
  readonly onNotice: (notice: { level: 'warn'; code: string | null; message: string }) => void;
  readonly log: Logger;
}

const firstRetryMs = 1_000;
const lastRetryMs = 30_000;

/**
 * After every change of the workloads: drops sidecars whose namespace is gone, attaches again what is wanted and runs.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #failures = new Map<string, { count: number; timer: NodeJS.Timeout }>();
  readonly #seen = new Set<string>();
  #isPaused = true;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Until then nothing is attached by itself: sidecars that were found have to be taken over first. */
  resume(): void {
    this.#isPaused = false;
    this.reconcile();
  }

  pause(): void {
    this.#isPaused = true;
  }

  reconcile(): void {
    if (this.#isPaused) return;
    const { attachments, coordinator, registry, wanted } = this.#options;
    for (const attachment of [...attachments.values()]) {
      const workload = registry.get(attachment.workloadId);
      if (workload !== null) this.#seen.add(workload.id);
      const isKnown = workload !== null || registry.isReachable(attachment.runtime);
      if (attachment.isGone || !isKnown || (workload !== null && isSame(workload, attachment))) continue;
      void coordinator.discard(attachment).then(() => this.reconcile());
    }
    for (const id of wanted.ids()) {
      const workload = registry.get(id);
      if (workload === null) {
        // A host process comes back under its id, a removed container does not.
        if (this.#seen.has(id) && !id.startsWith('process:') && registry.isReachable('docker')) wanted.delete(id);
      } else if (workload.state === 'running' && !attachments.has(id) && !this.#failures.has(id)) {
        void this.#attach(workload);
      }
    }
  }

  close(): void {
    this.#isPaused = true;
    for (const { timer } of this.#failures.values()) clearTimeout(timer);
    this.#failures.clear();
  }

  async #attach(workload: DiscoveredWorkload, count = 0): Promise<void> {
    try {
      await this.#options.coordinator.attach(workload);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.log.warn(`${workload.name} was not attached again: ${message}`);
      if (count === 0)
        this.#options.onNotice({ level: 'warn', code: 'ATTACH_FAILED', message: `${message} It is tried again.` });
      this.#retryLater(workload.id, count);
    }
  }

  #retryLater(id: string, count: number): void {
    if (this.#isPaused) return;
    const delayMs = Math.min(lastRetryMs, firstRetryMs * 2 ** count);
    const timer = setTimeout(() => {
      this.#failures.delete(id);
      const workload = this.#options.registry.get(id);
      const isDue = workload?.state === 'running' && this.#options.wanted.has(id) && !this.#options.attachments.has(id);
      if (isDue && !this.#isPaused) void this.#attach(workload, count + 1);
    }, delayMs);
    timer.unref();
    this.#failures.set(id, { count, timer });
  }
}

/** A host process has no namespace that ends with it: its sidecar waits for it, so that it finds its listeners again. */
function isSame(workload: DiscoveredWorkload, attachment: Attachment): boolean {
  const isUp = workload.state === 'running' || workload.state === 'paused' || workload.runtime === 'process';
  return isUp && workload.incarnation === attachment.incarnation;
}
