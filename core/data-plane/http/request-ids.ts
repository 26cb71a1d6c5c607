import { randomFillSync } from 'node:crypto';

/** Identifiers made from one call for random bytes. */
const perBatch = 256;
const idBytes = 16;
export const requestIdLength = 36;
const digits = Buffer.from('0123456789abcdef');
/** Index of each random byte's first digit in the text; a version 4 UUID, RFC 9562 section 5.4. */
const positions = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const hyphens = [8, 13, 18, 23];

const batch = Buffer.allocUnsafeSlow(perBatch * idBytes);
let used = batch.length;

/** Writes a random UUID to `out`, which has room for 36 octets. */
export function writeRequestId(out: Buffer): void {
  if (used === batch.length) {
    randomFillSync(batch);
    used = 0;
  }
  for (let index = 0; index < idBytes; index += 1) {
    let octet = batch[used + index] ?? 0;
    if (index === 6) octet = (octet & 0x0f) | 0x40;
    else if (index === 8) octet = (octet & 0x3f) | 0x80;
    const at = positions[index] ?? 0;
    out[at] = digits[octet >>> 4] ?? 0;
    out[at + 1] = digits[octet & 15] ?? 0;
  }
  used += idBytes;
  for (const at of hyphens) out[at] = 45;
}
