import { hashName } from './field-table.ts';

/** Below this length a cookie can be guessed through the size of what is sent (RFC 7541, 7.1.3). */
const guessableBytes = 20;
const maxLearned = 64;

function hashOf(name: string): number {
  const bytes = Buffer.from(name, 'latin1');
  return hashName(bytes, 0, bytes.length);
}

const cookie = hashOf('cookie');
const always = new Set([hashOf('authorization'), hashOf('proxy-authorization')]);
const learned = new Set<number>();

/** True for a field that no table may remember: it leaves as a never-indexed literal. */
export function isSensitive(nameHash: number, valueLength: number): boolean {
  if (nameHash === cookie) return valueLength < guessableBytes;
  return always.has(nameHash) || (learned.size > 0 && learned.has(nameHash));
}

/**
 * A peer sent a field of this name as never-indexed; whoever forwards it must do likewise (RFC 7541, 6.2.3). Kept by name, as
 * the field passes through forms that have no place for such a mark.
 */
export function learnSensitive(name: string): void {
  if (learned.size < maxLearned) learned.add(hashOf(name));
}
