import { defaultLeaseMs } from '../../model/control-stream.ts';
import type { Clock } from '../../shared/clock.ts';

/**
 * Faults live on a lease: without a heartbeat of the control plane for `leaseMs` they are off, so that a control plane
 * that was killed leaves no damage behind. One that comes back after that must push them again; it may no longer want them.
 */
export class FaultLease {
  readonly #clock: Clock;
  #leaseMs = defaultLeaseMs;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #isArmed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True while faults may be applied. */
  get isValid(): boolean {
    return this.#isArmed && this.#isFresh;
  }

  /** A control plane has connected. */
  begin(leaseMs: number): void {
    if (!this.#isFresh) this.#isArmed = false;
    this.#leaseMs = leaseMs;
    this.renew();
  }

  renew(): void {
    this.#renewedAtMs = this.#clock.monotonicMs();
  }

  /** A configuration has been pushed: its faults are wanted. */
  arm(): void {
    this.#isArmed = true;
  }

  get #isFresh(): boolean {
    return this.#clock.monotonicMs() - this.#renewedAtMs < this.#leaseMs;
  }
}
