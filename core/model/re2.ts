/**
 * Istio's regular expressions are RE2 and match the whole value. They are read as RE2 reads them and written anew as
 * JavaScript: what RE2 does not have is refused, so that a rule that works here works in production.
 */
import { parseRe2, type Re2Node } from './re2-parse.ts';

/** Istio refuses longer ones. */
const maxLength = 1024;

/**
 * A `RegExp` that matches a whole string as RE2 would.
 * @throws Error when the pattern is not a valid RE2 expression; the message says why, for the user.
 */
export function compileRe2(pattern: string): RegExp {
  const { source, flags } = translate(pattern);
  return new RegExp(`^(?:${source})$`, flags);
}

/**
 * A `RegExp` that finds every match in a string (Envoy's regex_rewrite). Groups keep their numbers.
 * @throws Error like `compileRe2`
 */
export function compileRe2Search(pattern: string): RegExp {
  const { source, flags } = translate(pattern);
  return new RegExp(source, `g${flags}`);
}

/** Why a pattern is no RE2 expression that Istio takes; `null` when it is one. */
export function re2Problem(pattern: string): string | null {
  if (pattern.length > maxLength) return `is longer than ${maxLength} characters`;
  try {
    compileRe2(pattern);
    return null;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

function translate(pattern: string): { source: string; flags: string } {
  const tree = parseRe2(pattern);
  const folds = new Set<boolean>();
  collectFolds(tree, folds);
  const foldsAll = folds.has(true) && !folds.has(false);
  return { source: write(tree, !foldsAll), flags: foldsAll ? 'iu' : 'u' };
}

function collectFolds(node: Re2Node, folds: Set<boolean>): void {
  if (node.kind === 'literal' && node.char.toLowerCase() === node.char.toUpperCase()) return;
  if (node.kind === 'literal' || node.kind === 'class') folds.add(node.fold);
  if (node.kind === 'group' || node.kind === 'repeat') collectFolds(node.body, folds);
  for (const item of node.kind === 'sequence' ? node.items : node.kind === 'choice' ? node.options : [])
    collectFolds(item, folds);
}

/** @param spell case is ignored in parts only, so those parts name both cases */
function write(node: Re2Node, spell: boolean): string {
  switch (node.kind) {
    case 'literal':
      return spell && node.fold ? bothCases(node.char) : quote(node.char);
    case 'any':
      return node.newline ? '[\\s\\S]' : '[^\\n]';
    case 'class': {
      const body = spell && node.fold ? node.body + missingCases(node.body) : node.body;
      return `[${node.negated ? '^' : ''}${body}]`;
    }
    case 'assert':
      return assertions[node.what];
    case 'group':
      return `(${node.capture ? '' : '?:'}${write(node.body, spell)})`;
    case 'sequence':
      return node.items.map((item) => write(item, spell)).join('');
    case 'choice':
      return `(?:${node.options.map((option) => write(option, spell)).join('|')})`;
    case 'repeat':
      return `(?:${write(node.body, spell)})${count(node.min, node.max)}${node.lazy ? '?' : ''}`;
  }
}

function count(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`;
  return min === 0 && max === 1 ? '?' : `{${min},${max}}`;
}

const assertions: Readonly<Record<Extract<Re2Node, { kind: 'assert' }>['what'], string>> = {
  start: '^',
  end: '$',
  'line-start': '(?<![^\\n])',
  'line-end': '(?![^\\n])',
  word: '\\b',
  'not-word': '\\B',
};

function quote(char: string): string {
  if (/[\\^$.*+?()[\]{}|/]/.test(char)) return `\\${char}`;
  return char;
}

function bothCases(char: string): string {
  const cases = new Set([char, char.toLowerCase(), char.toUpperCase()]);
  const single = [...cases].filter((one) => [...one].length === 1);
  return single.length === 1 ? quote(char) : `[${single.join('')}]`;
}

/** The other case of every ASCII letter in the class. */
function missingCases(body: string): string {
  const inClass = new RegExp(`[${body}]`, 'u');
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const other = (letter: string) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase());
  return letters.filter((letter) => !inClass.test(letter) && inClass.test(other(letter))).join('');
}
