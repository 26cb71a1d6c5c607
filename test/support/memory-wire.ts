import { highWaterBytes, maxReserveBytes, type Wire, type WireOwner } from '../../core/data-plane/wire/wire.ts';

const noOwner: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

/** A wire without a connection below: what is sent is kept for the test to take, what arrives is what the test gives. */
export class MemoryWire implements Wire {
  owner: WireOwner = noOwner;
  readonly isTls = false;
  readonly output = Buffer.alloc(maxReserveBytes);
  closed = false;
  sendLimitBytes = highWaterBytes;
  ended = false;
  wasReset = false;
  paused = false;
  /** Let `send` report a queue that does not empty by itself. */
  stuck = false;
  /** Everything that was sent from here, and in how many pieces. */
  readonly sent: Buffer[] = [];
  /** Index into `sent` of what nobody has taken yet. */
  #taken = 0;
  #owesDrain = false;

  get writes(): number {
    return this.sent.length;
  }

  get writable(): boolean {
    return !this.ended && !this.closed;
  }

  get queuedBytes(): number {
    return this.stuck ? this.sent.slice(this.#taken).reduce((sum, part) => sum + part.length, 0) : 0;
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    if (this.writable) this.sent.push(Buffer.from(bytes.subarray(start, end)));
    const mayGoOn = this.queuedBytes < this.sendLimitBytes;
    this.#owesDrain ||= !mayGoOn;
    return mayGoOn;
  }

  reserve(size: number): number {
    if (size > maxReserveBytes) throw new Error(`reserved ${size} bytes`);
    return 0;
  }

  commit(end: number): boolean {
    return this.send(this.output, 0, end);
  }

  flush(): void {
    // Nothing is kept back.
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.ended = true;
  }

  reset(): void {
    this.wasReset = true;
    this.destroy();
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    queueMicrotask(() => this.owner.onClose(null));
  }

  /** Everything sent since the last call. */
  take(): Buffer {
    const parts = this.sent.slice(this.#taken);
    this.#taken = this.sent.length;
    return Buffer.concat(parts);
  }

  receive(bytes: Buffer): void {
    if (!this.closed) this.owner.onBytes(bytes, 0, bytes.length);
  }

  /** What was queued has left. */
  drain(): void {
    this.stuck = false;
    this.drained();
  }

  protected drained(): void {
    if (!this.#owesDrain) return;
    this.#owesDrain = false;
    this.owner.onDrain();
  }
}

/** Carries bytes between two wires, in pieces of `size` octets, until both are silent. */
export async function exchange(a: MemoryWire, b: MemoryWire, size = Number.POSITIVE_INFINITY): Promise<void> {
  for (let silent = 0; silent < 3; ) {
    const fromA = a.take();
    const fromB = b.take();
    silent = fromA.length + fromB.length === 0 ? silent + 1 : 0;
    deliver(fromA, b, size);
    deliver(fromB, a, size);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function deliver(bytes: Buffer, to: MemoryWire, size: number): void {
  for (let at = 0; at < bytes.length; at += size) to.receive(Buffer.from(bytes.subarray(at, at + size)));
}
