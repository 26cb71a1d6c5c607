/** Splits one line of YAML into coloured parts. Good enough for what the product writes; not a parser. */
export interface YamlToken {
  readonly kind: 'plain' | 'key' | 'text' | 'number' | 'comment';
  readonly text: string;
}

const parts =
  /(#.*$)|("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|([A-Za-z_][\w./-]*)(?=\s*:(?:\s|$))|(-?\d+(?:\.\d+)?)(?=[\s,}\]]|$)|([^\s:{}[\],#"'-][^\s,{}[\]#]*)/g;

export function tokenizeYaml(line: string): readonly YamlToken[] {
  const tokens: YamlToken[] = [];
  let at = 0;
  for (const match of line.matchAll(parts)) {
    if (match.index > at) tokens.push({ kind: 'plain', text: line.slice(at, match.index) });
    tokens.push({ kind: kindOf(match), text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < line.length) tokens.push({ kind: 'plain', text: line.slice(at) });
  return tokens;
}

function kindOf(match: RegExpMatchArray): YamlToken['kind'] {
  if (match[1] !== undefined) return 'comment';
  if (match[2] !== undefined || match[5] !== undefined) return 'text';
  return match[3] === undefined ? 'number' : 'key';
}
