import { highWaterBytes, type Wire, type WireOwner } from '../../core/data-plane/wire/wire.ts';

/** Cuts `size` bytes that are ready into what arrives with the next read. */
export type Chunking = (size: number) => number;

const noOwner: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

/** One end of a connection that exists in memory only and moves when the test says so. */
export class MemoryWire implements Wire {
  owner: WireOwner = noOwner;
  readonly isTls = false;
  closed = false;
  sendLimitBytes = highWaterBytes;
  output = Buffer.alloc(0);
  /** The other end does not read: what is sent stays queued. */
  held = false;
  #queue = Buffer.alloc(0);
  #ending = false;
  #endTold = false;
  #refused = false;
  /** Everything that was sent from here. */
  sent: Buffer[] = [];
  /** Calls of `send`, to count writes. */
  writes = 0;

  get queuedBytes(): number {
    return this.#queue.length;
  }

  get writable(): boolean {
    return !this.#ending && !this.closed;
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    if (!this.writable) return false;
    this.writes += 1;
    const copy = Buffer.from(bytes.subarray(start, end));
    this.sent.push(copy);
    this.#queue = Buffer.concat([this.#queue, copy]);
    this.#refused = this.#queue.length > this.sendLimitBytes;
    return !this.#refused;
  }

  reserve(size: number): number {
    this.output = Buffer.alloc(size);
    return 0;
  }

  commit(end: number): boolean {
    return this.send(this.output, 0, end);
  }

  flush(): void {
    // Everything is queued until the link moves it.
  }

  pause(): void {
    this.held = true;
  }

  resume(): void {
    this.held = false;
  }

  end(): void {
    this.#ending = true;
  }

  reset(): void {
    this.destroy();
  }

  destroy(): void {
    this.closed = true;
  }

  /** Moves what one read would take; false when there was nothing. */
  moveTo(peer: MemoryWire, chunking: Chunking): boolean {
    if (this.held || peer.closed || (this.closed && this.#queue.length === 0)) return false;
    if (this.#queue.length > 0) {
      const size = Math.max(1, Math.min(this.#queue.length, chunking(this.#queue.length)));
      const chunk = this.#queue.subarray(0, size);
      this.#queue = this.#queue.subarray(size);
      peer.owner.onBytes(chunk, 0, chunk.length);
      if (this.#refused && this.#queue.length === 0) {
        this.#refused = false;
        this.owner.onDrain();
      }
      return true;
    }
    if (!this.#ending || this.#endTold) return false;
    this.#endTold = true;
    peer.owner.onEnd();
    return true;
  }

  get finished(): boolean {
    return this.#endTold;
  }
}

/** Two ends. Nothing moves but in `settle`. */
export class MemoryLink {
  readonly client = new MemoryWire();
  readonly server = new MemoryWire();
  chunking: Chunking = (size) => size;
  #told = new Set<MemoryWire>();

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
