import { beginDispatch, endDispatch } from '../wire/output.ts';
import { maxReserveBytes, type Wire, type WireOwner } from '../wire/wire.ts';
import type { Ending, ToxicTimers } from './toxic-link.ts';
import { type PlannedToxic, ToxicPipe } from './toxic-pipe.ts';
import { realTimers } from './toxic-timers.ts';

/** Where messages are composed that go through toxics; in use between `reserve` and `commit` only. */
const scratch = Buffer.allocUnsafeSlow(maxReserveBytes);

/**
 * A wire to a server, with toxics between it and its owner: for connections whose protocol is ours to speak (HTTP). What
 * the owner sends goes upstream, what arrives comes downstream.
 */
export class ToxicWire implements Wire, WireOwner {
  owner: WireOwner;
  readonly output = scratch;
  readonly #wire: Wire;
  readonly #upstream: ToxicPipe;
  readonly #downstream: ToxicPipe;
  #ended = false;
  #owesDrain = false;
  #isPaused = false;
  #error: Error | null = null;
  #isClosed = false;

  /** `open`: makes the wire below, whose owner this is. */
  constructor(open: (owner: WireOwner) => Wire, owner: WireOwner, timers: ToxicTimers = realTimers) {
    this.owner = owner;
    this.#wire = open(this);
    this.#upstream = new ToxicPipe(timers, {
      send: (bytes) => {
        const goOn = this.#wire.send(bytes, 0, bytes.length);
        this.#wire.flush();
        return goOn;
      },
      finish: (ending) => this.#endUpstream(ending),
      onRoom: () => this.#tellDrain(),
    });
    this.#downstream = new ToxicPipe(timers, {
      send: (bytes) => {
        this.#tell(() => this.owner.onBytes(bytes, 0, bytes.length));
        return !this.#isPaused;
      },
      finish: (ending) => this.#endDownstream(ending),
      onRoom: () => this.#wire.resume(),
    });
  }

  setToxics(upstream: readonly PlannedToxic[], downstream: readonly PlannedToxic[]): void {
    this.#upstream.setToxics(upstream);
    this.#downstream.setToxics(downstream);
  }

  get isTls(): boolean {
    return this.#wire.isTls;
  }

  get sendLimitBytes(): number {
    return this.#wire.sendLimitBytes;
  }

  set sendLimitBytes(bytes: number) {
    this.#wire.sendLimitBytes = bytes;
  }

  get queuedBytes(): number {
    return this.#wire.queuedBytes + this.#upstream.bufferedBytes;
  }

  get writable(): boolean {
    return !this.#ended && this.#wire.writable;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    if (!this.writable) return true;
    if (this.#upstream.push(bytes, start, end)) return true;
    this.#owesDrain = true;
    return false;
  }

  reserve(size: number): number {
    if (size > maxReserveBytes) throw new RangeError(`at most ${maxReserveBytes} bytes can be reserved, not ${size}`);
    return 0;
  }

  commit(end: number): boolean {
    return this.send(scratch, 0, end);
  }

  flush(): void {
    this.#wire.flush();
  }

  pause(): void {
    this.#isPaused = true;
    this.#downstream.hold();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // No callback inside a call to the wire.
    setImmediate(() => {
      if (!this.#isPaused) this.#downstream.resume();
    });
  }

  end(): void {
    if (!this.writable) return;
    this.#ended = true;
    this.#upstream.finish('end');
  }

  reset(): void {
    this.#forget();
    this.#wire.reset();
  }

  destroy(): void {
    this.#forget();
    this.#wire.destroy();
  }

  // --- of the wire below -------------------------------------------------------------------------------------------

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (!this.#downstream.push(bytes, start, end)) this.#wire.pause();
  }

  onEnd(): void {
    this.#downstream.finish('end');
  }

  onDrain(): void {
    this.#upstream.resume();
    this.#tellDrain();
  }

  onClose(error: Error | null): void {
    this.#error ??= error;
    this.#upstream.discard();
    if (this.#downstream.isFinished) this.#tellClose();
    // What has arrived before is the owner's, in its own time.
    else this.#downstream.finish('broken');
  }

  // --- ends --------------------------------------------------------------------------------------------------------

  #endUpstream(ending: Ending): void {
    if (ending === 'end') this.#wire.end();
    else this.#breakOff(ending === 'reset');
  }

  #endDownstream(ending: Ending): void {
    if (ending === 'end') this.#tell(() => this.owner.onEnd());
    else if (ending === 'broken') this.#tellClose();
    else this.#breakOff(ending === 'reset');
  }

  /** A toxic ends the connection; the owner hears of it when the wire below is closed. */
  #breakOff(resets: boolean): void {
    this.#forget();
    if (!resets) {
      this.#wire.end();
      this.#wire.destroy();
      return;
    }
    this.#error = Object.assign(new Error('reset by a fault'), { code: 'ECONNRESET' });
    this.#wire.reset();
  }

  #forget(): void {
    this.#ended = true;
    this.#upstream.discard();
    this.#downstream.discard();
  }

  #tellDrain(): void {
    if (!this.#owesDrain || !this.writable || !this.#upstream.hasRoom) return;
    this.#owesDrain = false;
    this.#tell(() => this.owner.onDrain());
  }

  #tellClose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#forget();
    this.#tell(() => this.owner.onClose(this.#error));
  }

  #tell(callback: () => void): void {
    beginDispatch();
    try {
      callback();
    } finally {
      endDispatch();
    }
  }
}
