import { allowance, holdBytes } from '../wire/held-bytes.ts';

/** Bytes are handed out so often. Source: Envoy's stream rate limiter, 50 ms. */
const stepMs = 50;
/** Whoever hands in bytes is to wait while so many are held, until half of them are gone. */
const maxHeldBytes = 64 * 1024;

export interface PacedBodyOptions {
  readonly bytesPerSecond: number;
  readonly monotonicMs: () => number;
  /** False: as fast as it goes from now on. */
  readonly holds: () => boolean;
  /** False: wait for `resume`. */
  readonly send: (bytes: Buffer) => boolean;
  /** There is room again. */
  readonly drained: () => void;
  /** Everything has been sent, after `end`. */
  readonly done: () => void;
}

/** Bytes of a body, held back so that they leave at a rate. Times are looked at, not counted, so a late timer slows nothing down. */
export class PacedBody {
  readonly #options: PacedBodyOptions;
  #queue: Buffer[] = [];
  #held = 0;
  #allowance: number;
  #countedAtMs: number;
  #timer: NodeJS.Timeout | null = null;
  #ended = false;
  #waits = false;
  #isFull = false;

  constructor(options: PacedBodyOptions) {
    this.#options = options;
    this.#allowance = this.#mostAtOnce;
    this.#countedAtMs = options.monotonicMs();
  }

  /** Copies. False: wait for `drained`. */
  push(bytes: Buffer, start: number, end: number): boolean {
    if (end > start) {
      this.#queue.push(Buffer.from(bytes.subarray(start, end)));
      this.#count(end - start);
      this.#run();
    }
    this.#isFull = this.#held >= allowance(maxHeldBytes);
    return !this.#isFull;
  }

  /** Nothing follows; `done` may come at once. */
  end(): void {
    this.#ended = true;
    this.#run();
  }

  /** The client takes more. */
  resume(): void {
    this.#waits = false;
    this.#run();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#queue = [];
    this.#count(-this.#held);
  }

  #count(bytes: number): void {
    this.#held += bytes;
    holdBytes(bytes);
  }

  get #mostAtOnce(): number {
    return Math.max(1, (this.#options.bytesPerSecond * stepMs) / 1_000);
  }

  #run(): void {
    if (this.#timer !== null || this.#waits) return;
    this.#earn();
    while (this.#queue.length > 0 && this.#allowance >= 1 && !this.#waits) this.#sendSome();
    if (this.#isFull && this.#held <= allowance(maxHeldBytes) / 2) {
      this.#isFull = false;
      this.#options.drained();
    }
    if (this.#queue.length > 0 && !this.#waits) this.#sleep();
    else if (this.#queue.length === 0 && this.#ended) this.#finish();
  }

  #earn(): void {
    const { bytesPerSecond, monotonicMs, holds } = this.#options;
    const nowMs = monotonicMs();
    const earned = this.#allowance + ((nowMs - this.#countedAtMs) * bytesPerSecond) / 1_000;
    // What was not used is lost, but for one step: a pause of the server is not made up for.
    const most = this.#queue.length > 0 ? Math.max(this.#mostAtOnce, earned) : this.#mostAtOnce;
    this.#allowance = holds() ? Math.min(earned, most) : Number.POSITIVE_INFINITY;
    this.#countedAtMs = nowMs;
  }

  #sendSome(): void {
    const [first] = this.#queue;
    if (first === undefined) return;
    const size = Math.min(first.length, Math.floor(this.#allowance));
    if (size === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(size);
    this.#count(-size);
    this.#allowance -= size;
    this.#waits = !this.#options.send(first.subarray(0, size));
  }

  #sleep(): void {
    const { bytesPerSecond } = this.#options;
    const untilOneByteMs = ((1 - this.#allowance) * 1_000) / bytesPerSecond;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#run();
      },
      Math.max(stepMs, Math.min(untilOneByteMs, 1_000)),
    );
  }

  #finish(): void {
    this.#ended = false;
    this.#options.done();
  }
}
