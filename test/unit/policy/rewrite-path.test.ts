import { describe, expect, it } from 'vitest';
import { type Redirect, redirectLocation, rewritePath, toPathRewrite } from '../../../core/policy/rewrite-path.ts';

/** Asked of a real Envoy; see test/fidelity. */
const rewrites = [
  ['/a', { prefix: '/a' }, '/b', '/b'],
  ['/a/x', { prefix: '/a' }, '/b', '/b/x'],
  ['/ax', { prefix: '/a' }, '/b', '/bx'],
  ['/a/x', { prefix: '/a' }, '/', '//x'],
  ['/a/x', { prefix: '/a/' }, '/', '/x'],
  ['/a', { exact: '/a' }, '/b/c', '/b/c'],
  ['/abc', { regex: '/a.*' }, '/b', '/b'],
  ['/a', undefined, '/b', '/ba'],
  ['/', undefined, '/b', '/b'],
] as const;

describe('rewriting a path', () => {
  it.each(rewrites)('%s matched by %j, rewritten to %s, is %s', (path, match, uri, expected) => {
    expect(rewritePath(path, toPathRewrite(uri, match))).toBe(expected);
  });

  it.each([
    ['/v1/x', /\/v([0-9]+)\/(.*)/g, '/\\2/v\\1', '/x/v1'],
    ['/foo/boo', /o+/g, '0', '/f0/b0'],
    ['/none', /x+/g, 'y', '/none'],
  ])('%s by a pattern', (path, pattern, by, expected) => {
    expect(rewritePath(path, { kind: 'regex', pattern, by })).toBe(expected);
  });
});

const request = { scheme: 'http', authority: 'shop.example', path: '/a/x', query: 'q=1', port: 80 } as const;
const none: Redirect = { status: 301, path: null, authority: null, scheme: null, port: null };

describe('where a redirect leads', () => {
  it.each([
    [{ path: { kind: 'whole', by: '/b' } }, {}, 'http://shop.example/b?q=1'],
    [{ authority: 'other.example' }, {}, 'http://other.example/a/x?q=1'],
    [{ scheme: 'https' }, {}, 'https://shop.example/a/x?q=1'],
    [{ scheme: 'https' }, { authority: 'shop.example:80' }, 'https://shop.example/a/x?q=1'],
    [{ port: 8443 }, {}, 'http://shop.example:8443/a/x?q=1'],
    [{ port: 'default' }, { authority: 'shop.example:8080', port: 8080 }, 'http://shop.example/a/x?q=1'],
    [{ port: 'request' }, { port: 8080 }, 'http://shop.example:8080/a/x?q=1'],
    [{ port: 80 }, { authority: 'shop.example:8080', port: 8080 }, 'http://shop.example:8080/a/x?q=1'],
    [{ port: 443, scheme: 'https' }, {}, 'https://shop.example/a/x?q=1'],
    [{ port: 443 }, { authority: 'shop.example:8080' }, 'http://shop.example:443/a/x?q=1'],
    [{ port: 'request' }, {}, 'http://shop.example/a/x?q=1'],
    [{ path: { kind: 'prefix', length: 2, by: '/b' } }, { query: '' }, 'http://shop.example/b/x'],
  ] as const)('%j of %j is %s', (changes, asked, location) => {
    expect(redirectLocation({ ...none, ...changes }, { ...request, ...asked })).toBe(location);
  });
});
