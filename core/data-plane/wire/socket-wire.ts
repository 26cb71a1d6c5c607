import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { resetConnection } from '../reset-connection.ts';
import { allowance, holdBytes } from './held-bytes.ts';
import {
  beginDispatch,
  commitOutput,
  currentSlab,
  dropOutputOf,
  endDispatch,
  flushOutputOf,
  type OutputWire,
  pendingOutputOf,
  reserveOutput,
} from './output.ts';
import { highWaterBytes, maxReserveBytes, type Wire, type WireOwner } from './wire.ts';

/** A wire on the public API of sockets: the fall-back where raw handles are not what we know. */
export class SocketWire implements Wire, OutputWire {
  owner: WireOwner;
  readonly isTls: boolean;
  closed = false;
  sendLimitBytes = highWaterBytes;
  #writable = true;
  #paused = false;
  #owesDrain = false;
  #error: Error | null = null;
  #counted = 0;
  readonly #socket: Socket;

  constructor(socket: Socket, owner: WireOwner) {
    this.owner = owner;
    this.isTls = socket instanceof TLSSocket;
    this.#socket = socket;
    socket.allowHalfOpen = true;
    socket.on('error', (error) => {
      this.#error ??= error;
      this.#lose();
    });
    if (socket.closed) {
      this.#lose();
      setImmediate(() => this.#finish());
      return;
    }
    socket.once('close', () => this.#finish());
    socket.on('data', (bytes: Buffer) => this.#tell(() => this.owner.onBytes(bytes, 0, bytes.length)));
    socket.on('drain', () => this.#drained());
    if (socket.readableEnded) process.nextTick(() => this.#ended());
    else socket.once('end', () => this.#ended());
    if (socket.isPaused()) socket.resume();
  }

  get writable(): boolean {
    return this.#writable && !this.#socket.destroyed;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength + pendingOutputOf(this);
  }

  get output(): Buffer {
    return currentSlab();
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    if (!this.writable) return true;
    const size = end - start;
    if (size > maxReserveBytes) {
      flushOutputOf(this);
      this.#write(bytes, start, end);
      return this.#mayGoOn();
    }
    const at = reserveOutput(this, size);
    bytes.copy(currentSlab(), at, start, end);
    return this.commit(at + size);
  }

  reserve(size: number): number {
    return reserveOutput(this, size);
  }

  commit(end: number): boolean {
    if (!this.writable) {
      dropOutputOf(this);
      return true;
    }
    commitOutput(end);
    return this.#mayGoOn();
  }

  flush(): void {
    flushOutputOf(this);
  }

  takeOutput(slab: Buffer, start: number, end: number): boolean {
    this.#write(slab, start, end);
    return false;
  }

  pause(): void {
    if (this.#paused || this.closed) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused || this.closed) return;
    this.#paused = false;
    this.#socket.resume();
  }

  end(): void {
    if (!this.writable) return;
    flushOutputOf(this);
    this.#writable = false;
    this.#socket.end();
  }

  reset(): void {
    if (this.closed) return;
    this.#lose();
    resetConnection(this.#socket);
  }

  destroy(): void {
    if (this.closed) return;
    this.#lose();
    this.#socket.destroy();
  }

  #write(bytes: Buffer, start: number, end: number): void {
    this.#socket.write(Buffer.from(bytes.subarray(start, end)), this.#count);
    this.#count();
  }

  /** What waits has changed. */
  readonly #count = () => {
    const waiting = this.closed ? 0 : this.#socket.writableLength;
    holdBytes(waiting - this.#counted);
    this.#counted = waiting;
  };

  #mayGoOn(): boolean {
    if (this.queuedBytes <= allowance(this.sendLimitBytes) || !this.#socket.writableNeedDrain) return true;
    this.#owesDrain = true;
    return false;
  }

  #drained(): void {
    if (!this.#owesDrain || !this.writable) return;
    this.#owesDrain = false;
    this.#tell(() => this.owner.onDrain());
  }

  #ended(): void {
    if (!this.closed) this.#tell(() => this.owner.onEnd());
  }

  #lose(): void {
    this.#writable = false;
    dropOutputOf(this);
  }

  #finish(): void {
    this.closed = true;
    this.#count();
    this.#lose();
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
