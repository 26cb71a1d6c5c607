/**
 * Where raw wires read to. One buffer serves all of them, as a read and its callback run back to back. A connection in the
 * middle of something large has one of its own, which can be written from without a copy: it is exchanged when that write
 * is not done at once.
 *
 *   direct   a buffer that may be written from as it is, while the dispatch lasts for which it was read
 */

/** As much as libuv reads at once; TLS hands out records of 16 KiB. */
export const readBytes = 64 * 1024;
export const sharedBuffer: Buffer = Buffer.allocUnsafeSlow(readBytes);

/** Less is copied, so that it leaves together with what comes before and after it. */
export const directBytes = 16 * 1024;
/** Connections that may have a buffer of their own, in use or pinned by writes. */
const maxBuffers = 128;
const maxSpare = 16;
const spare: Buffer[] = [];
let inUse = 0;
let direct: Buffer | null = null;
let isPinned = false;

/** `null`: too many are in use. */
export function takeReadBuffer(): Buffer | null {
  if (inUse >= maxBuffers) return null;
  inUse += 1;
  return spare.pop() ?? Buffer.allocUnsafeSlow(readBytes);
}

export function giveReadBuffer(buffer: Buffer): void {
  inUse -= 1;
  if (spare.length < maxSpare) spare.push(buffer);
}

export function beginDirect(buffer: Buffer): void {
  direct = buffer;
  isPinned = false;
}

/** True when a write goes on from the buffer, which is that write's from now on. */
export function endDirect(): boolean {
  direct = null;
  return isPinned;
}

export function isDirect(bytes: Buffer): boolean {
  return bytes === direct;
}

/** A write goes on from the direct buffer: nobody else may do so. */
export function pinDirect(): void {
  direct = null;
  isPinned = true;
}
