/**
 * What a peer may do that costs us more than it costs the peer: one bucket of tokens. Useful frames (content, requests)
 * earn tokens, idle ones spend them, and time refills the bucket, so that no rate of honest traffic empties it while a peer
 * that only pings, resets or sends empty frames runs dry (CVE-2019-9511 and following, CVE-2023-44487).
 */
const capacity = 2_000;
const refillPerSecond = 400;

/** Tokens a frame costs. A request that is cancelled at once has cost us a head, routing and an upstream. */
export const floodCost = {
  ping: 1,
  settings: 10,
  emptyFrame: 2,
  priority: 1,
  windowUpdate: 0.2,
  reset: 2,
  /** Of a stream that has had its answer, or by a server, which can reset no more than was asked of it. */
  lateReset: 0.5,
  refused: 2,
  unknown: 1,
};
export const floodGain = { request: 0.5, content: 0.5, answer: 1 };

export class FloodGuard {
  readonly #nowMs: () => number;
  #tokens = capacity;
  #filledAtMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#filledAtMs = nowMs();
  }

  earn(tokens: number): void {
    if (this.#tokens < capacity) this.#tokens += tokens;
  }

  /** False: the bucket is empty, the connection should end with ENHANCE_YOUR_CALM. */
  spend(tokens: number): boolean {
    this.#tokens -= tokens;
    if (this.#tokens >= 0) return true;
    const nowMs = this.#nowMs();
    const refill = ((nowMs - this.#filledAtMs) / 1_000) * refillPerSecond;
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(capacity, this.#tokens + refill);
    return this.#tokens >= 0;
  }
}
