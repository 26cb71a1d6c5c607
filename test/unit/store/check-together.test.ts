import { describe, expect, it } from 'vitest';
import { checkTogether } from '../../../core/control-plane/store/check-together.ts';
import { resourcesOf, routes, versions } from '../snapshot/mesh-of.ts';

const check = (...yaml: string[]) => checkTogether(resourcesOf(yaml.join('\n---\n')));
const codes = (...yaml: string[]) => check(...yaml).map(({ code }) => code);
const to = (subset: string) => `[{ route: [{ destination: { host: payments, subset: ${subset} } }] }]`;

describe('resources together, without a mesh', () => {
  it('have nothing said of what only a mesh can know', () => {
    expect(codes(versions, routes(to('v1')))).toEqual([]);
    expect(codes(routes(to('v1')))).toEqual([]);
    expect(codes(routes('[{ route: [{ destination: { host: elsewhere.far.svc.cluster.local } }] }]'))).toEqual([]);
  });

  it('are warned of what contradicts itself: subsets, hosts twice, gateways, delegates, times', () => {
    expect(codes(versions, routes(to('v9')))).toEqual(['UNKNOWN_SUBSET']);
    expect(codes(versions, routes(to('v1')), routes(to('v2'), 'again'))).toEqual(['CONFLICTING_HOST']);
    const bound =
      'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: g, namespace: shop }\nspec: { hosts: [a.example.com], gateways: [gone], http: [{ route: [{ destination: { host: payments } }] }] }';
    expect(codes(bound)).toEqual(['UNKNOWN_GATEWAY']);
    expect(codes(routes('[{ delegate: { name: gone } }]'))).toEqual(['UNKNOWN_DELEGATE']);
    const tries =
      '[{ timeout: 1s, retries: { attempts: 3, perTryTimeout: 1s }, route: [{ destination: { host: payments } }] }]';
    expect(codes(routes(tries))).toEqual(['TIMEOUT_BELOW_RETRIES']);
  });
});
