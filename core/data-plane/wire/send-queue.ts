/** Bytes that wait behind a write under way, in pieces of a good size for a write. */
const firstPieceBytes = 16 * 1024;
const pieceBytes = 64 * 1024;

export class SendQueue {
  readonly #full: Buffer[] = [];
  #tail: Buffer | null = null;
  #tailEnd = 0;
  bytes = 0;

  /** Copies `bytes[start, end)`. */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const tail = this.#tail ?? this.#grow();
      const copied = bytes.copy(tail, this.#tailEnd, at, end);
      this.#tailEnd += copied;
      at += copied;
      if (this.#tailEnd === tail.length) this.#closeTail();
    }
    this.bytes += end - start;
  }

  /** Takes the buffer itself, which nobody changes any more. */
  adopt(bytes: Buffer): void {
    this.#closeTail();
    this.#full.push(bytes);
    this.bytes += bytes.length;
  }

  /** The next piece, which is the caller's from now on. */
  shift(): Buffer | null {
    if (this.#full.length === 0) this.#closeTail();
    const next = this.#full.shift() ?? null;
    if (next !== null) this.bytes -= next.length;
    return next;
  }

  clear(): void {
    this.#full.length = 0;
    this.#tail = null;
    this.#tailEnd = 0;
    this.bytes = 0;
  }

  #grow(): Buffer {
    const tail = Buffer.allocUnsafeSlow(this.bytes === 0 ? firstPieceBytes : pieceBytes);
    this.#tail = tail;
    this.#tailEnd = 0;
    return tail;
  }

  #closeTail(): void {
    if (this.#tail !== null && this.#tailEnd > 0) this.#full.push(this.#tail.subarray(0, this.#tailEnd));
    this.#tail = null;
    this.#tailEnd = 0;
  }
}
