/** Classes of octets and case-insensitive comparison, RFC 9110 section 5.6.2. */

function classOf(test: (octet: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => (test(octet) ? 1 : 0));
}

const tokenCharacters = new Set(
  Buffer.from("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
);
/** tchar: methods and header names. */
export const isToken = classOf((octet) => tokenCharacters.has(octet));
/** Header values and reason phrases: no control characters but the tab; octets from 0x80 are opaque. */
export const isFieldValue = classOf((octet) => octet === 9 || (octet >= 32 && octet !== 127));
/** Request targets: no space and no control characters; raw octets from 0x80 pass (clients do send them). */
export const isTarget = classOf((octet) => octet > 32 && octet !== 127);
const hostRefused = new Set(Buffer.from('/?#@\\"<>^`{|},'));
/** Host: what may not confuse a URL parser behind us. */
export const isHost = classOf((octet) => octet > 32 && octet !== 127 && !hostRefused.has(octet));

/** A lower-case word to compare with. */
export function toOctets(word: string): Uint8Array {
  return Uint8Array.from(Buffer.from(word, 'latin1'));
}

/** True when the bytes from `start` on are `word`, ASCII case aside. The caller has compared the length. */
export function equalsIgnoringCase(bytes: Uint8Array, start: number, word: Uint8Array): boolean {
  for (let index = 0; index < word.length; index += 1) {
    let octet = bytes[start + index] ?? 0;
    if (octet >= 65 && octet <= 90) octet |= 32;
    if (octet !== word[index]) return false;
  }
  return true;
}

/**
 * RFC 9110 section 6.5.1: what frames, addresses or authorizes a message comes too late in its trailers; a server behind us
 * that took it from there would read another message than we did.
 */
const forbiddenTrailers = [
  'transfer-encoding',
  'content-length',
  'host',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'authorization',
].map(toOctets);

export function isForbiddenTrailer(bytes: Uint8Array, start: number, length: number): boolean {
  return forbiddenTrailers.some((word) => word.length === length && equalsIgnoringCase(bytes, start, word));
}
