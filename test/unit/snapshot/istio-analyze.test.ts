/** What istioctl analyze finds in a set of files, we find too; its messages are recorded in test/fixtures/istio-analyze. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findingNumbers } from '../../../core/model/finding.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { compileSnapshot } from '../../../core/snapshot/compile-snapshot.ts';
import { shop, workload } from './mesh-of.ts';

const folder = join(import.meta.dirname, '..', '..', 'fixtures', 'istio-analyze');
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const { messages } = JSON.parse(read('messages.json')) as {
  messages: Record<string, readonly { code: string; message: string }[]>;
};

/** Which of our findings says what a message of theirs says; docs/findings-compared.md has the whole table. */
const ours: Readonly<Record<string, readonly string[]>> = {
  IST0101: ['MD0201', 'MD0202', 'MD0207', 'MD0214'],
  IST0106: ['MD0101', 'MD0102', 'MD0103', 'MD0104', 'MD0106', 'MD0107', 'MD0108', 'MD0109'],
  IST0109: ['MD0203'],
  IST0130: ['MD0111'],
  IST0131: ['MD0111'],
  // Of a gateway that is not there we say only that.
  IST0132: ['MD0230', 'MD0207'],
  refused: ['MD0101', 'MD0102', 'MD0103', 'MD0104'],
};

const cases = read('cases.yaml')
  .split(/^=====\n/m)
  .map((text) => {
    const title = /^# case: (.*)$/m.exec(text)?.[1] ?? '';
    const expected = /^# ours: (.*)$/m.exec(text)?.[1] ?? '';
    return { title, expected: expected === 'nothing' ? [] : [expected], text };
  });

/** Numbers of what we say, of the texts by themselves and against each other, but for what is only kept. */
function numbersOf(text: string): string[] {
  const parsed = parseResources(text, 'case.yaml');
  const { findings } = compileSnapshot({
    ...{ revision: 1, trustDomain: 'cluster.local', rootNamespace: 'istio-system' },
    resources: parsed.resources,
    workloads: [...shop(), workload({ name: 'web', service: 'web' })],
    faults: [],
  });
  const numbers = [...parsed.findings, ...findings].map(({ code }) => findingNumbers[code]);
  return [...new Set(numbers)].filter((number) => !number.startsWith('MD03')).sort();
}

describe('beside istioctl analyze', () => {
  it('has its messages for every case', () => {
    expect(cases.length).toBeGreaterThan(15);
    expect(Object.keys(messages)).toEqual(cases.map(({ title }) => title));
    expect(Object.values(messages).flat().length).toBeGreaterThan(8);
  });

  it.each(cases)('$title', ({ title, expected, text }) => {
    const numbers = numbersOf(text);
    expect(numbers).toEqual(expect.arrayContaining(expected));
    if (expected.length === 0) expect(numbers).toEqual([]);
    for (const { code, message } of messages[title] ?? []) {
      const known = ours[code] ?? [];
      expect(
        known.some((number) => numbers.includes(number)),
        `${code} ${message}: we say ${numbers}`,
      ).toBe(true);
    }
  });
});
