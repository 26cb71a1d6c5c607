import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { Clock } from '../../shared/clock.ts';
import { compileSnapshot } from '../../snapshot/compile-snapshot.ts';
import type { MeshSnapshot, SnapshotInput } from '../../snapshot/snapshot.ts';
import { continueFrom, sameSidecarConfig, toSidecarConfig } from '../../snapshot/to-sidecar-config.ts';
import type { SidecarLink } from '../push/sidecar-link.ts';

export interface PublisherOptions {
  /** Everything a snapshot is made of, as it is now. */
  readonly input: () => Omit<SnapshotInput, 'revision'>;
  readonly links: () => Iterable<readonly [workloadId: string, link: SidecarLink]>;
  readonly clock: Clock;
  /** Puts into a configuration, on its way out, what no snapshot may have; default: nothing. */
  readonly complete?: (config: SidecarConfig) => SidecarConfig;
  readonly onPublished: (snapshot: MeshSnapshot) => void;
}

/** From this many sidecars on, changes that come one by one while all are attached are published together. */
const largeMesh = 20;
const togetherMs = 100;

/** The one writer of snapshots: compiles, and pushes to the sidecars that it changes something for. */
export class Publisher {
  readonly #options: PublisherOptions;
  #revision = 0;
  #snapshot: MeshSnapshot;
  #scheduled: NodeJS.Immediate | null = null;
  #together: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#snapshot = compileSnapshot({ ...options.input(), revision: 0 });
  }

  get snapshot(): MeshSnapshot {
    return this.#snapshot;
  }

  /** Sidecars that an earlier control plane left have seen revisions up to this one; ours go on from there. */
  continueAfter(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
  }

  /** Compiles and pushes now. */
  publish(): MeshSnapshot {
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    this.#scheduled = null;
    this.#revision += 1;
    const before = this.#snapshot;
    this.#snapshot = compileSnapshot({ ...this.#options.input(), revision: this.#revision });
    continueFrom(before, this.#snapshot);
    for (const [workloadId, link] of this.#options.links()) this.#push(workloadId, link);
    this.#options.onPublished(this.#snapshot);
    return this.#snapshot;
  }

  /** Compiles and pushes soon: a burst of changes makes one snapshot. */
  schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = null;
      this.publish();
    });
  }

  /**
   * Publishes, in a large mesh with what else changes in the next moment: attaching 200 workloads one by one would
   * otherwise push 200 times to 200 sidecars. Resolves once it is published.
   */
  publishTogether(): Promise<void> {
    if ([...this.#options.links()].length < largeMesh) {
      this.publish();
      return Promise.resolve();
    }
    this.#together ??= new Promise((resolve) => {
      setTimeout(() => {
        this.#together = null;
        if (!this.#isClosed) this.publish();
        resolve();
      }, togetherMs);
    });
    return this.#together;
  }

  /**
   * Waits until the sidecars (all, or those chosen) have acknowledged what is in force for them, at most so long.
   * Resolves with the ids of those that have not.
   */
  async waitForAcks(timeoutMs: number, choose: (workloadId: string) => boolean = () => true): Promise<string[]> {
    const late: string[] = [];
    const waiting = [...this.#options.links()]
      .filter(([workloadId, link]) => choose(workloadId) && link.wanted !== null && link.connection !== null)
      .map(async ([workloadId, link]) => {
        const isAcked = await link.waitForAck(link.wanted?.revision ?? 0, timeoutMs);
        if (!isAcked) late.push(workloadId);
      });
    await Promise.all(waiting);
    return late;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
  }

  #push(workloadId: string, link: SidecarLink): void {
    const compiled = toSidecarConfig(this.#snapshot, workloadId);
    const config = compiled === null ? null : (this.#options.complete?.(compiled) ?? compiled);
    if (config === null || (link.wanted !== null && sameSidecarConfig(link.wanted, config))) return;
    link.push(config);
  }
}
