/**
 * Bytes that wait in this process: sent by one side and not taken by the other yet, or kept until a head, a body or a window is
 * complete. Whoever keeps bytes says so here, and says when they have gone. One number for all connections, as they share
 * one memory: the more waits, the less may wait for each of them.
 */

/** From here on nobody gets more ahead of a slow reader than `tightBytes`. */
const pressureBytes = 32 * 1024 * 1024;
const tightBytes = 16 * 1024;
/** From here on who makes more wait is broken off. */
const overfullBytes = 192 * 1024 * 1024;

let held = 0;

/** Negative: they are not kept any more. */
export function holdBytes(bytes: number): void {
  held += bytes;
}

export function heldBytes(): number {
  return held;
}

/** What may wait on one connection, given what may at most. */
export function allowance(mostBytes: number): number {
  return held < pressureBytes ? mostBytes : Math.min(mostBytes, tightBytes);
}

export function isOverfull(): boolean {
  return held >= overfullBytes;
}
