import type { Clock } from '../../shared/clock.ts';

/**
 * The control plane's wall clock as seen from here: times in a configuration are its times, and the engine's machine may
 * be off by minutes. Follows the monotonic clock in between, so that a jump of the local clock does nothing.
 */
export class MeshClock implements Clock {
  readonly #local: Clock;
  #offsetMs: number;

  constructor(local: Clock) {
    this.#local = local;
    this.#offsetMs = local.nowMs() - local.monotonicMs();
  }

  /** `nowMs`: what the control plane's clock says now. */
  adjust(nowMs: number): void {
    this.#offsetMs = nowMs - this.#local.monotonicMs();
  }

  nowMs(): number {
    return this.#local.monotonicMs() + this.#offsetMs;
  }

  monotonicMs(): number {
    return this.#local.monotonicMs();
  }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
