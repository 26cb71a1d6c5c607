/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), reflected. Headers are short, so no table is kept for it. */
const polynomial = 0x82f63b78;

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
