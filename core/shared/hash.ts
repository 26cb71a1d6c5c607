/** Hashes for placing keys, not for keeping secrets: xxHash32 of a text's UTF-16 code units. */

const prime = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1] as const;

const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by));
const round = (lane: number, input: number) => Math.imul(rotate((lane + Math.imul(input, prime[1])) | 0, 13), prime[0]);

/** An unsigned 32-bit number; equal texts and seeds give equal numbers on every machine. */
export function hashText(text: string, seed = 0): number {
  const { length } = text;
  const word = (at: number) => (text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)) >>> 0;
  let at = 0;
  let hash: number;
  if (length >= 8) {
    let a = (seed + prime[0] + prime[1]) | 0;
    let b = (seed + prime[1]) | 0;
    let c = seed | 0;
    let d = (seed - prime[0]) | 0;
    for (; at + 8 <= length; at += 8) {
      a = round(a, word(at));
      b = round(b, word(at + 2));
      c = round(c, word(at + 4));
      d = round(d, word(at + 6));
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0;
  } else {
    hash = (seed + prime[4]) | 0;
  }
  hash = (hash + length * 2) | 0;
  for (; at + 2 <= length; at += 2) hash = Math.imul(rotate((hash + Math.imul(word(at), prime[2])) | 0, 17), prime[3]);
  for (; at < length; at += 1) {
    const unit = text.charCodeAt(at);
    hash = Math.imul(rotate((hash + Math.imul(unit & 0xff, prime[4])) | 0, 11), prime[0]);
    hash = Math.imul(rotate((hash + Math.imul(unit >>> 8, prime[4])) | 0, 11), prime[0]);
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime[1]);
  hash = Math.imul(hash ^ (hash >>> 13), prime[2]);
  return (hash ^ (hash >>> 16)) >>> 0;
}
