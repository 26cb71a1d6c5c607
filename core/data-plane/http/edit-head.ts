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
 * @param fillIn puts in Envoy's variables, with what headers of the message are now; '' leaves the header out
 */
export function editHead(
  bytes: Buffer,
  head: HeadFields & { readonly start: number },
  operations: readonly HeaderOperations[],
  fillIn: FillIn,
): Buffer {
  const toLine = (name: string, value: string) => ({ name, bytes: Buffer.from(`${name}: ${value}\r\n`, 'latin1') });
  const edited = applyOperations(readLines(bytes, head), operations, fillIn, { toLine, read: readValue });
  return Buffer.concat([bytes.subarray(head.start, head.fieldsStart), ...edited.map((line) => line.bytes), lineEnd]);
}

/** @param now the first value of a header of the message as it is so far, by lower-case name */
type FillIn = (value: string, now: (name: string) => string | undefined) => string;

type Pair = readonly [name: string, value: string];

/** The same for headers of an answer that is still to be written; lower-case names. */
export function editPairs(
  headers: readonly Pair[],
  operations: readonly HeaderOperations[],
  fillIn: FillIn,
): readonly Pair[] {
  const lines = headers.map(([name, value]) => ({ name, value }));
  const toLine = (name: string, value: string) => ({ name, value });
  const edited = applyOperations(lines, operations, fillIn, { toLine, read: ({ value }) => value });
  return edited.map(({ name, value }) => [name, value] as const);
}

interface LineForm<T> {
  toLine(name: string, value: string): T;
  read(line: T): string;
}

/**
 * Envoy's HeaderParser: what is removed goes first; then values are worked out, all from what is there now; one that comes to
 * nothing changes nothing. Replacements come before additions.
 */
function applyOperations<T extends { readonly name: string }>(
  before: readonly T[],
  operations: readonly HeaderOperations[],
  fillIn: FillIn,
  { toLine, read }: LineForm<T>,
): readonly T[] {
  let lines = before;
  for (const { remove, set, add } of operations) {
    const removed = remove.filter((name) => !untouchable.has(name));
    if (removed.length > 0) lines = lines.filter(({ name }) => !removed.includes(name));
    const left = lines;
    const now = (name: string) => {
      const line = left.find((one) => one.name === name);
      return line === undefined ? undefined : read(line);
    };
    const isMeant = ([name, value]: Pair) => value !== '' && !untouchable.has(name);
    const work = (pairs: readonly Pair[]) =>
      pairs.map(([name, text]): Pair => [name, fillIn(text, now)]).filter(isMeant);
    const [replaced, added] = [new Map(work(set)), work(add)];
    if (replaced.size > 0) lines = lines.filter(({ name }) => !replaced.has(name));
    lines = [...lines, ...[...replaced, ...added].map(([name, value]) => toLine(name, value))];
  }
  return lines;
}

function readValue({ name, bytes }: Line): string {
  return bytes.toString('latin1', name.length + 1).trim();
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
