// Bytes that are the same every time and never repeat, so that one lost, doubled or moved byte changes their digest.
import { createCipheriv } from 'node:crypto';

const zeros = Buffer.alloc(64 * 1024);

/** `size` bytes in chunks of at most 64 KiB. */
export function* createKeystream(size) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  for (let left = size; left > 0; left -= zeros.length)
    yield cipher.update(zeros.subarray(0, Math.min(left, zeros.length)));
}
