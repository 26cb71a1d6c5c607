import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { putInYaml, removeFromYaml } from '../../../core/control-plane/store/edit-yaml.ts';
import type { Resource } from '../../../core/model/resource.ts';

const text = `# the shop's traffic
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payments # the name matters
  namespace: shop
spec:
  hosts: [payments]
  http:
    # nine of ten stay on v1
    - name: split
      route:
        - destination: { host: payments, subset: v1 }
          weight: 90 # most
        - destination: { host: payments, subset: v2 }
          weight: 10
---
# somebody else's,   oddly    formatted
kind:   PeerAuthentication
apiVersion:   security.istio.io/v1
metadata: {name: strict,   namespace: shop}
spec: {mtls: {mode:   STRICT}}
`;

function virtualService(weights: readonly [number, number], name = 'payments'): Resource {
  const route = (subset: string, weight: number) => ({ destination: { host: 'payments', subset }, weight });
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name, namespace: 'shop' },
    spec: { hosts: ['payments'], http: [{ name: 'split', route: [route('v1', weights[0]), route('v2', weights[1])] }] },
  };
}

describe('putInYaml', () => {
  test('changes only the weights and keeps comments, key order and the other document byte by byte', () => {
    const edited = putInYaml(text, virtualService([70, 30]));
    expect(edited).toContain('# nine of ten stay on v1');
    expect(edited).toContain('name: payments # the name matters');
    expect(edited).toContain('weight: 70 # most');
    expect(edited).toContain('weight: 30');
    expect(edited.slice(edited.indexOf('---'))).toBe(text.slice(text.indexOf('---')));
    expect(edited.startsWith("# the shop's traffic\n")).toBe(true);
  });

  test('leaves a text alone in which nothing differs', () => {
    expect(parse(putInYaml(text, virtualService([90, 10])).split('---')[0] ?? '')).toEqual(
      parse(text.split('---')[0] ?? ''),
    );
  });

  test('adds a new resource as a document at the end', () => {
    const edited = putInYaml(text, virtualService([50, 50], 'other'));
    expect(edited.startsWith(text.trimEnd())).toBe(true);
    expect(parse(edited.split('---\n').at(-1) ?? '')).toEqual(virtualService([50, 50], 'other'));
  });

  test('puts the first resource into an empty text', () => {
    expect(parse(putInYaml('', virtualService([1, 99])))).toEqual(virtualService([1, 99]));
  });

  test('adds and removes list items and keys', () => {
    const next = virtualService([100, 0]) as Extract<Resource, { kind: 'VirtualService' }>;
    const shorter = {
      ...next,
      spec: { ...next.spec, http: [{ ...next.spec.http?.[0], route: next.spec.http?.[0]?.route?.slice(0, 1) }] },
    };
    const edited = putInYaml(text, shorter as Resource);
    expect(parse(edited.split('---')[0] ?? '')).toEqual(shorter);
    expect(edited).toContain('# nine of ten stay on v1');
  });
});

describe('removeFromYaml', () => {
  test('takes one document out and leaves the other as it is', () => {
    const rest = removeFromYaml(text, { kind: 'VirtualService', namespace: 'shop', name: 'payments' });
    expect(rest).toBe(text.slice(text.indexOf('---')));
  });

  test('answers with nothing when nothing is left', () => {
    const one = text.slice(0, text.indexOf('---'));
    expect(removeFromYaml(one, { kind: 'VirtualService', namespace: 'shop', name: 'payments' })).toBe('');
  });

  test('does not mistake another namespace or kind', () => {
    expect(removeFromYaml(text, { kind: 'VirtualService', namespace: 'default', name: 'payments' })).toBe(text);
    expect(removeFromYaml(text, { kind: 'DestinationRule', namespace: 'shop', name: 'payments' })).toBe(text);
  });
});
