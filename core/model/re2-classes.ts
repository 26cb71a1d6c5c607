/** Character classes of RE2 in the words of a JavaScript class (flag `u`): ASCII only, unlike JavaScript's own. */
/** A character inside `[...]` of a JavaScript expression with the flag `u`. */
export function quoteInClass(char: string): string {
  return /[\\\]^\-[/]/.test(char) ? `\\${char}` : char;
}

/** RE2's classes are ASCII only; JavaScript's `\s` is not, and `\w` is not with `iu`. */
export const perlClasses: Readonly<Record<string, string>> = {
  d: '0-9',
  w: '0-9A-Za-z_',
  s: '\\t\\n\\f\\r ',
  D: '\\0-\\/:-\\u{10ffff}',
  W: '\\0-\\/:-@\\[-\\^`\\{-\\u{10ffff}',
  S: '\\0-\\x08\\x0b\\x0e-\\x1f!-\\u{10ffff}',
};
export const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\0-\\x7f',
  blank: '\\t ',
  cntrl: '\\0-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** Everything but the set: as a class of its own, so a whole `[^...]` cannot be put into another class. */
export function complement(set: string): string {
  const excluded = new RegExp(`[${set}]`, 'u');
  let body = '';
  let start: number | null = null;
  for (let code = 0; code <= 0x80; code += 1) {
    const inside = code < 0x80 && excluded.test(String.fromCharCode(code));
    if (!inside && start === null) start = code;
    if (inside && start !== null) {
      body += `\\x${hex(start)}-\\x${hex(code - 1)}`;
      start = null;
    }
  }
  return `${body}${start === null ? '\\x80' : `\\x${hex(start)}`}-\\u{10ffff}`;
}

const hex = (code: number): string => code.toString(16).padStart(2, '0');

const categories = /^(?:C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/;

/** JavaScript's name of a Unicode class of RE2; `null` when there is none. */
export function unicodeProperty(name: string): string | null {
  if (name === 'Any') return 'Any';
  if (categories.test(name)) return name;
  if (!/^[A-Z][A-Za-z_]+$/.test(name)) return null;
  try {
    return new RegExp(`\\p{Script=${name}}`, 'u') && `Script=${name}`;
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw cause;
  }
}
