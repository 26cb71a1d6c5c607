/** A body up to this size can be sent a second time. */
const maxReplayBytes = 64 * 1024;

/**
 * The part of a request's body that was read so far: everything until it was sent once, after that only as long as the
 * whole of it is small enough to be repeated.
 */
export class ReplayBuffer {
  chunks: Buffer[] = [];
  bytes = 0;
  /** False once a part of the body is gone. */
  replayable = true;
  #sent = false;

  get full(): boolean {
    return this.bytes >= maxReplayBytes;
  }

  push(chunk: Buffer): void {
    if (!this.replayable) return;
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    this.#forgetWhenLarge();
  }

  /** Everything held so far is on its way. */
  sent(): void {
    this.#sent = true;
    this.#forgetWhenLarge();
  }

  #forgetWhenLarge(): void {
    if (!this.#sent || this.bytes <= maxReplayBytes) return;
    this.replayable = false;
    this.chunks = [];
    this.bytes = 0;
  }
}
