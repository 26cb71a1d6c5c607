/**
 * Istio's regular expressions are RE2 and match the whole value. RE2 is a subset of what JavaScript offers, written
 * slightly differently: what differs is translated, what RE2 does not have is refused, so that a rule that works here
 * works in production.
 */
const posixClasses: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};

/**
 * A `RegExp` that matches a whole string as RE2 would.
 * @throws Error when the pattern is not a valid RE2 expression; the message says why, for the user.
 */
export function compileRe2(pattern: string): RegExp {
  const withoutEscapes = pattern.replace(/\\./gs, '  ');
  if (/\(\?(?:=|!|<=|<!)/.test(withoutEscapes)) throw new Error('look-ahead and look-behind are not part of RE2');
  if (/\\(?:[1-9]|k<)/.test(pattern.replace(/\\\\/g, ''))) throw new Error('back-references are not part of RE2');
  const flagGroup = /^\(\?([is]+)\)/.exec(pattern);
  const body = (flagGroup === null ? pattern : pattern.slice(flagGroup[0].length))
    .replace(/\(\?P</g, '(?<')
    .replace(/\\A/g, '^')
    .replace(/\\z/g, '$')
    .replace(/\[:(\w+):\]/g, (whole, name: string) => posixClasses[name] ?? whole);
  const flags = [...new Set(flagGroup?.[1] ?? '')].join('');
  try {
    return new RegExp(`^(?:${body})$`, flags);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`not a valid regular expression: ${reason}`, { cause });
  }
}
