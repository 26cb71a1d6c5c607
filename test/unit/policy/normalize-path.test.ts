import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizePath } from '../../../core/policy/normalize-path.ts';

/** Asked of a real Istio; see test/fidelity. */
const table = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['//a//b/', '//a//b/'],
  ['/b/../a', '/a'],
  ['/./a', '/a'],
  ['/a/../b', '/b'],
  ['/a\\b', '/a/b'],
  ['/x/%2e%2e/a', '/a'],
  ['/%2e/x', '/x'],
  ['/a%2Fb', '/a%2Fb'],
  ['/a%5Cb', '/a%5Cb'],
  ['/a/..', '/'],
  ['/..', '/'],
  ['/%7Euser', '/~user'],
  ['/a%zz', '/a%zz'],
  ['/a%', '/a%'],
  ['/x/..%2fa', '/x/..%2fa'],
  ['/a/./b/', '/a/b/'],
  ['/a/b/..', '/a/'],
  ['/a/b/.', '/a/b/'],
  ['/a//../b', '/a/b'],
  ['/...', '/...'],
  ['/a;x/../b', '/b'],
  ['/%41%61%30%2d%5F', '/Aa0-_'],
  ['/a%3fb%40', '/a%3fb%40'],
  ['/%E4', '/%E4'],
  ['/a%00', null],
] as const;

describe('a path', () => {
  it.each(table)('%s becomes %s', (path, expected) => {
    expect(normalizePath(path)).toBe(expected);
  });

  it('that is normal stays so, never leaves the root and hides no letter', () => {
    const segment = fc.constantFrom('a', 'B', '.', '..', '%2e', '%2E%2e', '', '%61', '%2F', '~', '...', 'a\\b', '%5a');
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
        const normal = normalizePath(`/${segments.join('/')}`) ?? '';
        expect(normal.startsWith('/')).toBe(true);
        expect(normalizePath(normal)).toBe(normal);
        expect(normal.split('/')).not.toContain('..');
        expect(normal).not.toMatch(/%(61|2e|5a)/i);
      }),
    );
  });
});
