import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { TLSSocket } from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { resetConnection } from '../reset-connection.ts';
import { copyBytes } from './copy-bytes.ts';
import {
  beginDispatch,
  commitOutput,
  currentSlab,
  dropOutputOf,
  endDispatch,
  flushOutputOf,
  giveBack,
  type OutputWire,
  pendingOutputOf,
  reserveOutput,
} from './output.ts';
import { SendQueue } from './send-queue.ts';
import {
  endOfFile,
  findStreamBindings,
  handleOf,
  hasEnded,
  type ShutdownRequest,
  type StreamHandle,
  type WriteRequest,
} from './stream-handle.ts';
import { highWaterBytes, maxReserveBytes, type Wire, type WireOwner } from './wire.ts';

/**
 * A wire directly on Node's stream handle: no stream object, no buffer and no closure per read or write. A read and its
 * callback run back to back, so all wires read into one buffer. The socket stays the owner of the handle and closes it.
 */

/** As much as libuv reads at once; TLS hands out records of 16 KiB. */
const readBytes = 64 * 1024;
const bindings = findStreamBindings();
const state = bindings?.state ?? new Int32Array(1);
const readIndex = bindings?.readIndex ?? 0;
const wasAsyncIndex = bindings?.wasAsyncIndex ?? 0;
const readBuffer = Buffer.allocUnsafeSlow(readBytes);
const noBytes = new Uint8Array(0);
const connectionReset = -constants.errno.ECONNRESET;

interface WireHandle extends StreamHandle {
  meshdeskWire: RawWire | null;
}

interface PendingWrite extends WriteRequest {
  /** Absent until it is known that the write goes on after the call that asked for it. */
  wire?: RawWire;
  /** How it ended within that call: TLS over a connection that is lost already. */
  endedWithin?: number;
  /** Kept alive and unchanged until the write is done. */
  bytes: Buffer;
}

interface PendingShutdown extends ShutdownRequest {
  wire: RawWire;
}

/** Used again as long as writes complete at once. */
let idleRequest: PendingWrite | null = null;

/** True when `socket` is open and Node has its handle in the shape that a raw wire needs. */
export function canBeRaw(socket: Socket): boolean {
  return bindings !== null && !socket.destroyed && !socket.connecting && handleOf(socket) !== null;
}

/** Takes the connection over from `socket`, which must satisfy `canBeRaw` and not be used any more by anybody. */
export class RawWire implements Wire, OutputWire {
  owner: WireOwner;
  readonly isTls: boolean;
  closed = false;
  writable = true;
  sendLimitBytes = highWaterBytes;
  readonly #socket: Socket;
  readonly #handle: WireHandle;
  readonly #queue = new SendQueue();
  #inFlightBytes = 0;
  #inFlight = false;
  #owesDrain = false;
  /** Our FIN was asked for, or cannot be sent any more; it has left, likewise. */
  #finAsked = false;
  #finDone = false;
  #paused = false;
  #readEnded = false;
  /** Came while nobody wanted to read: bytes, then the end. */
  #early: Buffer | null = null;
  #earlyEnd = false;
  #deliveryScheduled = false;
  #error: Error | null = null;

