import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { resetConnection } from '../reset-connection.ts';
import { beginDispatch, endDispatch } from './output.ts';
import { RawSender } from './raw-sender.ts';
import { probe } from './raw-write.ts';
import {
  beginDirect,
  directBytes,
  endDirect,
  giveReadBuffer,
  readBytes,
  sharedBuffer,
  takeReadBuffer,
} from './read-buffers.ts';
import {
  drainSocket,
  endOfFile,
  findStreamBindings,
  handleOf,
  hasEnded,
  type StreamHandle,
  toError,
} from './stream-handle.ts';
import type { Wire, WireOwner } from './wire.ts';

/**
 * A wire directly on Node's stream handle: no stream object, no buffer and no closure per read or write. The socket stays
 * the owner of the handle and closes it.
 */

const bindings = findStreamBindings();
const state = bindings?.state ?? new Int32Array(1);
const readIndex = bindings?.readIndex ?? 0;
const connectionReset = -constants.errno.ECONNRESET;

interface WireHandle extends StreamHandle {
  meshdeskWire: RawWire | null;
}

/** True when `socket` is open and Node has its handle in the shape that a raw wire needs. */
export function canBeRaw(socket: Socket): boolean {
  return bindings !== null && !socket.destroyed && !socket.connecting && handleOf(socket) !== null;
}

/** Takes the connection over from `socket`, which must satisfy `canBeRaw` and not be used any more by anybody. */
export class RawWire extends RawSender implements Wire {
  #paused = false;
  #readEnded = false;
  /** Came while nobody wanted to read: bytes, then the end. */
  #early: Buffer | null = null;
  #earlyEnd = false;
  #deliveryScheduled = false;
  /** Read to instead of the shared buffer while much is coming. */
  #ownBuffer: Buffer | null = null;
  #fullReads = 0;

  constructor(socket: Socket, owner: WireOwner) {
    super(socket, owner);
    socket.allowHalfOpen = true;
    socket.on('error', (error) => {
      this.error ??= error;
      this.lose();
    });
    socket.once('close', () => this.#finish());
    this.#takeOver();
  }

  pause(): void {
    if (this.#paused || this.closed) return;
    this.#paused = true;
    if (!this.#readEnded) this.handle.readStop();
  }

  resume(): void {
    if (!this.#paused || this.closed) return;
    this.#paused = false;
    if (this.#early !== null || this.#earlyEnd) this.#scheduleDelivery();
    else if (!this.#readEnded) this.handle.readStart();
  }

  reset(): void {
    if (this.closed) return;
    this.lose();
    resetConnection(this.socket);
  }

  destroy(): void {
    if (this.closed) return;
    this.lose();
    this.socket.destroy();
  }

  // --- reading -----------------------------------------------------------------------------------------------------

  /** Called by the handle after each read. Returns the buffer for the next read when it is another one. */
  received(count: number): Buffer | undefined {
    const own = this.#ownBuffer;
    const buffer = own ?? sharedBuffer;
    if (count < 0) {
      this.#readFailed(count);
      return undefined;
    }
    if (this.#paused || this.#early !== null) {
      // TLS goes on with what it has decrypted already.
      const bytes = Buffer.from(buffer.subarray(0, count));
      this.#early = this.#early === null ? bytes : Buffer.concat([this.#early, bytes]);
      return undefined;
    }
    let isPinned = false;
    if (own !== null) beginDirect(own);
    beginDispatch();
    try {
      this.owner.onBytes(buffer, 0, count);
    } finally {
      endDispatch();
      if (own !== null) isPinned = endDirect();
    }
    return own === null ? this.#readOn(count) : this.#readOnOwn(count, isPinned);
  }

  /** Reads that fill the buffer, one after the other, are part of something large. */
  #readOn(count: number): Buffer | undefined {
    this.#fullReads = count === readBytes ? this.#fullReads + 1 : 0;
    if (this.#fullReads < fullReadsOfLarge || this.closed) return undefined;
    this.#ownBuffer = takeReadBuffer();
    return this.#ownBuffer ?? undefined;
  }

  #readOnOwn(count: number, isPinned: boolean): Buffer | undefined {
    const own = this.#ownBuffer;
    if (count >= directBytes && !isPinned) return undefined;
    this.#ownBuffer = count >= directBytes ? takeReadBuffer() : null;
    this.#fullReads = 0;
    if (!isPinned && own !== null) giveReadBuffer(own);
    return this.#ownBuffer ?? sharedBuffer;
  }

  protected override writeFailed(): void {
    if (this.#readEnded || this.#paused) this.socket.destroy();
  }

  override wasShutDown(): void {
    this.finDone = true;
    if (this.#readEnded && !this.#earlyEnd) this.socket.destroy();
  }

  #readFailed(errno: number): void {
    if (errno !== endOfFile) {
      this.error ??= toError(errno, 'read');
      this.socket.destroy();
      return;
    }
    if (this.#readEnded) return;
    this.#readEnded = true;
    this.handle.readStop();
    if (this.#wasReset()) {
      this.error ??= toError(connectionReset, 'read');
      this.socket.destroy();
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
    if (this.isTls || this.finAsked || this.inFlight) return false;
    return probe(this.handle) !== 0;
  }

  #tellEnd(): void {
    beginDispatch();
    try {
      this.owner.onEnd();
    } finally {
      endDispatch();
    }
    if (this.finDone) this.socket.destroy();
  }

  /** Bytes that Node has read into the socket before, then everything from the handle. */
  #takeOver(): void {
    const { socket } = this;
    const handle = this.handle as WireHandle;
    this.#early = drainSocket(socket);
    handle.meshdeskWire = this;
    // biome-ignore lint/correctness/useHookAtTopLevel: a method of Node's, not a hook of React's
    handle.useUserBuffer(sharedBuffer);
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
    if (this.#paused || this.socket.destroyed) return;
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
    if (this.#paused || this.socket.destroyed) return;
    if (this.#earlyEnd) {
      this.#earlyEnd = false;
      this.#tellEnd();
    } else if (!this.#readEnded) {
      this.handle.readStart();
    }
  }

  // --- the end -----------------------------------------------------------------------------------------------------

  #finish(): void {
    this.closed = true;
    this.lose();
    this.#early = null;
    if (this.#ownBuffer !== null) giveReadBuffer(this.#ownBuffer);
    this.#ownBuffer = null;
    (this.handle as WireHandle).meshdeskWire = null;
    beginDispatch();
    try {
      this.owner.onClose(this.error);
    } finally {
      endDispatch();
    }
  }
}

/** After so many full reads in a row a wire reads to a buffer of its own. */
const fullReadsOfLarge = 2;

function onRead(this: StreamHandle): Buffer | undefined {
  const count = state[readIndex] ?? 0;
  return count === 0 ? undefined : (this as WireHandle).meshdeskWire?.received(count);
}

function deliver(wire: RawWire): void {
  wire.deliverEarly();
}
