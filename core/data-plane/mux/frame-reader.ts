import { frameType, headerBytes, MuxError, type MuxErrorCode, readUint24, readUint32, typeMask } from './frame.ts';

/** Takes the frames in order. What a sink throws (`MuxError`) leaves through `read`. */
export interface FrameSink {
  /** False after the session has ended: reading stops at once. */
  readonly receiving: boolean;
  /** A complete frame of any type but DATA. `bytes[start, end)` is the payload, valid during the call. */
  onFrame(octet: number, stream: number, bytes: Buffer, start: number, end: number): void;
  /** A part of a DATA frame as it arrives; `last`: the frame ends with it. `start === end` only when the frame is empty. */
  onDataPart(octet: number, stream: number, bytes: Buffer, start: number, end: number, last: boolean): void;
}

const noBytes = Buffer.alloc(0);

/**
 * Cuts received bytes into frames, however they arrive. A frame is kept only when it comes in pieces, and never DATA,
 * whose pieces go on at once: one session holds at most one frame of `maxFrameBytes`.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  readonly #header = Buffer.alloc(headerBytes);
  #headerFilled = 0;
  #octet = 0;
  #stream = 0;
  /** Payload bytes of the frame that have not come yet; -1: between frames. */
  #left = -1;
  #partial = noBytes;
  #partialFilled = 0;

  constructor(sink: FrameSink, maxFrameBytes: number) {
    this.#sink = sink;
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** True between two frames: a FIN here is an orderly one. */
  get atBoundary(): boolean {
    return this.#left < 0 && this.#headerFilled === 0;
  }

  read(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (this.#sink.receiving) {
      if (this.#left < 0) {
        if (at === end) return;
        at = this.#readHeader(bytes, at, end);
        if (this.#left < 0) return;
      }
      if ((this.#octet & typeMask) === frameType.data) at = this.#passData(bytes, at, end);
      else at = this.#passFrame(bytes, at, end);
      if (this.#left > 0) return;
    }
  }

  #readHeader(bytes: Buffer, start: number, end: number): number {
    let header = bytes;
    let at = start;
    let next = start + headerBytes;
    if (this.#headerFilled > 0 || end - start < headerBytes) {
      const count = Math.min(headerBytes - this.#headerFilled, end - start);
      bytes.copy(this.#header, this.#headerFilled, start, start + count);
      this.#headerFilled += count;
      if (this.#headerFilled < headerBytes) return start + count;
      this.#headerFilled = 0;
      header = this.#header;
      at = 0;
      next = start + count;
    }
    const length = readUint24(header, at + 1);
    if (length > this.#maxFrameBytes) {
      throw new MuxError('protocol', `a frame of ${length} bytes, at most ${this.#maxFrameBytes} are allowed`);
    }
    this.#octet = header[at] ?? 0;
    this.#stream = readUint32(header, at + 4);
    if (this.#stream > 0x7fff_ffff) throw new MuxError('protocol', 'a stream number above 2^31 - 1');
    this.#left = length;
    return next;
  }

  #passData(bytes: Buffer, start: number, end: number): number {
    const to = Math.min(end, start + this.#left);
    // An empty rest of a frame is told only when there is nothing more to come.
    if (to === start && this.#left > 0) return start;
    this.#left -= to - start;
    const last = this.#left === 0;
    if (last) this.#left = -1;
    this.#sink.onDataPart(this.#octet, this.#stream, bytes, start, to, last);
    return to;
  }

  #passFrame(bytes: Buffer, start: number, end: number): number {
    const available = end - start;
    if (this.#partialFilled === 0 && available >= this.#left) {
      const to = start + this.#left;
      this.#left = -1;
      this.#sink.onFrame(this.#octet, this.#stream, bytes, start, to);
      return to;
    }
    if (this.#partialFilled === 0) this.#partial = Buffer.allocUnsafe(this.#left);
    const to = Math.min(end, start + this.#left);
    bytes.copy(this.#partial, this.#partialFilled, start, to);
    this.#partialFilled += to - start;
    this.#left -= to - start;
    if (this.#left > 0) return to;
    const partial = this.#partial;
    this.#left = -1;
    this.#partialFilled = 0;
    this.#partial = noBytes;
    this.#sink.onFrame(this.#octet, this.#stream, partial, 0, partial.length);
    return to;
  }
}

/** The payload of a frame with a fixed size. */
export function expectLength(name: string, actual: number, expected: number, code: MuxErrorCode = 'protocol'): void {
  if (actual !== expected) throw new MuxError(code, `${name} with ${actual} bytes of payload instead of ${expected}`);
}
