const never = Number.POSITIVE_INFINITY;

/** A peer must acknowledge SETTINGS, finish a header block and answer a PING within this time. */
export const answerTimeoutMs = 10_000;
/** After a last frame, how long the peer may take to read it. */
export const lingerMs = 1_000;

/** What a session waits for, in monotonic time; looked at about once a second instead of by timers of their own. */
export class Deadlines {
  #settingsAck = never;
  #pong = never;
  #close = never;

  get awaitsPong(): boolean {
    return this.#pong !== never;
  }

  awaitSettingsAck(nowMs: number): void {
    this.#settingsAck = nowMs + answerTimeoutMs;
  }

  settingsAcked(): void {
    this.#settingsAck = never;
  }

  awaitPong(nowMs: number, withinMs = answerTimeoutMs): void {
    this.#pong = Math.min(this.#pong, nowMs + withinMs);
  }

  ponged(): void {
    this.#pong = never;
  }

  closeSoon(nowMs: number): void {
    this.#close = nowMs + lingerMs;
  }

  settingsOverdue(nowMs: number): boolean {
    return nowMs >= this.#settingsAck;
  }

  pongOverdue(nowMs: number): boolean {
    return nowMs >= this.#pong;
  }

  closeOverdue(nowMs: number): boolean {
    return nowMs >= this.#close;
  }
}
