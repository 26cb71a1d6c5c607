/**
 * Timeouts of requests: many, short-lived, and nearly all taken back before they fire. Setting one links it into a slot; one
 * timer of Node's turns the wheel, and only while something is on it. Fires at the earliest after the time asked for and at
 * most two ticks later.
 */
export interface WheelEntry {
  /** Links of the slot; the wheel's own business. */
  next: WheelEntry | null;
  previous: WheelEntry | null;
  dueAtMs: number;
  onTimeout(): void;
}

const tickMs = 5;
const slotCount = 1_024;

export class TimerWheel {
  readonly #slots: (WheelEntry | null)[] = new Array(slotCount).fill(null);
  readonly #monotonicMs: () => number;
  #timer: NodeJS.Timeout | null = null;
  #turnedToTick = 0;
  #size = 0;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** `entry` must not be on the wheel. */
  add(entry: WheelEntry, delayMs: number): void {
    const nowMs = this.#monotonicMs();
    if (this.#timer === null) {
      this.#turnedToTick = Math.floor(nowMs / tickMs);
      this.#timer = setInterval(() => this.#turn(), tickMs).unref();
    }
    entry.dueAtMs = nowMs + delayMs;
    const slot = slotOf(entry);
    const head = this.#slots[slot] ?? null;
    entry.previous = null;
    entry.next = head;
    if (head !== null) head.previous = entry;
    this.#slots[slot] = entry;
    this.#size += 1;
  }

  /** Takes `entry` off again; nothing happens when it has fired. */
  remove(entry: WheelEntry): void {
    if (entry.dueAtMs < 0) return;
    if (entry.previous !== null) entry.previous.next = entry.next;
    else this.#slots[slotOf(entry)] = entry.next;
    if (entry.next !== null) entry.next.previous = entry.previous;
    entry.next = null;
    entry.previous = null;
    entry.dueAtMs = notSet;
    this.#size -= 1;
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #turn(): void {
    const nowMs = this.#monotonicMs();
    const tick = Math.floor(nowMs / tickMs);
    // After a long pause every slot has to be looked at, but only once.
    const from = Math.max(this.#turnedToTick, tick - slotCount + 1);
    this.#turnedToTick = tick;
    for (let at = from; at <= tick; at += 1) this.#fire(at % slotCount, nowMs);
    if (this.#size === 0) this.close();
  }

  #fire(slot: number, nowMs: number): void {
    let entry = this.#slots[slot] ?? null;
    while (entry !== null) {
      const { next } = entry;
      if (entry.dueAtMs <= nowMs) {
        this.remove(entry);
        entry.onTimeout();
        // Whoever was called may have changed the slot.
        entry = this.#slots[slot] ?? null;
      } else {
        entry = next;
      }
    }
  }
}

/** `dueAtMs` of an entry that is on no wheel. */
export const notSet = -1;

function slotOf({ dueAtMs }: WheelEntry): number {
  return Math.floor(dueAtMs / tickMs) % slotCount;
}
