/** How long a connection of many requests has carried none. Asked about once a second, so that it costs nothing per request. */
export class IdleTime {
  readonly #mostMs: number;
  #sinceMs: number;
  #last = 0;

  constructor(mostMs: number, nowMs: number) {
    this.#mostMs = mostMs;
    this.#sinceMs = nowMs;
  }

  /** `last`: number of the last request. True: long enough; asked again later, as often as it takes. */
  isOver(nowMs: number, isBusy: boolean, last: number): boolean {
    if (isBusy || last !== this.#last) {
      this.#last = last;
      this.#sinceMs = nowMs;
      return false;
    }
    return nowMs - this.#sinceMs >= this.#mostMs;
  }
}
