import { describe, expect, it } from 'vitest';
import { compileRe2 } from '../../../core/model/re2.ts';

describe('RE2 expressions', () => {
  it.each([
    ['a|b', 'b', true],
    ['a|b', 'ab', false],
    ['(?i)ABC', 'abc', true],
    ['(?P<id>\\d+)', '12', true],
    ['[[:alpha:]]+', 'abc', true],
    ['\\Aab\\z', 'ab', true],
    ['a.c', 'a\nc', false],
    ['(?s)a.c', 'a\nc', true],
    ['a\n', 'a', false],
    ['\\(?=', '(=', true],
  ])('%s on %j: %s', (pattern, value, expected) => {
    expect(compileRe2(pattern).test(value)).toBe(expected);
  });

  it.each(['(?=a)b', '(?<!a)b', '(a)\\1', '(', '[z-a]'])('%s is refused', (pattern) => {
    expect(() => compileRe2(pattern)).toThrow(/RE2|not a valid regular expression/);
  });
});
