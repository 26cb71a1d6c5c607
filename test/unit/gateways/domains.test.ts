import { describe, expect, it } from 'vitest';
import { compileDomains } from '../../../core/policy/match-domain.ts';

describe('domains of virtual hosts and servers', () => {
  const find = compileDomains([
    ['*', 'any'],
    ['*.example.com', 'wide'],
    ['*.shop.example.com', 'narrow'],
    ['shop.example.com', 'exact'],
    ['shop.example.com', 'second'],
  ]);

  it.each([
    ['shop.example.com', 'exact'],
    ['a.shop.example.com', 'narrow'],
    ['a.example.com', 'wide'],
    ['a.b.example.com', 'wide'],
    ['example.com', 'any'],
    ['', 'any'],
  ])('%s is taken by %s', (name, expected) => expect(find(name)).toBe(expected));

  it('are nobody’s where nothing fits', () => {
    expect(compileDomains([['*.example.com', 1]])('example.com')).toBeNull();
  });
});
