/** Below this a loop is faster than a call of `Buffer.copy`. */
const fewBytes = 64;

/** Copies `from[start, end)` to `to[at]`, which has room for it; returns the index after it. The two do not overlap. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const size = end - start;
  if (size > fewBytes) {
    from.copy(to, at, start, end);
    return at + size;
  }
  for (let index = 0; index < size; index += 1) to[at + index] = from[start + index] as number;
  return at + size;
}
