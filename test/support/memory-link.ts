import { MemoryWire } from './memory-wire.ts';

/** Cuts `size` bytes that are ready into what arrives with the next read. */
export type Chunking = (size: number) => number;

/** One end of a connection that exists in memory only and moves when the test says so. While it is paused, nothing leaves it. */
class LinkedWire extends MemoryWire {
  override stuck = true;
  finished = false;
  #moving = Buffer.alloc(0);

  override get queuedBytes(): number {
    return this.#moving.length + super.queuedBytes;
  }

  /** The link tells both ends. */
  override destroy(): void {
    this.closed = true;
  }

  /** Moves what one read would take; false when there was nothing. */
  moveTo(peer: LinkedWire, chunking: Chunking): boolean {
    this.#moving = Buffer.concat([this.#moving, this.paused ? Buffer.alloc(0) : this.take()]);
    const ready = this.#moving.length;
    if (this.paused || peer.closed || (this.closed && ready === 0)) return false;
    if (ready > 0) {
      const size = Math.max(1, Math.min(ready, chunking(ready)));
      const chunk = this.#moving.subarray(0, size);
      this.#moving = this.#moving.subarray(size);
      peer.receive(chunk);
      if (this.queuedBytes === 0) this.drained();
      return true;
    }
    if (!this.ended || this.finished) return false;
    this.finished = true;
    peer.owner.onEnd();
    return true;
  }
}

/** Two ends. Nothing moves but in `settle`. */
export class MemoryLink {
  readonly client = new LinkedWire();
  readonly server = new LinkedWire();
  chunking: Chunking = (size) => size;
  #told = new Set<LinkedWire>();

  /** Moves bytes both ways, and lets timers of zero length run, until nothing moves any more. */
  async settle(): Promise<void> {
    let quiet = 0;
    while (quiet < 3) {
      const moved = [this.client.moveTo(this.server, this.chunking), this.server.moveTo(this.client, this.chunking)];
      this.#close();
      quiet = moved.includes(true) ? 0 : quiet + 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The connection breaks. */
  break(): void {
    this.client.closed = true;
    this.server.closed = true;
    this.#close(new Error('read ECONNRESET'));
  }

  #close(error: Error | null = null): void {
    const both = this.client.finished && this.server.finished;
    for (const wire of [this.client, this.server]) {
      if (this.#told.has(wire) || !(wire.closed || both)) continue;
      wire.closed = true;
      this.#told.add(wire);
      wire.owner.onClose(error);
      const peer = wire === this.client ? this.server : this.client;
      if (!both && !this.#told.has(peer)) {
        peer.closed = true;
        this.#told.add(peer);
        peer.owner.onClose(error ?? new Error('read ECONNRESET'));
      }
    }
  }
}
