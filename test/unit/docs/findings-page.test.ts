import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findingNumbers } from '../../../core/model/finding.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { meshOf, shop } from '../snapshot/mesh-of.ts';

const page = readFileSync(fileURLToPath(new URL('../../../docs/findings.md', import.meta.url)), 'utf8');
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section]),
);
/** What no file alone shows: from observed calls, of services with several ports, of keys, of where gateways run. */
const withoutYaml = ['RETRY_AMPLIFICATION', 'PORT_REQUIRED', 'BROKEN_CREDENTIAL', 'GATEWAY_REACH'];
const withYaml = Object.entries(findingNumbers).filter(([code]) => !withoutYaml.includes(code));

/** Of the text by itself, and of the mesh when it can be used. */
function findingsOf(yaml: string): string[] {
  const { findings } = parseResources(yaml, 'example.yaml');
  const own = findings.map(({ code }) => code);
  if (findings.some(({ severity }) => severity === 'error')) return own;
  const workloads = shop().map(({ discovered, ...one }) => ({
    ...one,
    discovered: { ...discovered, labels: { app: discovered.service } },
  }));
  return [...own, ...meshOf(workloads, yaml).findings.map(({ code }) => code)];
}

describe('docs/findings.md', () => {
  it('has a section for every kind of finding, in the order of their numbers', () => {
    const expected = Object.entries(findingNumbers).map(([code, number]) => `${number} ${code}`);
    expect([...sections.keys()]).toEqual(expected);
  });

  it.each([...sections])('%s says the cause, an example and the cure', (_, section) => {
    expect(section).toMatch(
      /^[^\n]+\n\n\*[A-Z][^*]+\.\* [A-Z`].+\n\n```(?:yaml|text)\n[\s\S]+\n```\n\n\*\*Cure:\*\* \S.+\n/,
    );
  });

  it.each(withYaml)('the example of %s is found to be one', (code, number) => {
    const [, yaml = ''] = /```yaml\n([\s\S]+?)```/.exec(sections.get(`${number} ${code}`) ?? '') ?? [];
    expect(findingsOf(yaml)).toContain(code);
  });

  it('has examples of nothing else but what it is about', () => {
    for (const [code, number] of withYaml) {
      const [, yaml = ''] = /```yaml\n([\s\S]+?)```/.exec(sections.get(`${number} ${code}`) ?? '') ?? [];
      const worse = parseResources(yaml, null).findings.filter((one) => one.severity === 'error' && one.code !== code);
      expect(worse, code).toEqual([]);
    }
  });
});
