import { entryOverhead, type FieldLines, FieldTable, hashName, hashValue, staticLines } from './field-table.ts';
import { isSensitive } from './sensitive-fields.ts';
import { staticCount } from './static-table.ts';

/** Larger tables are not used, whatever the peer offers. */
const maxTableBytes = 4_096;
/** Fields whose entry would push out more than a quarter of the table are not put into it. */
const maxEntryShare = 4;
const hashSlots = 512;
const line = Buffer.allocUnsafeSlow(maxTableBytes + 4);

const fullHashOfStatic = new Int32Array(staticCount);
const staticByHash = new Map<number, number>();
const staticByName = new Map<number, number>();
for (let slot = staticCount - 1; slot >= 0; slot -= 1) {
  const { bytes, lineStart, nameLength, valueLength } = staticLines;
  const start = lineStart[slot] ?? 0;
  const nameEnd = start + (nameLength[slot] ?? 0);
  const nameHash = hashName(bytes, start, nameEnd);
  fullHashOfStatic[slot] = hashValue(nameHash, bytes, nameEnd + 2, nameEnd + 2 + (valueLength[slot] ?? 0));
  staticByHash.set(fullHashOfStatic[slot] ?? 0, slot);
  staticByName.set(nameHash, slot);
}

/**
 * HPACK, RFC 7541: one encoder for each direction of a connection. A field goes into the table when it is seen for the second
 * time, so that what never repeats (ids, dates) does not push out what does. Strings leave as they are: on one machine the
 * octets that Huffman coding saves cost more than they are worth.
 *
 * Between `begin` and `end` the caller has room for `blockBound` octets.
 */
export class HpackEncoder {
  readonly #table = new FieldTable(maxTableBytes);
  /** Entry number + 1 by the hash of the whole field, and of its name; may be stale. */
  #byField: Int32Array | null = null;
  #byName: Int32Array | null = null;
  readonly #seen = new Int32Array(128);
  #out: Buffer = line;
  #at = 0;
  /** Sizes to announce with the next block: the smallest since the last one, and the one in force. */
  #smallest = -1;
  #resized = false;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setLimit(bytes: number): void {
    const capacity = Math.min(bytes, maxTableBytes);
    if (capacity === this.#table.capacity) return;
    this.#smallest = this.#resized ? Math.min(this.#smallest, capacity) : capacity;
    this.#resized = true;
    this.#table.setCapacity(capacity);
  }

