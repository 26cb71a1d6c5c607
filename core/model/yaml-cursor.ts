/**
 * Where a place in a YAML text is, by indentation alone: it works while the text is being typed and does not parse yet.
 * Flow style (`{a: 1}`) and keys of several lines are not understood; there the answer is `null`.
 */
import type { FieldPath } from './field-path.ts';

export interface YamlPlace {
  /** Of the document (`---`) that the place is in, as far as they are written. */
  readonly apiVersion: string | null;
  readonly kind: string | null;
  /** Of the object whose key is written here, or of the field whose value is. */
  readonly path: FieldPath;
  readonly at: 'key' | 'value';
  /** Offset where the word at the place begins. */
  readonly from: number;
  /** Keys that the object already has, without the one at the place. Empty for a value. */
  readonly siblings: ReadonlySet<string>;
}

interface Line {
  readonly text: string;
  readonly offset: number;
  readonly number: number;
}

/** One level of the tree that is open at a line; `index` counts the items of a list. */
type Level =
  | { readonly column: number; readonly key: string }
  | { readonly column: number; readonly key: null; readonly index: number };

/** The place at `offset`, `null` in comments, block scalars, flow style and on separators. */
export function placeAt(text: string, offset: number): YamlPlace | null {
  const lines = documentAround(text, offset);
  const current = lines.find((line) => offset >= line.offset && offset <= line.offset + line.text.length);
  if (current === undefined) return null;
  const before = current.text.slice(0, offset - current.offset);
  if (/(^|\s)#|[{[]/.test(before)) return null;

  const keys: { readonly parent: string; readonly key: string; readonly line: number }[] = [];
  let levels: readonly Level[] = [];
  let at: readonly Level[] | null = null;
  let blockColumn: number | null = null;
  let apiVersion: string | null = null;
  let kind: string | null = null;
  const head = splitLine(before);
  for (const line of lines) {
    const { dashes, column, key, value } = splitLine(line.text);
    if (line === current) {
      if (blockColumn !== null && head.column > blockColumn && before.trim() !== '') return null;
      at = open(levels, head.dashes, head.column, head.key);
    }
    if (line.text.trim() === '' || line.text.trim().startsWith('#')) continue;
    if (blockColumn !== null && column > blockColumn && dashes.length === 0) continue;
    blockColumn = /^[|>][-+\d]*$/.test(value) ? column : null;
    levels = open(levels, dashes, column, key);
    if (key === null) continue;
    keys.push({ parent: pathKey(toPath(levels).slice(0, -1)), key, line: line.number });
    if (column === 0 && key === 'apiVersion') apiVersion = unquote(value);
    if (column === 0 && key === 'kind') kind = unquote(value);
  }
  if (at === null) return null;
  const path = toPath(at);
  const word = /[^\s:]*$/.exec(head.key === null ? before : head.value)?.[0] ?? '';
  const siblings = keys.filter((one) => one.parent === pathKey(path) && one.line !== current.number);
  return {
    apiVersion,
    kind,
    path,
    at: head.key === null ? 'key' : 'value',
    from: offset - word.length,
    siblings: new Set(head.key === null ? siblings.map(({ key }) => key) : []),
  };
}

function documentAround(text: string, offset: number): readonly Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (const [number, line] of text.split('\n').entries()) {
    if (/^(---|\.\.\.)(\s|$)/.test(line)) {
      if (start + line.length >= offset) break;
      lines.length = 0;
    } else lines.push({ text: line, offset: start, number });
    start += line.length + 1;
  }
  return lines;
}

/** `  - match:` is an item at column 2 and a key at column 4. */
function splitLine(text: string): { dashes: readonly number[]; column: number; key: string | null; value: string } {
  const dashes: number[] = [];
  let column = /^ */.exec(text)?.[0].length ?? 0;
  while (text[column] === '-' && (text[column + 1] === ' ' || text.length === column + 1)) {
    dashes.push(column);
    column += 1;
    while (text[column] === ' ') column += 1;
  }
  const found = /^("[^"]*"|'[^']*'|[^\s:#'"][^:#]*?)\s*:(?:\s+(.*)|)$/.exec(text.slice(column));
  return { dashes, column, key: found?.[1] === undefined ? null : unquote(found[1]), value: found?.[2]?.trim() ?? '' };
}

/** What is open once a line with these list items and this key has begun. */
function open(
  before: readonly Level[],
  dashes: readonly number[],
  column: number,
  key: string | null,
): readonly Level[] {
  let levels = before;
  for (const dash of dashes) {
    // A list may stand at the column of its own key.
    const kept = levels.filter((level) => level.column < dash || (level.column === dash && level.key !== null));
    const same = levels.find((level) => level.column === dash && level.key === null);
    levels = [...kept, { column: dash, key: null, index: same?.key === null ? same.index + 1 : 0 }];
  }
  levels = levels.filter((level) => level.column < column);
  return key === null ? levels : [...levels, { column, key }];
}

const toPath = (levels: readonly Level[]): FieldPath =>
  levels.map((level) => (level.key === null ? level.index : level.key));

const pathKey = (path: FieldPath) => JSON.stringify(path);

const unquote = (text: string) => text.replace(/^(["'])(.*)\1$/, '$2');
