/**
 * Reads RE2 syntax (github.com/google/re2/wiki/Syntax, as Go's regexp/syntax takes it) into a tree. What RE2 does not
 * have is refused with the reason: look-around, back-references, possessive repeats, repeats above 1000.
 */
import { complement, perlClasses, posixClasses, quoteInClass, unicodeProperty } from './re2-classes.ts';

export type Re2Node =
  | { readonly kind: 'literal'; readonly char: string; readonly fold: boolean }
  | { readonly kind: 'any'; readonly newline: boolean }
  | { readonly kind: 'class'; readonly body: string; readonly negated: boolean; readonly fold: boolean }
  | { readonly kind: 'assert'; readonly what: 'start' | 'end' | 'line-start' | 'line-end' | 'word' | 'not-word' }
  | { readonly kind: 'group'; readonly body: Re2Node; readonly capture: boolean }
  | { readonly kind: 'sequence'; readonly items: readonly Re2Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Re2Node[] }
  | {
      readonly kind: 'repeat';
      readonly body: Re2Node;
      readonly min: number;
      readonly max: number;
      readonly lazy: boolean;
    };

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly U: boolean;
}

const maxRepeat = 1000;
const maxDepth = 200;

/** @throws Error with the reason, for the user, when the pattern is no RE2 expression. */
export function parseRe2(pattern: string): Re2Node {
  const reader = new Reader(pattern);
  const tree = reader.choice({ i: false, m: false, s: false, U: false }, 0);
  if (!reader.done) throw new Error('has a ")" without a "("');
  if (repeatSize(tree) > maxRepeat) throw new Error(`repeats more than ${maxRepeat} times, which RE2 refuses`);
  return tree;
}

/** Largest product of nested counts: RE2 expands them. */
function repeatSize(node: Re2Node): number {
  switch (node.kind) {
    case 'repeat': {
      const own = Math.max(node.min, node.max === Number.POSITIVE_INFINITY ? 1 : node.max, 1);
      return own * repeatSize(node.body);
    }
    case 'group':
      return repeatSize(node.body);
    case 'sequence':
      return Math.max(1, ...node.items.map(repeatSize));
    case 'choice':
      return Math.max(1, ...node.options.map(repeatSize));
    default:
      return 1;
  }
}

class Reader {
  readonly #chars: readonly string[];
  readonly #names = new Set<string>();
  #at = 0;

  constructor(pattern: string) {
    this.#chars = [...pattern];
  }

  get done(): boolean {
    return this.#at >= this.#chars.length;
  }