  constructor(socket: Socket, owner: WireOwner) {
    const handle = handleOf(socket);
    if (handle === null) throw new Error('a raw wire needs an open socket');
    this.owner = owner;
    this.isTls = socket instanceof TLSSocket;
    this.#socket = socket;
    this.#handle = handle as WireHandle;
    socket.allowHalfOpen = true;
    socket.on('error', (error) => {
      this.#error ??= error;
      this.#lose();
    });
    socket.once('close', () => this.#finish());
    this.#takeOver(socket);
  }

  get queuedBytes(): number {
    return this.#inFlightBytes + this.#queue.bytes + pendingOutputOf(this);
  }

  get output(): Buffer {
    return currentSlab();
  }

  send(bytes: Buffer, start: number, end: number): boolean {
    if (!this.writable) return true;
    const size = end - start;
    if (size > maxReserveBytes) return this.#sendLarge(bytes, start, end);
    // Before the slab is asked for: making room may exchange it.
    const at = reserveOutput(this, size);
    return this.commit(copyBytes(bytes, start, end, currentSlab(), at));
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

  pause(): void {
    if (this.#paused || this.closed) return;
    this.#paused = true;
    if (!this.#readEnded) this.#handle.readStop();
  }

  resume(): void {
    if (!this.#paused || this.closed) return;
    this.#paused = false;
    if (this.#early !== null || this.#earlyEnd) this.#scheduleDelivery();
    else if (!this.#readEnded) this.#handle.readStart();
  }

  end(): void {
    if (!this.writable) return;
    flushOutputOf(this);
    this.writable = false;
    if (!this.#inFlight && !this.#socket.destroyed) this.#shutdown();
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

  // --- writing -----------------------------------------------------------------------------------------------------

  takeOutput(slab: Buffer, start: number, end: number): boolean {
    if (this.#inFlight) {
      this.#queue.push(slab, start, end);
      return false;
    }
    return this.#write(slab, start, end) && !this.isTls;
  }

  /** True when the write goes on; `onWritten` follows. TLS has taken a copy of the bytes by then, TCP has not. */
  #write(bytes: Buffer, start: number, end: number): boolean {
    const request = idleRequest ?? createRequest();
    const view =
      start === 0 ? viewOfStart(bytes, end) : new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
    const error = this.#handle.writeBuffer(request, view) || (request.endedWithin ?? 0);
    if (error !== 0) {
      idleRequest = null;
      this.#failWrite(error);
      return false;
    }
    if (request.endedWithin === 0) {
      idleRequest = null;
      return false;
    }
    if (state[wasAsyncIndex] === 0) {
      idleRequest = request;
      return false;
    }
    idleRequest = null;
    request.wire = this;
    request.handle = this.#handle;
    request.bytes = bytes;
    this.#inFlight = true;
    this.#inFlightBytes = end - start;
    return true;
  }

  #sendLarge(bytes: Buffer, start: number, end: number): boolean {
    flushOutputOf(this);
    // In one piece of its own: too much for the slab.
    const copy = Buffer.from(bytes.subarray(start, end));
    if (this.#inFlight) this.#queue.adopt(copy);
    else this.#write(copy, 0, copy.length);
    return this.#mayGoOn();
  }

  #mayGoOn(): boolean {
    if (!this.#inFlight || this.queuedBytes <= this.sendLimitBytes) return true;
    this.#owesDrain = true;
    return false;
  }

  /** Called by the handle when a write that was not done at once is done. */
  written(bytes: Buffer, status: number): void {
    if (!this.isTls) giveBack(bytes);
    this.#inFlight = false;
    this.#inFlightBytes = 0;
    if (this.closed || this.#socket.destroyed) return;
    if (status < 0) {
      this.#failWrite(status);
      return;
    }
    for (let next = this.#queue.shift(); next !== null; next = this.#queue.shift()) {
      if (this.#write(next, 0, next.length)) return;
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

  /** The peer takes nothing more. What it has sent before may still be on its way to us, up to the end or the error. */
  #failWrite(errno: number): void {
    this.#error ??= toError(errno, 'write');
    this.writable = false;
    this.#queue.clear();
    this.#finAsked = true;
    this.#finDone = true;
    if (this.#readEnded || this.#paused) this.#socket.destroy();
  }

  #shutdown(): void {
    if (this.#finAsked || bindings === null) return;
    this.#finAsked = true;
    const request = new bindings.ShutdownWrap() as PendingShutdown;
    request.wire = this;
    request.handle = this.#handle;
    request.oncomplete = onShutdown;
    if (this.#handle.shutdown(request) !== 0) this.wasShutDown();
  }

  /** Called by the handle when our FIN has left. */
  wasShutDown(): void {
    this.#finDone = true;
    if (this.#readEnded && !this.#earlyEnd) this.#socket.destroy();
  }

  // --- reading -----------------------------------------------------------------------------------------------------

  /** Called by the handle after each read. */
  received(count: number): void {
    if (count < 0) {
      this.#readFailed(count);
    } else if (this.#paused || this.#early !== null) {
      // TLS goes on with what it has decrypted already.
      const bytes = Buffer.from(readBuffer.subarray(0, count));
      this.#early = this.#early === null ? bytes : Buffer.concat([this.#early, bytes]);
    } else {
      beginDispatch();
      try {
        this.owner.onBytes(readBuffer, 0, count);
      } finally {
        endDispatch();
      }
    }
  }

  #readFailed(errno: number): void {
    if (errno !== endOfFile) {
      this.#error ??= toError(errno, 'read');
      this.#socket.destroy();
      return;
    }
    if (this.#readEnded) return;
    this.#readEnded = true;
    this.#handle.readStop();
    if (this.#wasReset()) {
      this.#error ??= toError(connectionReset, 'read');
      this.#socket.destroy();
      return;
    }
    if (this.#paused || this.#early !== null) this.#earlyEnd = true;
    else this.#tellEnd();
  }

  /**
   * libuv takes a reset that follows a short read for the end of the stream. The connection knows better: writing nothing
   * to it fails when it was reset, and does nothing otherwise.
   */
  #wasReset(): boolean {
    if (this.isTls || this.#finAsked || this.#inFlight) return false;
    const request = idleRequest ?? createRequest();
    idleRequest = null;
    const error = this.#handle.writeBuffer(request, noBytes);
    if (error === 0 && state[wasAsyncIndex] === 0) idleRequest = request;
    return error !== 0;
  }

  #tellEnd(): void {
    beginDispatch();
    try {
      this.owner.onEnd();
    } finally {
      endDispatch();
    }
    if (this.#finDone) this.#socket.destroy();
  }

  /** Bytes that Node has read into the socket before, then everything from the handle. */
  #takeOver(socket: Socket): void {
    const handle = this.#handle;
    for (let bytes = readSocket(socket); bytes !== null; bytes = readSocket(socket)) {
      this.#early = this.#early === null ? bytes : Buffer.concat([this.#early, bytes]);
    }
    handle.meshdeskWire = this;
    // biome-ignore lint/correctness/useHookAtTopLevel: a method of Node's, not a hook of React's
    handle.useUserBuffer(readBuffer);
    handle.onread = onRead;
    // The socket may have seen the end without having told anybody.
    if (hasEnded(socket)) {
      this.#readEnded = true;
      this.#earlyEnd = true;
    }
    if (this.#early !== null || this.#earlyEnd) this.#scheduleDelivery();
    else handle.readStart();
  }

  #scheduleDelivery(): void {
    if (this.#deliveryScheduled) return;
    this.#deliveryScheduled = true;
    process.nextTick(deliver, this);
  }

  /** Hands over what came early, unless somebody has paused again or all is over. */
  deliverEarly(): void {
    this.#deliveryScheduled = false;
    if (this.#paused || this.#socket.destroyed) return;
    const bytes = this.#early;
    this.#early = null;
    if (bytes !== null) {
      beginDispatch();
      try {
        this.owner.onBytes(bytes, 0, bytes.length);
      } finally {
        endDispatch();
      }
    }
    if (this.#paused || this.#socket.destroyed) return;
    if (this.#earlyEnd) {
      this.#earlyEnd = false;
      this.#tellEnd();
    } else if (!this.#readEnded) {
      this.#handle.readStart();
    }
  }

  // --- the end -----------------------------------------------------------------------------------------------------

  /** Nothing leaves any more. */
  #lose(): void {
    this.writable = false;
    this.#finAsked = true;
    this.#finDone = true;
    this.#queue.clear();
    dropOutputOf(this);
  }

  #finish(): void {
    this.closed = true;
    this.#lose();
    this.#early = null;
    this.#handle.meshdeskWire = null;
    beginDispatch();
    try {
      this.owner.onClose(this.#error);
    } finally {
      endDispatch();
    }
  }
}

/** Views of what is written most: from the start of a slab, in lengths that come again. */
const views: (Uint8Array | null)[] = new Array(256).fill(null);

function viewOfStart(bytes: Buffer, size: number): Uint8Array {
  const slot = size & 255;
  const known = views[slot] ?? null;
  if (known !== null && known.length === size && known.buffer === bytes.buffer && known.byteOffset === bytes.byteOffset)
    return known;
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, size);
  views[slot] = view;
  return view;
}

function onRead(this: StreamHandle): undefined {
  const count = state[readIndex] ?? 0;
  if (count !== 0) (this as WireHandle).meshdeskWire?.received(count);
}

function onWritten(this: WriteRequest, status: number): void {
  const request = this as PendingWrite;
  if (request.wire === undefined) request.endedWithin = status;
  else request.wire.written(request.bytes, status);
}

function onShutdown(this: ShutdownRequest): void {
  (this as PendingShutdown).wire.wasShutDown();
}

function deliver(wire: RawWire): void {
  wire.deliverEarly();
}

function createRequest(): PendingWrite {
  if (bindings === null) throw new Error('Node has no stream handles that we know');
  const request = new bindings.WriteWrap() as PendingWrite;
  request.oncomplete = onWritten;
  return request;
}

function readSocket(socket: Socket): Buffer | null {
  return socket.readableLength > 0 ? (socket.read() as Buffer | null) : null;
}

function toError(errno: number, call: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${call} ${code}`), { errno, code, syscall: call });
}
