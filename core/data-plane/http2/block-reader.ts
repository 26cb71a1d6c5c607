import { maxBlockBytes, maxContinuations } from './protocol.ts';

/** A header block that comes in several frames (RFC 9113, 4.3). Nothing else may come in between. */
export class BlockReader {
  /** Stream whose block is incomplete; 0 for none. */
  stream = 0;
  endStream = false;
  /** When the block was begun, monotonic. */
  sinceMs = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  #frames = 0;

  begin(stream: number, endStream: boolean, nowMs: number): void {
    this.stream = stream;
    this.endStream = endStream;
    this.sinceMs = nowMs;
    this.#length = 0;
    this.#frames = 0;
  }

  /** '' or the limit that is passed. */
  add(bytes: Buffer, start: number, end: number): string {
    this.#frames += 1;
    const length = this.#length + end - start;
    if (this.#frames > maxContinuations) return `more than ${maxContinuations} frames for one header block`;
    if (length > maxBlockBytes) return `a header block larger than ${maxBlockBytes} octets`;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(maxBlockBytes, Math.max(4_096, length * 2)));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#length, start, end);
    this.#length = length;
    return '';
  }

  /** The whole block, valid until the next `begin`. */
  take(): Buffer {
    const block = this.#bytes.subarray(0, this.#length);
    this.stream = 0;
    this.#bytes = Buffer.alloc(0);
    return block;
  }
}
