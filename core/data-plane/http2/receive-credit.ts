import { connectionWindow, maxHeldBytes } from './protocol.ts';

/**
 * The connection's receive window. It is given back as content arrives, not as it is consumed, so that one slow consumer does
 * not stop the others; only while too much waits for consumers is it kept shut.
 */
export class ReceiveCredit {
  /** What the peer may still send. */
  window = connectionWindow;
  #uncredited = 0;
  #held = 0;

  /** False: the peer sends more than it may. */
  receive(octets: number): boolean {
    this.window -= octets;
    this.#uncredited += octets;
    return this.window >= 0;
  }

  hold(octets: number): void {
    this.#held += octets;
  }

  /** Octets to give back now, 0 for none. */
  take(): number {
    if (this.#uncredited < connectionWindow / 2 || this.#held > maxHeldBytes) return 0;
    const octets = this.#uncredited;
    this.#uncredited = 0;
    this.window += octets;
    return octets;
  }
}
