import { errorCode, flag, frameHeaderBytes, frameType, maxFrameBytes } from './protocol.ts';

/** Takes frames; what it does may end the connection, after which `stopped` is true. */
export interface FrameSink {
  readonly stopped: boolean;
  /** The header of a frame; its payload follows. */
  beginFrame(type: number, flags: number, stream: number, length: number): void;
  /** A whole payload; not for DATA. */
  takeFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void;
  /** Content of the DATA frame that was begun last, without padding, as it arrives. `isFrameEnd`: no more of this frame. */
  takeData(bytes: Buffer, start: number, end: number, isFrameEnd: boolean): void;
  /** The DATA frame is complete. */
  endData(): void;
  refuseFrame(code: number, rule: string): void;
}

/**
 * Frames out of a byte stream, however it was cut, RFC 9113 section 4.1. A frame that arrives whole is handed on where it lies;
 * content is handed on as it comes; only other frames that arrive in pieces are put together here.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #held: Buffer | null = null;
  #heldBytes = 0;
  #type = 0;
  #flags = 0;
  #stream = 0;
  #length = 0;
  #inData = false;
  #padLengthMissing = false;
  #contentLeft = 0;
  #paddingLeft = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** True between two frames. */
  get isAtBoundary(): boolean {
    return this.#heldBytes === 0 && !this.#inData;
  }

  read(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#sink.stopped) {
      if (this.#inData) at = this.#readData(bytes, at, end);
      else if (this.#heldBytes > 0) at = this.#continueHeld(bytes, at, end);
      else at = this.#readFrame(bytes, at, end);
    }
  }

  #readFrame(bytes: Buffer, at: number, end: number): number {
    if (end - at < frameHeaderBytes) return this.#hold(bytes, at, end);
    if (!this.#beginFrame(bytes, at)) return end;
    const payload = at + frameHeaderBytes;
    if (this.#type === frameType.data) return payload;
    if (end - payload < this.#length) return this.#hold(bytes, at, end);
    this.#sink.takeFrame(this.#type, this.#flags, this.#stream, bytes, payload, payload + this.#length);
    return payload + this.#length;
  }

  /** False when the frame was refused. */
  #beginFrame(bytes: Buffer, at: number): boolean {
    this.#length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    this.#type = bytes[at + 3] ?? 0;
    this.#flags = bytes[at + 4] ?? 0;
    this.#stream =
      (((bytes[at + 5] ?? 0) & 0x7f) << 24) |
      ((bytes[at + 6] ?? 0) << 16) |
      ((bytes[at + 7] ?? 0) << 8) |
      (bytes[at + 8] ?? 0);
    if (this.#length > maxFrameBytes) {
      this.#sink.refuseFrame(errorCode.frameSizeError, `a frame longer than ${maxFrameBytes} octets`);
      return false;
    }
    this.#sink.beginFrame(this.#type, this.#flags, this.#stream, this.#length);
    if (this.#sink.stopped) return false;
    if (this.#type === frameType.data) this.#beginData();
    return true;
  }

  #hold(bytes: Buffer, at: number, end: number): number {
    this.#held ??= Buffer.allocUnsafe(1_024);
    this.#makeRoom(end - at);
    bytes.copy(this.#held, 0, at, end);
    this.#heldBytes = end - at;
    return end;
  }

  #makeRoom(size: number): void {
    const held = this.#held;
    if (held !== null && held.length >= size) return;
    const larger = Buffer.allocUnsafe(Math.min(frameHeaderBytes + maxFrameBytes, Math.max(size, 4_096)));
    if (held !== null) held.copy(larger, 0, 0, this.#heldBytes);
    this.#held = larger;
  }

  #continueHeld(bytes: Buffer, start: number, end: number): number {
    let at = start;
    const held = this.#held;
    if (held === null) return end;
    if (this.#heldBytes < frameHeaderBytes) {
      const take = Math.min(frameHeaderBytes - this.#heldBytes, end - at);
      bytes.copy(held, this.#heldBytes, at, at + take);
      this.#heldBytes += take;
      at += take;
      if (this.#heldBytes < frameHeaderBytes || !this.#beginFrame(held, 0)) return at;
      if (this.#type === frameType.data) {
        this.#release();
        return at;
      }
    }
    const total = frameHeaderBytes + this.#length;
    this.#makeRoom(total);
    const take = Math.min(total - this.#heldBytes, end - at);
    bytes.copy(this.#held ?? held, this.#heldBytes, at, at + take);
    this.#heldBytes += take;
    at += take;
    if (this.#heldBytes < total) return at;
    const whole = this.#held ?? held;
    this.#release();
    this.#sink.takeFrame(this.#type, this.#flags, this.#stream, whole, frameHeaderBytes, total);
    return at;
  }

  #release(): void {
    this.#held = null;
    this.#heldBytes = 0;
  }

  #beginData(): void {
    this.#inData = true;
    this.#padLengthMissing = (this.#flags & flag.padded) !== 0;
    this.#contentLeft = this.#length;
    this.#paddingLeft = 0;
    if (this.#padLengthMissing && this.#length === 0) {
      this.#sink.refuseFrame(errorCode.frameSizeError, 'a padded frame without a pad length');
    } else {
      this.#finishData();
    }
  }

  #readData(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#padLengthMissing) {
      this.#padLengthMissing = false;
      this.#paddingLeft = bytes[at] ?? 0;
      this.#contentLeft -= 1 + this.#paddingLeft;
      at += 1;
      if (this.#contentLeft < 0) {
        this.#sink.refuseFrame(errorCode.protocolError, 'padding longer than its frame');
        return end;
      }
    }
    if (this.#contentLeft > 0 && at < end) {
      const take = Math.min(this.#contentLeft, end - at);
      this.#contentLeft -= take;
      this.#sink.takeData(bytes, at, at + take, this.#contentLeft === 0);
      at += take;
    }
    if (this.#contentLeft === 0 && at < end) {
      const take = Math.min(this.#paddingLeft, end - at);
      this.#paddingLeft -= take;
      at += take;
    }
    this.#finishData();
    return at;
  }

  #finishData(): void {
    if (this.#sink.stopped || this.#padLengthMissing || this.#contentLeft > 0 || this.#paddingLeft > 0) return;
    this.#inData = false;
    this.#sink.endData();
  }
}
