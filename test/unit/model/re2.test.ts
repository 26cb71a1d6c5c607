import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileRe2, compileRe2Search, re2Problem } from '../../../core/model/re2.ts';

/** What Go's regexp says of each pattern; test/fixtures/re2/record.go recorded it. */
const read = (name: string) => JSON.parse(readFileSync(new URL(`../../fixtures/re2/${name}`, import.meta.url), 'utf8'));
const { verdicts } = read('verdicts.json') as { verdicts: Readonly<Record<string, readonly string[] | null>> };
const values = read('values.json') as readonly string[];

describe('RE2 expressions', () => {
  it.each(Object.entries(verdicts))(
    '%j is taken or refused as by RE2, and matches the same values',
    (pattern, matched) => {
      if (matched === null) {
        expect(re2Problem(pattern)).not.toBeNull();
        return;
      }
      expect(re2Problem(pattern)).toBeNull();
      const regexp = compileRe2(pattern);
      expect(values.filter((value) => regexp.test(value))).toEqual(matched);
    },
  );

  it.each([
    ['(?=a)b', 'look-ahead and look-behind are not part of RE2'],
    ['(a)\\1', 'back-references are not part of RE2'],
    ['a**', 'has "**", which is not part of RE2'],
    ['a{1001}', 'has "{1001}", which is no count (at most 1000)'],
    ['(', 'has a "(" without a ")"'],
    ['[z-a]', 'has the range "z-a", which runs backwards'],
    ['(?P<a>b)(?P<a>c)', 'has two groups with the name "a"'],
    ['a'.repeat(1025), 'is longer than 1024 characters'],
  ])('says why %s is refused', (pattern, reason) => {
    expect(re2Problem(pattern)).toBe(reason);
  });

  it('finds every match in a text, with its groups', () => {
    expect('/a/1/b/2'.replace(compileRe2Search('/(\\d)'), '<$1>')).toBe('/a<1>/b<2>');
  });
});
