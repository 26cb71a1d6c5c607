import { describe, expect, it } from 'vitest';
import type { L4MatchConfig } from '../../../core/model/l4-config.ts';
import { isInSubnet } from '../../../core/policy/ip-subnet.ts';
import { matchL4Route } from '../../../core/policy/match-l4.ts';

const route = (name: string, match: L4MatchConfig[]) => ({
  name,
  match,
  destinations: [{ service: 'a.b', subset: null, port: null, weight: 1 }],
});
const connection = { sni: null, port: 443, address: '10.1.2.3' };

describe('routes of connections', () => {
  it.each<[string, L4MatchConfig[], { sni?: string | null }, boolean]>([
    ['no conditions', [], {}, true],
    ['its SNI', [{ sniHosts: ['a.com'] }], { sni: 'a.com' }, true],
    ['its SNI in another case', [{ sniHosts: ['A.com'] }], { sni: 'a.com' }, true],
    ['another SNI', [{ sniHosts: ['a.com'] }], { sni: 'b.com' }, false],
    ['an SNI where none was sent', [{ sniHosts: ['*'] }], { sni: null }, false],
    ['a name under a wildcard', [{ sniHosts: ['*.a.com'] }], { sni: 'x.y.a.com' }, true],
    ['the bare name of a wildcard', [{ sniHosts: ['*.a.com'] }], { sni: 'a.com' }, false],
    ['its port', [{ port: 443 }], {}, true],
    ['another port', [{ port: 80 }], {}, false],
    ['its block', [{ destinationSubnets: ['192.168.0.0/16', '10.1.0.0/16'] }], {}, true],
    ['another block', [{ destinationSubnets: ['10.2.0.0/16'] }], {}, false],
    ['one of two blocks of conditions', [{ port: 80 }, { sniHosts: ['a.com'], port: 443 }], { sni: 'a.com' }, true],
    ['half of a block', [{ sniHosts: ['a.com'], port: 80 }], { sni: 'a.com' }, false],
  ])('take a connection by %s', (_what, match, given, expected) => {
    expect(matchL4Route([route('r', match)], { ...connection, ...given }) !== null).toBe(expected);
  });

  it('are tried in order', () => {
    const routes = [route('a', [{ port: 80 }]), route('b', []), route('c', [])];
    expect(matchL4Route(routes, connection)?.name).toBe('b');
  });
});

describe('blocks of addresses', () => {
  it.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '0.0.0.0/0', true],
    ['::ffff:10.1.2.3', '10.0.0.0/8', true],
    ['fd00::1', 'fd00::/8', true],
    ['fe80::1', 'fd00::/8', false],
    ['::1', '::1', true],
    ['10.1.2.3', 'fd00::/8', false],
    ['nonsense', '10.0.0.0/8', false],
    ['1:2:3', '::/0', false],
  ])('%s is in %s: %s', (address, subnet, expected) => {
    expect(isInSubnet(address, subnet)).toBe(expected);
  });
});
