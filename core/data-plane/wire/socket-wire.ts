import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { resetConnection } from '../reset-connection.ts';
import { allowance, holdBytes } from './held-bytes.ts';
import { beginDispatch, endDispatch } from './output.ts';
import { SlabSender } from './slab-sender.ts';
import { maxReserveBytes, type Wire, type WireOwner } from './wire.ts';

/** A wire on the public API of sockets: the fall-back where raw handles are not what we know. */
export class SocketWire extends SlabSender implements Wire {
  #writable = true;
  #paused = false;
  #owesDrain = false;
  #error: Error | null = null;
  #counted = 0;
  readonly #socket: Socket;

  constructor(socket: Socket, owner: WireOwner) {
    super(owner, socket instanceof TLSSocket);
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

  override get writable(): boolean {
    return this.#writable && !this.#socket.destroyed;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength + this.pendingBytes;
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    if (!this.writable) return true;
    if (end - start <= maxReserveBytes) return this.sendCopy(bytes, start, end);
    this.flush();
    this.#write(bytes, start, end);
    return this.mayGoOn();
  }

  override takeOutput(slab: Buffer, start: number, end: number): boolean {
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
    this.flush();
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

  protected override mayGoOn(): boolean {
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
    this.drop();
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
