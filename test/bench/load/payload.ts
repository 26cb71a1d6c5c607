/**
 * What load generator and upstream agree on: `GET /{bytes}/{token}` is answered with that many pseudo-random bytes and the
 * token in `x-token`, so that a lost, cut, altered or swapped answer is seen.
 */
export const tokenLength = 10;
const maxBytes = 4 * 1024 * 1024;

export const toToken = (value: number): string => String(value).padStart(tokenLength, '0');

/** Digits of `value` at `at`, as `toToken` writes them. */
export function writeToken(into: Buffer, at: number, value: number): void {
  let rest = value;
  for (let index = at + tokenLength - 1; index >= at; index -= 1) {
    const next = Math.floor(rest / 10);
    into[index] = 48 + rest - next * 10;
    rest = next;
  }
}

/** The same bytes for the same size, in every process. */
export function createBody(sizeBytes: number): Buffer {
  if (sizeBytes > maxBytes) throw new Error(`at most ${maxBytes} bytes`);
  const body = Buffer.alloc(sizeBytes);
  let state = 0x9e3779b9 ^ sizeBytes;
  for (let at = 0; at < sizeBytes; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    body[at] = state & 0xff;
  }
  return body;
}

/** Asks the application to fail now and then; lower-case, as some proxies make it anyway. */
export const failHeader = 'x-fail: 1';
