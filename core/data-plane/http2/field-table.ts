import { isFieldValue } from '../http/octets.ts';
import { kindOf, staticCount, staticFields } from './static-table.ts';

/**
 * Fields as lines, `name: value\r\n`: the form in which HTTP/1.1 and our canonical head write them, so that a field that
 * comes out of a table is one copy.
 */
export interface FieldLines {
  readonly bytes: Buffer;
  /** Where line `slot` starts. */
  readonly lineStart: Int32Array;
  readonly nameLength: Int32Array;
  readonly valueLength: Int32Array;
  readonly kind: Uint8Array;
  /** 1: the value is one that HTTP/1.1 could not carry either; the message it comes in is malformed. */
  readonly broken: Uint8Array;
}

/** What RFC 7541 section 4.1 adds to the octets of name and value. */
export const entryOverhead = 32;

/** No control characters (RFC 9110, 5.5) and no blank at either end (RFC 9113, 8.2.1). */
export function isBrokenValue(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (isFieldValue[bytes[at] ?? 0] !== 1) return true;
  if (end === start) return false;
  return isBlank(bytes[start]) || isBlank(bytes[end - 1]);
}

/** FNV-1a over the name in lower case. */
export function hashName(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) {
    const octet = bytes[at] ?? 0;
    hash = Math.imul(hash ^ (octet >= 65 && octet <= 90 ? octet | 32 : octet), 0x01000193);
  }
  return hash;
}

/** Goes on from `hashName` over the value. */
export function hashValue(nameHash: number, bytes: Buffer, start: number, end: number): number {
  let hash = Math.imul(nameHash ^ 58, 0x01000193);
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash ^ (hash >>> 15);
}

function isBlank(octet: number | undefined): boolean {
  return octet === 32 || octet === 9;
}

export const staticLines: FieldLines = buildStaticLines();

function buildStaticLines(): FieldLines {
  const bytes = Buffer.from(staticFields.map(({ name, value }) => `${name}: ${value}\r\n`).join(''), 'latin1');
  const lines = {
    bytes,
    lineStart: new Int32Array(staticCount),
    nameLength: new Int32Array(staticCount),
    valueLength: new Int32Array(staticCount),
    kind: new Uint8Array(staticCount),
    broken: new Uint8Array(staticCount),
  };
  let at = 0;
  staticFields.forEach(({ name, value }, slot) => {
    lines.lineStart[slot] = at;
    lines.nameLength[slot] = name.length;
    lines.valueLength[slot] = value.length;
    lines.kind[slot] = kindOf(bytes, at, at + name.length);
    at += name.length + value.length + 4;
  });
  return lines;
}

/**
 * A dynamic table, RFC 7541 section 2.3.2: entries leave in the order in which they came. Lines are kept in one buffer, never
 * across its end; three times the capacity is enough for that, as a line is shorter than what the entry counts.
 */
export class FieldTable implements FieldLines {
  bytes: Buffer = Buffer.alloc(0);
  lineStart = new Int32Array(0);
  nameLength = new Int32Array(0);
  valueLength = new Int32Array(0);
  kind = new Uint8Array(0);
  broken = new Uint8Array(0);
  /** Entries in the table. */
  count = 0;
  /** Entries ever added; the newest has number `added - 1`. */
  added = 0;
  size = 0;
  capacity: number;
  readonly #maxCapacity: number;
  #mask = 0;
  #end = 0;

  constructor(maxCapacity: number) {
    this.#maxCapacity = maxCapacity;
    this.capacity = maxCapacity;
  }

  /** Slot of the entry with this number; entries from `added - count` on are there. */
  slotOf(number: number): number {
    return number & this.#mask;
  }

  /** At most the `maxCapacity` of the constructor. */
  setCapacity(capacity: number): void {
    this.capacity = capacity;
    this.#evict(capacity);
  }

  /** Takes a copy of the line. False: larger than the table, which is empty now. */
  add(line: Buffer, start: number, nameLength: number, valueLength: number, kind: number, broken: number): boolean {
    const size = nameLength + valueLength + entryOverhead;
    if (size > this.capacity) {
      this.#evict(0);
      return false;
    }
    if (this.#mask === 0) this.#allocate();
    this.#evict(this.capacity - size);
    const length = nameLength + valueLength + 4;
    if (this.#end + length > this.bytes.length) this.#end = 0;
    line.copy(this.bytes, this.#end, start, start + length);
    const slot = this.added & this.#mask;
    this.lineStart[slot] = this.#end;
    this.nameLength[slot] = nameLength;
    this.valueLength[slot] = valueLength;
    this.kind[slot] = kind;
    this.broken[slot] = broken;
    this.#end += length;
    this.added += 1;
    this.count += 1;
    this.size += size;
    return true;
  }

  #allocate(): void {
    const slots = 2 ** Math.ceil(Math.log2(this.#maxCapacity / entryOverhead + 1));
    this.#mask = slots - 1;
    this.bytes = Buffer.allocUnsafeSlow(this.#maxCapacity * 3);
    this.lineStart = new Int32Array(slots);
    this.nameLength = new Int32Array(slots);
    this.valueLength = new Int32Array(slots);
    this.kind = new Uint8Array(slots);
    this.broken = new Uint8Array(slots);
  }

  #evict(downTo: number): void {
    while (this.size > downTo) {
      const slot = (this.added - this.count) & this.#mask;
      this.size -= (this.nameLength[slot] ?? 0) + (this.valueLength[slot] ?? 0) + entryOverhead;
      this.count -= 1;
    }
  }
}
