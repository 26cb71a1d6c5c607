import { afterDispatch, type DispatchTask } from '../wire/output.ts';
import type { Wire } from '../wire/wire.ts';
import { flag, frameType, headerBytes, writeHeader, writeUint32 } from './frame.ts';

/** A DATA frame carries this much at most, so that a large body never holds a small message up for long. */
export const quantumBytes = 16 * 1024 - headerBytes;
/** Bodies are put behind what the wire has not sent yet only up to here; heads always are. */
export const batchBytes = 64 * 1024;
/** What may wait in the wire: nothing that comes later can pass it. */
const wireLimitBytes = 32 * 1024;
/** After so many batches without a second open stream, frames leave at the end of the dispatch. */
const batchesInCompany = 16;
/** The output buffer of an idle session is given back above this size. */
const keptBytes = 32 * 1024;
const firstBytes = 16 * 1024;

/** A stream with bytes to send, waiting for its turn. */
interface SendingStream {
  hasTurn: boolean;
  readonly canSend: boolean;
  sendQuantum(most: number): void;
}

/**
 * What waits to be sent on a session. Frames made in one turn of the event loop leave in one write (one TLS record where
 * they fit), unless one stream at a time is open, which has nobody to wait for. First control frames, heads and small
 * bodies in the order in which they were made; then large bodies, a quantum of each stream in turn, as many as fit a batch.
 */
export class Outbox implements DispatchTask {
  readonly #wire: Wire;
  #out = Buffer.allocUnsafeSlow(firstBytes);
  #end = 0;
  /** Streams with body bytes that wait, in the order of their turns; `#first` is an index into it. */
  #turns: SendingStream[] = [];
  #first = 0;
  #scheduled = false;
  /** The wire asked us to wait for `drained`. */
  #blocked = false;
  #closed = false;
  /** Body bytes that wait in streams. */
  waitingBytes = 0;
  /** Batches until a single stream is served without waiting for others. */
  #company = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
    wire.sendLimitBytes = wireLimitBytes;
  }

  /** Several streams are open: what the others send is worth waiting for. */
  noteCompany(): void {
    this.#company = batchesInCompany;
  }

  get queuedBytes(): number {
    return this.#end + this.waitingBytes;
  }

  /** Body bytes may go directly behind what is there, without a turn of their own. */
  get hasRoom(): boolean {
    return !this.#blocked && this.#end < batchBytes && this.#turns.length === this.#first;
  }

  /** Room for a frame of `size` bytes; returns the index to compose at. `commit` follows before anything else. */
  reserve(size: number): number {
    const needed = this.#end + size;
    if (needed > this.#out.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#out.length * 2));
      this.#out.copy(larger, 0, 0, this.#end);
      this.#out = larger;
    }
    return this.#end;
  }

  get output(): Buffer {
    return this.#out;
  }

  commit(end: number): void {
    this.#end = end;
    this.#wake();
  }

  frame(octet: number, stream: number, bytes: Buffer, start: number, end: number): void {
    const at = this.reserve(headerBytes + end - start);
    const payload = writeHeader(this.#out, at, octet, end - start, stream);
    bytes.copy(this.#out, payload, start, end);
    this.commit(payload + end - start);
  }

  /** A frame whose payload is numbers of 32 bits. */
  numbers(octet: number, stream: number, first: number, second?: number): void {
    const count = second === undefined ? 1 : 2;
    const at = this.reserve(headerBytes + count * 4);
    let end = writeUint32(this.#out, writeHeader(this.#out, at, octet, count * 4, stream), first);
    if (second !== undefined) end = writeUint32(this.#out, end, second);
    this.commit(end);
  }

  /** Gives `stream`, which has bytes and a window to send them, its place in the round. */
  enqueue(stream: SendingStream): void {
    if (stream.hasTurn) return;
    stream.hasTurn = true;
    this.#turns.push(stream);
    this.#wake();
  }

  /** The wire's queue has left. */
  drained(): void {
    this.#blocked = false;
    if (this.#end > 0 || this.#turns.length > this.#first) this.flush();
  }

  /** Sends what there is now. */
  flush(): void {
    if (this.#blocked || this.#closed) return;
    this.#takeTurns();
    if (this.#end === 0) return;
    const end = this.#end;
    this.#end = 0;
    if (this.#company > 0) this.#company -= 1;
    this.#blocked = !this.#wire.send(this.#out, 0, end);
    this.#wire.flush();
    if (!this.#blocked && this.#turns.length > this.#first) this.#wake();
  }

  /** Gives memory back while nothing is to be sent. */
  shrink(): void {
    if (this.#end === 0 && this.#out.length > keptBytes) this.#out = Buffer.allocUnsafeSlow(firstBytes);
  }

  close(): void {
    this.#closed = true;
    this.#turns = [];
    this.#first = 0;
    this.#end = 0;
    this.waitingBytes = 0;
  }

  #wake(): void {
    if (this.#scheduled || this.#blocked || this.#closed) return;
    this.#scheduled = true;
    if (this.#company > 0 || !afterDispatch(this)) setImmediate(this.#onTurn);
  }

  afterDispatch(): void {
    this.#scheduled = false;
    this.flush();
  }

  readonly #onTurn = () => this.afterDispatch();

  /** At least one quantum per batch, or a stream of small messages could hold bodies up for ever. */
  #takeTurns(): void {
    let stream = this.#turns[this.#first];
    while (stream !== undefined) {
      this.#first += 1;
      stream.hasTurn = false;
      stream.sendQuantum(quantumBytes);
      if (stream.canSend) {
        stream.hasTurn = true;
        this.#turns.push(stream);
      }
      if (this.#end >= batchBytes) break;
      stream = this.#turns[this.#first];
    }
    if (this.#first === this.#turns.length) {
      this.#turns.length = 0;
      this.#first = 0;
    } else if (this.#first > 1_024) {
      this.#turns.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

/** The octet of a DATA frame. */
export function dataOctet(fin: boolean): number {
  return fin ? frameType.data | flag.fin : frameType.data;
}
