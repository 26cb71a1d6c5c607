import type { SidecarConfig } from '../../model/sidecar-config.ts';

/**
 * At most one push is on its way to a sidecar and at most one waits; a newer one takes the waiting one's place. So a
 * burst of changes costs a slow sidecar two pushes, not a hundred.
 */
export class PushQueue {
  readonly #send: (config: SidecarConfig) => void;
  readonly #canSend: () => boolean;
  #inFlight: SidecarConfig | null = null;
  #waiting: SidecarConfig | null = null;

  /** @param canSend false while the stream's buffer is full; call `flush` once it has drained */
  constructor(send: (config: SidecarConfig) => void, canSend: () => boolean) {
    this.#send = send;
    this.#canSend = canSend;
  }

  /** Revision that has been sent and not answered yet. */
  get inFlight(): number | null {
    return this.#inFlight?.revision ?? null;
  }

  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  push(config: SidecarConfig): void {
    this.#waiting = config;
    this.flush();
  }

  /** The sidecar answered (ACK or NACK) for this revision. An answer for an older one is ignored. */
  answered(revision: number | null): void {
    if (this.#inFlight !== null && revision !== null && revision < this.#inFlight.revision) return;
    this.#inFlight = null;
    this.flush();
  }

  flush(): void {
    const next = this.#waiting;
    if (next === null || this.#inFlight !== null || !this.#canSend()) return;
    this.#waiting = null;
    this.#inFlight = next;
    this.#send(next);
  }
}
