import type { HeaderOperations } from '../../model/traffic-config.ts';
import type { HeadFields } from './codec.ts';

interface Line {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Frame the message or belong to this hop: no rule may touch them, or the two sides would disagree on where it ends. */
const untouchable = new Set(['content-length', 'transfer-encoding', 'connection', 'upgrade', 'te', 'host']);
/** Of a line that does not go on: what says how connection and message go on is read again all the same. */
const readAgain = new Set(['connection', 'upgrade', 'te']);
const lineEnd = Buffer.from('\r\n');

/**
 * A head with header operations applied: per set, removals first, then replacements, then additions (Envoy). The start line
 * stays. To be parsed again; only heads of routes with such operations come here.
 * @param fillIn puts in Envoy's variables; '' leaves the header out
 */
export function editHead(
  bytes: Buffer,
  head: HeadFields & { readonly start: number },
  operations: readonly HeaderOperations[],
  fillIn: (value: string) => string,
): Buffer {
  let lines = readLines(bytes, head);
  for (const { remove, set, add } of operations) {
    const gone = new Set([...remove, ...set.map(([name]) => name)].filter((name) => !untouchable.has(name)));
    if (gone.size > 0) lines = lines.filter(({ name }) => !gone.has(name));
    for (const [name, text] of [...set, ...add]) {
      const value = fillIn(text);
      if (value === '' || untouchable.has(name)) continue;
      lines.push({ name, bytes: Buffer.from(`${name}: ${value}\r\n`, 'latin1') });
    }
  }
  return Buffer.concat([bytes.subarray(head.start, head.fieldsStart), ...lines.map((line) => line.bytes), lineEnd]);
}

function readLines(bytes: Buffer, head: HeadFields): Line[] {
  const { count, nameStart, nameEnd, dropped, end } = head;
  const lines: Line[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = nameStart[index] ?? 0;
    const next = index + 1 < count ? (nameStart[index + 1] ?? 0) : end - lineEnd.length;
    const name = bytes.toString('latin1', start, nameEnd[index]).toLowerCase();
    if (dropped[index] === 0 || readAgain.has(name)) lines.push({ name, bytes: bytes.subarray(start, next) });
  }
  return lines;
}
