import { holdBytes } from '../wire/held-bytes.ts';
import { maxReplayBytes } from './limits.ts';

/**
 * The part of a request's body that was read so far: everything until it was sent once, after that only as long as the
 * whole of it is small enough to be repeated, and somebody may want to.
 */
export class ReplayBuffer {
  chunks: Buffer[] = [];
  bytes = 0;
  /** False once a part of the body is gone. */
  replayable = true;
  #sent = false;
  #wanted = true;

  /** A new body. `wanted`: it may be sent again after it was sent. */
  begin(wanted: boolean): void {
    if (this.bytes > 0) this.clear();
    this.replayable = true;
    this.#sent = false;
    this.#wanted = wanted;
  }

  /** As much as is kept at most. */
  get full(): boolean {
    return this.bytes >= maxReplayBytes;
  }

  /** Copies `bytes[start, end)`, as long as somebody may need it. */
  push(bytes: Buffer, start: number, end: number): void {
    if (end === start || !this.replayable) return;
    if (this.#sent && (!this.#wanted || this.bytes + end - start > maxReplayBytes)) {
      this.#forget();
      return;
    }
    this.chunks.push(Buffer.from(bytes.subarray(start, end)));
    holdBytes(end - start);
    this.bytes += end - start;
  }

  /** Everything held so far is on its way. */
  sent(): void {
    this.#sent = true;
    if (this.bytes > 0 && (!this.#wanted || this.bytes > maxReplayBytes)) this.#forget();
  }

  /** What follows cannot be kept. */
  giveUp(): void {
    this.#forget();
  }

  clear(): void {
    if (this.bytes === 0) return;
    holdBytes(-this.bytes);
    this.chunks = [];
    this.bytes = 0;
  }

  #forget(): void {
    this.replayable = false;
    this.clear();
  }
}
