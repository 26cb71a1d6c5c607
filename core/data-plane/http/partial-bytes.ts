import { holdBytes } from '../wire/held-bytes.ts';
import { reparseBytes } from './limits.ts';

const lineFeed = 10;
const leastBytes = 1024;
const noBytes = Buffer.alloc(0);

/** Bytes that wait for more: an unfinished head, or what comes too early. Grows as they arrive; given back when they are used. */
export class PartialBytes {
  bytes: Buffer = noBytes;
  start = 0;
  end = 0;
  /** Up to here a head has been looked for in vain. */
  #tried = 0;

  get size(): number {
    return this.end - this.start;
  }

  append(from: Buffer, start: number, end: number): void {
    const size = end - start;
    if (this.end + size > this.bytes.length) this.#makeRoom(size);
    from.copy(this.bytes, this.end, start, end);
    this.end += size;
  }

  /** Keeps what holds no whole head; it may be what is kept already. */
  keepTried(bytes: Buffer, start: number, end: number): void {
    const isKept = bytes === this.bytes;
    if (!isKept) this.append(bytes, start, end);
    this.noteTried(isKept ? start : this.start);
  }

  /** Everything up to `index` has been used. */
  take(index: number): void {
    this.start = index;
    this.#tried = 0;
    if (this.start < this.end) return;
    holdBytes(-this.bytes.length);
    this.bytes = noBytes;
    this.start = 0;
    this.end = 0;
  }

  /** All that is there holds no whole head, beginning at `start`. */
  noteTried(start: number): void {
    this.start = start;
    this.#tried = this.size;
  }

  /** Whether to look for a head: a line has ended since the last try, or much has come. */
  get isWorthATry(): boolean {
    const tried = this.#tried;
    return tried === 0 || this.size - tried >= reparseBytes || this.#hasLineEnd(this.start + tried);
  }

  clear(): void {
    this.take(this.end);
  }

  #hasLineEnd(from: number): boolean {
    const at = this.bytes.indexOf(lineFeed, from);
    return at >= 0 && at < this.end;
  }

  #makeRoom(size: number): void {
    const kept = this.size;
    let room = leastBytes;
    while (room < kept + size) room *= 2;
    const next = room > this.bytes.length || this.bytes === noBytes ? Buffer.allocUnsafeSlow(room) : this.bytes;
    holdBytes(next.length - this.bytes.length);
    this.bytes.copy(next, 0, this.start, this.end);
    this.bytes = next;
    this.start = 0;
    this.end = kept;
  }
}
