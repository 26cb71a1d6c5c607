import { MeshError } from '../../contract/errors.ts';
import type { WorkloadView } from '../../contract/shapes.ts';
import type { Logger } from '../../shared/logger.ts';
import type { IdFile } from '../id-file.ts';

export interface GatewayKeeperOptions {
  readonly workloads: () => readonly WorkloadView[];
  readonly attach: (id: string) => Promise<unknown>;
  /** Gateways that somebody has stopped, over restarts; loaded. */
  readonly stopped: Pick<IdFile, 'has' | 'ids' | 'add' | 'delete'>;
  readonly onNotice: (notice: { level: 'warn'; code: string | null; message: string }) => void;
  readonly log: Logger;
}

const maxTries = 3;

function isPortTaken(error: unknown): boolean {
  const cause = error instanceof MeshError ? error.cause : null;
  return cause instanceof MeshError && cause.code === 'CONFIG_REJECTED' && cause.message.includes('cannot listen on');
}

/**
 * Starts a gateway when there is something behind it: once it is asked for and a workload is attached. One that somebody
 * has stopped since stays so, also over restarts, until all are detached, or the Gateway is taken away and comes back.
 */
export class GatewayKeeper {
  readonly #options: GatewayKeeperOptions;
  readonly #started = new Set<string>();
  /** Were seen while they were being detached: somebody wants it. One that ends by itself is just gone. */
  readonly #leaving = new Set<string>();
  #wasNeeded = false;
  #isClosed = false;

  constructor(options: GatewayKeeperOptions) {
    this.#options = options;
  }

  /** To be called when workloads, attached or not, have changed. */
  look(): void {
    if (this.#isClosed) return;
    const workloads = this.#options.workloads();
    const gateways = workloads.filter(({ runtime }) => runtime === 'gateway');
    this.#forgetOthers(new Set(gateways.map(({ id }) => id)));
    const isNeeded = workloads.some(({ runtime, mesh }) => runtime !== 'gateway' && mesh === 'attached');
    if (!isNeeded) {
      this.#allDetached();
      return;
    }
    this.#wasNeeded = true;
    for (const gateway of gateways) this.#lookAt(gateway);
  }

  close(): void {
    this.#isClosed = true;
  }

  #lookAt({ id, name, mesh }: WorkloadView): void {
    const { stopped } = this.#options;
    if (mesh === 'detaching') this.#leaving.add(id);
    else {
      if (mesh !== 'detached') stopped.delete(id);
      else if (this.#leaving.has(id)) stopped.add(id);
      this.#leaving.delete(id);
    }
    if (this.#started.has(id)) return;
    this.#started.add(id);
    if (mesh === 'detached' && !stopped.has(id)) void this.#start(id, name);
  }

  #forgetOthers(present: ReadonlySet<string>): void {
    const { stopped } = this.#options;
    for (const id of this.#started) if (!present.has(id)) this.#started.delete(id);
    for (const id of stopped.ids()) if (!present.has(id)) stopped.delete(id);
  }

  /** When none has been attached yet, those of an earlier run are about to be. */
  #allDetached(): void {
    this.#started.clear();
    this.#leaving.clear();
    if (!this.#wasNeeded) return;
    for (const id of this.#options.stopped.ids()) this.#options.stopped.delete(id);
  }

  /**
   * One that had to be started anew meanwhile, for what it leads to now, is tried again, and one whose port somebody took
   * between looking and listening: it gets another.
   */
  async #start(id: string, name: string, tries = 1): Promise<void> {
    const incarnation = this.#incarnation(id);
    try {
      await this.#options.attach(id);
    } catch (error) {
      const now = this.#incarnation(id);
      const isAnother = now !== null && now !== incarnation;
      if (!this.#isClosed && (isAnother || (isPortTaken(error) && tries < maxTries))) {
        return this.#start(id, name, isAnother ? 1 : tries + 1);
      }
      const message = error instanceof Error ? error.message : String(error);
      this.#options.log.warn(`gateway ${name}: ${message}`);
      if (!this.#isClosed)
        this.#options.onNotice({
          level: 'warn',
          code: 'ATTACH_FAILED',
          message: `The gateway ${name} was not started: ${message}`,
        });
    }
  }

  /** `null`: nobody asks for it any more. */
  #incarnation(id: string): string | null {
    return this.#options.workloads().find((workload) => workload.id === id)?.incarnation ?? null;
  }
}
