import { CompletionContext } from '@codemirror/autocomplete';
import { EditorState } from '@codemirror/state';
import { describe, expect, it } from 'vitest';
import { completeYaml, helpAt } from '../../../renderer/features/config/editor-help.ts';

/** What is offered at `|`. */
function offered(marked: string) {
  const pos = marked.indexOf('|');
  const state = EditorState.create({ doc: marked.replace('|', '') });
  return completeYaml(new CompletionContext(state, pos, true))?.options ?? [];
}
const labels = (marked: string) => offered(marked).map(({ label }) => label);
const rule = 'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: a\nspec:\n';

describe('completion', () => {
  it('offers the fields of the place, without those that are there', () => {
    expect(labels(`${rule}  host: a\n  |`)).toEqual(
      expect.arrayContaining(['subsets', 'trafficPolicy', 'exportTo', 'workloadSelector']),
    );
    expect(labels(`${rule}  host: a\n  |`)).not.toContain('host');
    expect(labels(`${rule}  subsets:\n  - na|`)).toEqual(expect.arrayContaining(['name', 'labels']));
  });

  it('offers the values of a field that has only some', () => {
    expect(labels(`${rule}  trafficPolicy:\n    tls:\n      mode: |`)).toEqual(
      expect.arrayContaining(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']),
    );
    expect(labels(`${rule}  host: |`)).toEqual([]);
  });

  it('offers kinds, their versions, and the outline of a new resource', () => {
    expect(labels('kind: |')).toEqual(expect.arrayContaining(['VirtualService', 'HTTPRoute', 'FaultInjection']));
    expect(labels('apiVersion: |\nkind: HTTPRoute\n')).toEqual([
      'gateway.networking.k8s.io/v1',
      'gateway.networking.k8s.io/v1beta1',
    ]);
    expect(labels('kind: VirtualService\n|')).toEqual(['apiVersion', 'metadata', 'spec']);
  });

  it('says what each is for, and goes on where an object begins', () => {
    const timeout = offered(`${rule}  trafficPolicy:\n    |`).find(({ label }) => label === 'outlierDetection');
    expect(timeout).toMatchObject({
      detail: 'object',
      apply: 'outlierDetection:',
      info: expect.stringMatching(/fail/),
    });
  });
});

describe('words on the key under the pointer', () => {
  it('say its path, its values and what it is for', () => {
    const text = `${rule}  trafficPolicy:\n    loadBalancer:\n      simple: RANDOM\n`;
    expect(helpAt(text, text.indexOf('simple') + 2)).toMatchObject({
      path: ['spec', 'trafficPolicy', 'loadBalancer', 'simple'],
      values: expect.arrayContaining(['ROUND_ROBIN']),
      doc: expect.stringContaining('LEAST_REQUEST'),
    });
  });

  it('are none for a value, or a field that does not exist', () => {
    expect(helpAt(`${rule}  host: somewhere\n`, rule.length + 10)).toBeNull();
    expect(helpAt(`${rule}  hots: a\n`, rule.length + 3)).toBeNull();
  });
});
