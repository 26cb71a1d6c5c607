import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { allowance, holdBytes } from './held-bytes.ts';
import { beginDispatch, endDispatch, giveBack } from './output.ts';
import { goesOn, shutDown, type WriteTarget, write } from './raw-write.ts';
import { directBytes, giveReadBuffer, isDirect, pinDirect } from './read-buffers.ts';
import { SendQueue } from './send-queue.ts';
import { SlabSender } from './slab-sender.ts';
import { handleOf, type StreamHandle, toError } from './stream-handle.ts';
import { maxReserveBytes, type WireOwner } from './wire.ts';

/**
 * The sending half of a raw wire: one write under way at a time, what comes in the meantime waits behind it, our FIN after
 * everything.
 */
export abstract class RawSender extends SlabSender implements WriteTarget {
  writable = true;
  protected readonly socket: Socket;
  protected readonly handle: StreamHandle;
  protected error: Error | null = null;
  protected inFlight = false;
  /** Our FIN was asked for, or cannot be sent any more; it has left, likewise. */
  protected finAsked = false;
  protected finDone = false;
  readonly #queue = new SendQueue();
  #inFlightBytes = 0;
  /** The write under way is from the buffer of a read. */
  #lentInFlight = false;
  #owesDrain = false;

  constructor(socket: Socket, owner: WireOwner) {
    super(owner, socket instanceof TLSSocket);
    const handle = handleOf(socket);
    if (handle === null) throw new Error('a raw wire needs an open socket');
    this.socket = socket;
    this.handle = handle;
  }

  /** The peer takes nothing more; what it has sent before may still be on its way to us. */
  protected abstract writeFailed(): void;
  /** Our FIN has left. */
  abstract wasShutDown(): void;

  get queuedBytes(): number {
    return this.#inFlightBytes + this.#queue.bytes + this.pendingBytes;
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    if (!this.writable) return true;
    const size = end - start;
    if (size >= directBytes && this.#sendDirect(bytes, start, end)) return this.mayGoOn();
    if (this.inFlight) return this.#sendLater(bytes, start, end);
    return size > maxReserveBytes ? this.#sendLarge(bytes, start, end) : this.sendCopy(bytes, start, end);
  }

  end(): void {
    if (!this.writable) return;
    this.flush();
    this.writable = false;
    if (!this.inFlight && !this.socket.destroyed) this.#shutdown();
  }

  // --- below ----------------------------------------------------------------------------------------------------------

  override takeOutput(slab: Buffer, start: number, end: number): boolean {
    if (this.inFlight) {
      this.#queue.push(slab, start, end);
      return false;
    }
    return this.#write(slab, start, end) && !this.isTls;
  }

  /** True when the write goes on; `written` follows. TLS has taken a copy of the bytes by then, TCP has not. */
  #write(bytes: Buffer, start: number, end: number): boolean {
    const outcome = write(this.handle, bytes, start, end, this);
    if (outcome === goesOn) {
      this.inFlight = true;
      this.#inFlightBytes = end - start;
      holdBytes(end - start);
      return true;
    }
    if (outcome !== 0) this.#failWrite(outcome);
    return false;
  }

  /** Without a copy, where nobody needs the bytes as long as the write goes on. False: it was not sent. */
  #sendDirect(bytes: Buffer, start: number, end: number): boolean {
    const isLent = isDirect(bytes);
    if (!(this.isTls ? !this.inFlight : isLent) || this.pendingBytes > 0) return false;
    if (this.inFlight) {
      this.#queue.adopt(bytes, start, end, true);
      pinDirect();
    } else if (this.#write(bytes, start, end) && isLent && !this.isTls) {
      this.#lentInFlight = true;
      pinDirect();
    }
    return true;
  }

  #sendLater(bytes: Buffer, start: number, end: number): boolean {
    this.flush();
    this.#queue.push(bytes, start, end);
    return this.mayGoOn();
  }

  #sendLarge(bytes: Buffer, start: number, end: number): boolean {
    this.flush();
    // In one piece of its own: too much for the slab.
    const copy = Buffer.from(bytes.subarray(start, end));
    if (this.inFlight) this.#queue.adopt(copy, 0, copy.length, false);
    else this.#write(copy, 0, copy.length);
    return this.mayGoOn();
  }

  protected override mayGoOn(): boolean {
    if (!this.inFlight || this.queuedBytes <= allowance(this.sendLimitBytes)) return true;
    this.#owesDrain = true;
    return false;
  }

  /** Called by the handle when a write that was not done at once is done. */
  written(bytes: Buffer, status: number): void {
    if (this.#lentInFlight) giveReadBuffer(bytes);
    else if (!this.isTls) giveBack(bytes);
    this.#lentInFlight = false;
    this.inFlight = false;
    this.#landed();
    if (this.closed || this.socket.destroyed) return;
    if (status < 0) {
      this.#failWrite(status);
      return;
    }
    for (let next = this.#queue.shift(); next !== null; next = this.#queue.shift()) {
      const { bytes, start, end, isLent } = next;
      const continues = this.#write(bytes, start, end);
      this.#lentInFlight = continues && isLent;
      if (isLent && !continues) giveReadBuffer(bytes);
      if (continues) return;
    }
    if (!this.writable) this.#shutdown();
    else if (this.#owesDrain) this.#tellDrain();
  }

  #tellDrain(): void {
    this.#owesDrain = false;
    beginDispatch();
    try {
      this.owner.onDrain();
    } finally {
      endDispatch();
    }
  }

  #failWrite(errno: number): void {
    this.error ??= toError(errno, 'write');
    this.writable = false;
    this.#forgetQueue();
    this.finAsked = true;
    this.finDone = true;
    this.writeFailed();
  }

  #shutdown(): void {
    if (this.finAsked) return;
    this.finAsked = true;
    shutDown(this.handle, this);
  }

  #forgetQueue(): void {
    for (let next = this.#queue.shift(); next !== null; next = this.#queue.shift()) {
      if (next.isLent) giveReadBuffer(next.bytes);
    }
  }

  /** Nothing leaves any more. */
  protected lose(): void {
    this.writable = false;
    this.finAsked = true;
    this.finDone = true;
    this.#landed();
    this.#forgetQueue();
    this.drop();
  }

  /** Nothing is under way any more. */
  #landed(): void {
    holdBytes(-this.#inFlightBytes);
    this.#inFlightBytes = 0;
  }
}
