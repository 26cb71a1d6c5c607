import type { WorkloadView } from '../../contract/shapes.ts';
import type { Logger } from '../../shared/logger.ts';

export interface GatewayKeeperOptions {
  readonly workloads: () => readonly WorkloadView[];
  readonly attach: (id: string) => Promise<unknown>;
  readonly onNotice: (notice: { level: 'warn'; code: string | null; message: string }) => void;
  readonly log: Logger;
}

/**
 * Starts a gateway when there is something behind it: once it is asked for and a workload is attached. One that somebody
 * has stopped since stays so until all are detached, or the Gateway is taken away and comes back.
 */
export class GatewayKeeper {
  readonly #options: GatewayKeeperOptions;
  readonly #started = new Set<string>();
  #isClosed = false;

  constructor(options: GatewayKeeperOptions) {
    this.#options = options;
  }

  /** To be called when workloads, attached or not, have changed. */
  look(): void {
    if (this.#isClosed) return;
    const workloads = this.#options.workloads();
    const gateways = workloads.filter(({ runtime }) => runtime === 'gateway');
    const ids = new Set(gateways.map(({ id }) => id));
    for (const id of this.#started) if (!ids.has(id)) this.#started.delete(id);
    const isNeeded = workloads.some(({ runtime, mesh }) => runtime !== 'gateway' && mesh === 'attached');
    if (!isNeeded) {
      this.#started.clear();
      return;
    }
    for (const { id, name, mesh } of gateways) {
      if (this.#started.has(id)) continue;
      this.#started.add(id);
      if (mesh === 'detached') void this.#start(id, name);
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  async #start(id: string, name: string): Promise<void> {
    try {
      await this.#options.attach(id);
    } catch (error) {
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
}