  begin(out: Buffer, at: number): void {
    this.#out = out;
    this.#at = at;
    if (!this.#resized) return;
    this.#resized = false;
    if (this.#smallest < this.#table.capacity) this.#writeInteger(0x20, 0x1f, this.#smallest);
    this.#writeInteger(0x20, 0x1f, this.#table.capacity);
  }

  /** Index after the block. */
  end(): number {
    return this.#at;
  }

  /** The name may be in any case; it leaves in lower case. */
  field(names: Buffer, nameStart: number, nameEnd: number, values: Buffer, valueStart: number, valueEnd: number): void {
    const nameHash = hashName(names, nameStart, nameEnd);
    if (isSensitive(nameHash, valueEnd - valueStart)) {
      this.#writeLiteral(0x10, 0x0f, nameHash, names, nameStart, nameEnd, values, valueStart, valueEnd);
      return;
    }
    const hash = hashValue(nameHash, values, valueStart, valueEnd);
    const known = this.#find(hash, names, nameStart, nameEnd, values, valueStart, valueEnd);
    if (known > 0) {
      this.#writeInteger(0x80, 0x7f, known);
      return;
    }
    const size = nameEnd - nameStart + valueEnd - valueStart + entryOverhead;
    const seenSlot = hash & 127;
    if (this.#seen[seenSlot] !== hash || size * maxEntryShare > this.#table.capacity) {
      this.#seen[seenSlot] = hash;
      this.#writeLiteral(0, 0x0f, nameHash, names, nameStart, nameEnd, values, valueStart, valueEnd);
      return;
    }
    this.#writeLiteral(0x40, 0x3f, nameHash, names, nameStart, nameEnd, values, valueStart, valueEnd);
    this.#add(nameHash, hash, names, nameStart, nameEnd, values, valueStart, valueEnd);
  }

  #add(
    nameHash: number,
    hash: number,
    names: Buffer,
    nameStart: number,
    nameEnd: number,
    values: Buffer,
    valueStart: number,
    valueEnd: number,
  ): void {
    const nameLength = nameEnd - nameStart;
    for (let at = 0; at < nameLength; at += 1) {
      const octet = names[nameStart + at] ?? 0;
      line[at] = octet >= 65 && octet <= 90 ? octet | 32 : octet;
    }
    values.copy(line, nameLength + 2, valueStart, valueEnd);
    if (!this.#table.add(line, 0, nameLength, valueEnd - valueStart, 0, 0)) return;
    this.#byField ??= new Int32Array(hashSlots);
    this.#byName ??= new Int32Array(hashSlots);
    this.#byField[hash & (hashSlots - 1)] = this.#table.added;
    this.#byName[nameHash & (hashSlots - 1)] = this.#table.added;
  }

  /** Index of exactly this field, 0 when it is in no table. */
  #find(
    hash: number,
    names: Buffer,
    nameStart: number,
    nameEnd: number,
    values: Buffer,
    valueStart: number,
    valueEnd: number,
  ): number {
    const fixed = staticByHash.get(hash);
    if (fixed !== undefined && isField(staticLines, fixed, names, nameStart, nameEnd, values, valueStart, valueEnd)) {
      return fixed + 1;
    }
    if (this.#byField === null) return 0;
    const number = (this.#byField[hash & (hashSlots - 1)] ?? 0) - 1;
    const table = this.#table;
    if (number < table.added - table.count) return 0;
    const slot = table.slotOf(number);
    if (!isField(table, slot, names, nameStart, nameEnd, values, valueStart, valueEnd)) return 0;
    return staticCount + table.added - number;
  }

  #findName(nameHash: number, names: Buffer, nameStart: number, nameEnd: number): number {
    const fixed = staticByName.get(nameHash);
    if (fixed !== undefined && isName(staticLines, fixed, names, nameStart, nameEnd)) return fixed + 1;
    if (this.#byName === null) return 0;
    const number = (this.#byName[nameHash & (hashSlots - 1)] ?? 0) - 1;
    const table = this.#table;
    if (number < table.added - table.count || number < 0) return 0;
    if (!isName(table, table.slotOf(number), names, nameStart, nameEnd)) return 0;
    return staticCount + table.added - number;
  }

  #writeLiteral(
    pattern: number,
    mask: number,
    nameHash: number,
    names: Buffer,
    nameStart: number,
    nameEnd: number,
    values: Buffer,
    valueStart: number,
    valueEnd: number,
  ): void {
    const name = this.#findName(nameHash, names, nameStart, nameEnd);
    this.#writeInteger(pattern, mask, name);
    if (name === 0) {
      this.#writeInteger(0, 0x7f, nameEnd - nameStart);
      let at = this.#at;
      for (let from = nameStart; from < nameEnd; from += 1) {
        const octet = names[from] ?? 0;
        this.#out[at] = octet >= 65 && octet <= 90 ? octet | 32 : octet;
        at += 1;
      }
      this.#at = at;
    }
    this.#writeInteger(0, 0x7f, valueEnd - valueStart);
    const length = valueEnd - valueStart;
    if (length > 32) values.copy(this.#out, this.#at, valueStart, valueEnd);
    else for (let at = 0; at < length; at += 1) this.#out[this.#at + at] = values[valueStart + at] ?? 0;
    this.#at += length;
  }

  #writeInteger(pattern: number, mask: number, value: number): void {
    const out = this.#out;
    if (value < mask) {
      out[this.#at] = pattern | value;
      this.#at += 1;
      return;
    }
    out[this.#at] = pattern | mask;
    this.#at += 1;
    let left = value - mask;
    while (left >= 0x80) {
      out[this.#at] = 0x80 | (left & 0x7f);
      this.#at += 1;
      left >>>= 7;
    }
    out[this.#at] = left;
    this.#at += 1;
  }
}

/** Octets that a block may take at most, given those of its names and values. */
export function blockBound(octets: number, fields: number): number {
  return octets + fields * 12 + 16;
}

function isName(lines: FieldLines, slot: number, names: Buffer, nameStart: number, nameEnd: number): boolean {
  const length = nameEnd - nameStart;
  if (lines.nameLength[slot] !== length) return false;
  const start = lines.lineStart[slot] ?? 0;
  for (let at = 0; at < length; at += 1) {
    const octet = names[nameStart + at] ?? 0;
    if (lines.bytes[start + at] !== (octet >= 65 && octet <= 90 ? octet | 32 : octet)) return false;
  }
  return true;
}

function isField(
  lines: FieldLines,
  slot: number,
  names: Buffer,
  nameStart: number,
  nameEnd: number,
  values: Buffer,
  valueStart: number,
  valueEnd: number,
): boolean {
  const length = valueEnd - valueStart;
  if (lines.valueLength[slot] !== length || !isName(lines, slot, names, nameStart, nameEnd)) return false;
  const start = (lines.lineStart[slot] ?? 0) + nameEnd - nameStart + 2;
  for (let at = 0; at < length; at += 1) if (lines.bytes[start + at] !== values[valueStart + at]) return false;
  return true;
}