  #peek(offset = 0): string {
    return this.#chars[this.#at + offset] ?? '';
  }

  #rest(length: number): string {
    return this.#chars.slice(this.#at, this.#at + length).join('');
  }

  #take(): string {
    const char = this.#peek();
    this.#at += 1;
    return char;
  }

  choice(flags: Flags, depth: number): Re2Node {
    if (depth > maxDepth) throw new Error('is nested too deeply');
    const options: Re2Node[] = [];
    let current = flags;
    let items: Re2Node[] = [];
    while (!this.done && this.#peek() !== ')') {
      if (this.#peek() === '|') {
        this.#take();
        options.push(sequence(items));
        items = [];
        continue;
      }
      const changed = this.#flagChange(current);
      if (changed !== null) current = changed;
      else items.push(...this.#repeated(this.#atom(current, depth), current));
    }
    options.push(sequence(items));
    return options.length === 1 ? (options[0] ?? sequence([])) : { kind: 'choice', options };
  }

  /** `(?i)` holds to the end of the group it stands in; `null` when there is none here. */
  #flagChange(flags: Flags): Flags | null {
    const match = /^\(\?([imsU]*)(-[imsU]+)?\)/.exec(this.#rest(16));
    if (match === null) return null;
    this.#at += match[0].length;
    return withFlags(flags, match[1] ?? '', match[2] ?? '');
  }

  #atom(flags: Flags, depth: number): Re2Node[] {
    const char = this.#take();
    switch (char) {
      case '(':
        return [this.#group(flags, depth)];
      case '[':
        return [this.#class(flags)];
      case '.':
        return [{ kind: 'any', newline: flags.s }];
      case '^':
        return [{ kind: 'assert', what: flags.m ? 'line-start' : 'start' }];
      case '$':
        return [{ kind: 'assert', what: flags.m ? 'line-end' : 'end' }];
      case '\\':
        return this.#escape(flags);
      case '*':
      case '+':
      case '?':
        throw new Error(`has "${char}" with nothing to repeat`);
      case '{':
        this.#at -= 1;
        if (this.#count() !== null) throw new Error('has a count with nothing to repeat');
        this.#at += 1;
        return [{ kind: 'literal', char, fold: flags.i }];
      default:
        return [{ kind: 'literal', char, fold: flags.i }];
    }
  }

  #group(flags: Flags, depth: number): Re2Node {
    let inner = flags;
    let capture = true;
    if (this.#peek() === '?') {
      const start = this.#rest(70);
      if (/^\?(?:=|!|<=|<!)/.test(start)) throw new Error('look-ahead and look-behind are not part of RE2');
      const name = /^\?P?<([^>]*)>/.exec(start);
      const scoped = /^\?([imsU]*)(-[imsU]+)?:/.exec(start);
      if (name !== null) this.#nameGroup(name[1] ?? '');
      else if (scoped === null) throw new Error('has a group that RE2 does not know ("(?")');
      else {
        inner = withFlags(flags, scoped[1] ?? '', scoped[2] ?? '');
        capture = false;
      }
      this.#at += (name ?? scoped)?.[0].length ?? 0;
    }
    const body = this.choice(inner, depth + 1);
    if (this.#take() !== ')') throw new Error('has a "(" without a ")"');
    return { kind: 'group', body, capture };
  }

  #nameGroup(name: string): void {
    if (!/^\w+$/.test(name)) throw new Error(`has a group with the name "${name}", which is none`);
    if (this.#names.has(name)) throw new Error(`has two groups with the name "${name}"`);
    this.#names.add(name);
  }

  /** The atom with the repeat that follows it; a quoted run (`\Q..\E`) repeats its last letter. */
  #repeated(atoms: Re2Node[], flags: Flags): Re2Node[] {
    const count = this.#count();
    if (count === null) return atoms;
    const body = atoms.pop();
    if (body === undefined) throw new Error(`has "${count.text}" with nothing to repeat`);
    let lazy = flags.U;
    if (this.#peek() === '?') {
      this.#take();
      lazy = !lazy;
    }
    const again = this.#count();
    if (again !== null) throw new Error(`has "${count.text}${again.text}", which is not part of RE2`);
    return [...atoms, { kind: 'repeat', body, min: count.min, max: count.max, lazy }];
  }

  #count(): { readonly min: number; readonly max: number; readonly text: string } | null {
    const char = this.#peek();
    if (char === '*' || char === '+' || char === '?') {
      this.#take();
      return { min: char === '+' ? 1 : 0, max: char === '?' ? 1 : Number.POSITIVE_INFINITY, text: char };
    }
    const match = /^\{(0|[1-9]\d*)(,(0|[1-9]\d*)?)?\}/.exec(this.#rest(24));
    if (match === null) return null;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === undefined ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (min > maxRepeat || (max !== Number.POSITIVE_INFINITY && (max > maxRepeat || max < min))) {
      throw new Error(`has "${match[0]}", which is no count (at most ${maxRepeat})`);
    }
    this.#at += match[0].length;
    return { min, max, text: match[0] };
  }

  #escape(flags: Flags): Re2Node[] {
    if (this.#peek() === 'Q') return this.#quoted(flags);
    const assertion = assertions[this.#peek()];
    if (assertion !== undefined) {
      this.#take();
      return [{ kind: 'assert', what: assertion }];
    }
    const named = this.#namedClass();
    if (named !== null) return [{ kind: 'class', body: named, negated: false, fold: flags.i }];
    return [{ kind: 'literal', char: this.#escapedChar(), fold: flags.i }];
  }

  #quoted(flags: Flags): Re2Node[] {
    this.#take();
    const items: Re2Node[] = [];
    while (!this.done && this.#rest(2) !== '\\E') items.push({ kind: 'literal', char: this.#take(), fold: flags.i });
    if (!this.done) this.#at += 2;
    return items;
  }

  /** `\d`, `\pL`, `\p{Greek}` after the backslash, as the inside of a JavaScript class; `null` for another escape. */
  #namedClass(): string | null {
    const char = this.#peek();
    const perl = perlClasses[char];
    if (perl !== undefined) {
      this.#take();
      return perl;
    }
    if (char !== 'p' && char !== 'P') return null;
    const match = /^[pP](?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/.exec(this.#rest(40));
    if (match === null) throw new Error('has a \\p without a Unicode class');
    this.#at += [...match[0]].length;
    const name = match[2] ?? match[3] ?? '';
    const negated = (char === 'P') !== (match[1] === '^');
    const property = unicodeProperty(name);
    if (property === null) throw new Error(`has the Unicode class "${name}", which RE2 does not know`);
    return `\\${negated ? 'P' : 'p'}{${property}}`;
  }

  #escapedChar(): string {
    const char = this.#take();
    if (char === '') throw new Error('ends in a backslash');
    const control = controls[char];
    if (control !== undefined) return control;
    if (char === 'x') return this.#hex();
    if (/[0-7]/.test(char)) {
      if (char !== '0' && !/[0-7]/.test(this.#peek())) throw new Error('back-references are not part of RE2');
      let digits = char;
      while (digits.length < 3 && /[0-7]/.test(this.#peek())) digits += this.#take();
      return String.fromCodePoint(Number.parseInt(digits, 8));
    }
    if (/[89]/.test(char) || char === 'k') throw new Error('back-references are not part of RE2');
    if (/[A-Za-z]/.test(char) || char.charCodeAt(0) > 0x7f)
      throw new Error(`has the escape "\\${char}", which is not part of RE2`);
    return char;
  }

  #hex(): string {
    const match = /^(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/.exec(this.#rest(12));
    const code = Number.parseInt(match?.[1] ?? match?.[2] ?? '', 16);
    if (match === null || !(code <= 0x10ffff)) throw new Error('has a \\x without a character');
    this.#at += match[0].length;
    return String.fromCodePoint(code);
  }

  #class(flags: Flags): Re2Node {
    const negated = this.#peek() === '^';
    if (negated) this.#take();
    let body = '';
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.done) throw new Error('has a "[" without a "]"');
      body += this.#classItem();
    }
    this.#take();
    return { kind: 'class', body, negated, fold: flags.i };
  }

  #classItem(): string {
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.#rest(16));
    if (posix !== null) {
      const set = posixClasses[posix[2] ?? ''];
      if (set === undefined) throw new Error(`has the class "${posix[0]}", which RE2 does not know`);
      this.#at += posix[0].length;
      return posix[1] === '^' ? complement(set) : set;
    }
    if (this.#peek() === '\\') {
      this.#take();
      const named = this.#namedClass();
      if (named !== null) return named;
      this.#at -= 1;
    }
    const from = this.#classChar();
    if (this.#peek() !== '-' || this.#peek(1) === ']' || this.#peek(1) === '') return quoteInClass(from);
    this.#take();
    const to = this.#classChar();
    if ((to.codePointAt(0) ?? 0) < (from.codePointAt(0) ?? 0))
      throw new Error(`has the range "${from}-${to}", which runs backwards`);
    return `${quoteInClass(from)}-${quoteInClass(to)}`;
  }

  #classChar(): string {
    const char = this.#take();
    return char === '\\' ? this.#escapedChar() : char;
  }
}

function sequence(items: readonly Re2Node[]): Re2Node {
  const [only] = items;
  return items.length === 1 && only !== undefined ? only : { kind: 'sequence', items };
}

function withFlags(flags: Flags, on: string, off: string): Flags {
  const value = (flag: keyof Flags) => (on.includes(flag) || flags[flag]) && !off.includes(flag);
  return { i: value('i'), m: value('m'), s: value('s'), U: value('U') };
}

type Assertion = Extract<Re2Node, { kind: 'assert' }>['what'];
const assertions: Readonly<Record<string, Assertion>> = { A: 'start', z: 'end', b: 'word', B: 'not-word' };
const controls: Readonly<Record<string, string>> = { a: '\x07', f: '\f', t: '\t', n: '\n', r: '\r', v: '\v' };
