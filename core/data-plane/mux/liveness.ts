import type { MuxLimits } from './limits.ts';

/** Finds a peer that vanished without a word. Reads no clock: whoever has a session tells the time about once a second. */
export class Liveness {
  readonly #limits: MuxLimits;
  #heard = true;
  #quietSinceMs: number;
  #pingedAtMs: number | null = null;

  constructor(limits: MuxLimits, nowMs: number) {
    this.#limits = limits;
    this.#quietSinceMs = nowMs;
  }

  /** Something arrived. */
  hear(): void {
    this.#heard = true;
  }

  /** What to do now: nothing, ask the peer for a sign of life, or give it up (the reason). */
  check(nowMs: number, greeted: boolean): 'well' | 'ping' | { readonly lost: string } {
    const { pingAfterMs, pongWithinMs, settingsWithinMs } = this.#limits;
    if (this.#heard) {
      this.#heard = false;
      this.#quietSinceMs = nowMs;
      this.#pingedAtMs = null;
    }
    const quietMs = nowMs - this.#quietSinceMs;
    if (!greeted && quietMs >= settingsWithinMs) return { lost: `no SETTINGS within ${settingsWithinMs} ms` };
    if (this.#pingedAtMs === null) {
      if (quietMs < pingAfterMs) return 'well';
      this.#pingedAtMs = nowMs;
      return 'ping';
    }
    return nowMs - this.#pingedAtMs < pongWithinMs ? 'well' : { lost: `no answer to PING within ${pongWithinMs} ms` };
  }
}
