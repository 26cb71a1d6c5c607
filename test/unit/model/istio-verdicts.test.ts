import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseResources } from '../../../core/model/parse-resources.ts';

/** What istioctl and a Kubernetes API server said; test/fixtures/istio-validate/record.mjs asked them. */
const folder = new URL('../../fixtures/istio-validate/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8');
const { verdicts } = JSON.parse(read('verdicts.json')) as {
  verdicts: Readonly<Record<string, Readonly<Record<string, { readonly istio: string; readonly kubernetes: string }>>>>;
};

/** Where we differ on purpose, and why. */
const onPurpose: Readonly<Record<string, string>> = {
  'virtual-service: a field that is null': 'templates leave null fields, and istioctl takes them',
  'gateway-api: TLS': 'v1alpha2 was how TLSRoute came until Gateway API 1.5',
  'gateway-api: TCP': 'v1alpha2 was how TCPRoute came until Gateway API 1.5',
};

const groups = readdirSync(new URL('cases/', folder)).map((file) => {
  const parts = read(`cases/${file}`)
    .split(/^---\n/m)
    .slice(1);
  const cases = parts.map((text): [string, string] => [/^# case: (.*)$/m.exec(text)?.[1] ?? '', text]);
  return { group: file.replace('.yaml', ''), cases };
});

describe.each(groups)('of $group', ({ group, cases }) => {
  it.each(cases)('%s is taken or refused as in production', (name, text) => {
    const verdict = verdicts[group]?.[name];
    const { resources, findings } = parseResources(text, null);
    const errors = findings.filter(({ severity }) => severity === 'error').map(({ message }) => message);
    const inProduction = verdict?.istio === 'accepted' && verdict.kubernetes === 'accepted';
    const expected = onPurpose[`${group}: ${name}`] === undefined ? inProduction : !inProduction;
    expect({ accepted: resources.length === 1, errors }).toEqual({
      accepted: expected,
      errors: expected ? [] : expect.arrayContaining([expect.any(String)]),
    });
  });
});
