import { holdBytes } from './held-bytes.ts';

/** Bytes that wait behind a write under way, in pieces of a good size for a write. */
export interface QueuedPiece {
  readonly bytes: Buffer;
  readonly start: number;
  end: number;
  /** `bytes` is the buffer of a read, lent until it is written. */
  readonly isLent: boolean;
}

const firstPieceBytes = 16 * 1024;
const pieceBytes = 64 * 1024;

export class SendQueue {
  readonly #pieces: QueuedPiece[] = [];
  /** The last piece, as long as it has room. */
  #tail: QueuedPiece | null = null;
  bytes = 0;

  /** Copies `bytes[start, end)`. */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const tail = this.#tail ?? this.#grow();
      const copied = bytes.copy(tail.bytes, tail.end, at, end);
      tail.end += copied;
      at += copied;
      if (tail.end === tail.bytes.length) this.#tail = null;
    }
    this.bytes += end - start;
    holdBytes(end - start);
  }

  /** Takes the buffer itself, which nobody changes until it is written. */
  adopt(bytes: Buffer, start: number, end: number, isLent: boolean): void {
    this.#tail = null;
    this.#pieces.push({ bytes, start, end, isLent });
    this.bytes += end - start;
    holdBytes(end - start);
  }

  /** The next piece, which is the caller's from now on. */
  shift(): QueuedPiece | null {
    const next = this.#pieces.shift();
    if (next === undefined) return null;
    if (next === this.#tail) this.#tail = null;
    this.bytes -= next.end - next.start;
    holdBytes(next.start - next.end);
    return next;
  }

  #grow(): QueuedPiece {
    const bytes = Buffer.allocUnsafeSlow(this.bytes === 0 ? firstPieceBytes : pieceBytes);
    this.#tail = { bytes, start: 0, end: 0, isLent: false };
    this.#pieces.push(this.#tail);
    return this.#tail;
  }
}
