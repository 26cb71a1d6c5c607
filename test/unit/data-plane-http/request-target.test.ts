import { describe, expect, test } from 'vitest';
import { parseAuthority, parseTarget } from '../../../core/data-plane/http/request-target.ts';

describe('parseTarget', () => {
  test.each([
    ['/a/b?c=d?e', 'GET', { form: 'origin', path: '/a/b', query: 'c=d?e' }],
    ['/', 'GET', { form: 'origin', path: '/', query: '' }],
    ['//a', 'GET', { form: 'origin', path: '//a', query: '' }],
    ['*', 'OPTIONS', { form: 'asterisk' }],
    [
      'http://a:80/b?c',
      'GET',
      { form: 'absolute', scheme: 'http', authority: 'a:80', target: '/b?c', path: '/b', query: 'c' },
    ],
    ['HTTP://A', 'GET', { form: 'absolute', scheme: 'http', authority: 'A', target: '/', path: '/', query: '' }],
    ['http://a?b', 'GET', { form: 'absolute', authority: 'a', target: '/?b', path: '/', query: 'b' }],
    ['http://a', 'OPTIONS', { form: 'absolute', authority: 'a', target: '*', path: '/' }],
    ['http://[::1]:8/', 'GET', { form: 'absolute', authority: '[::1]:8' }],
  ])('reads %s of %s', (target, method, expected) => {
    expect(parseTarget(target, method)).toMatchObject(expected);
  });

  test.each([
    ['*', 'GET'],
    ['a/b', 'GET'],
    ['http:///a', 'GET'],
    ['http://', 'GET'],
    ['http://user@a/', 'GET'],
    ['http://a#b', 'GET'],
    ['a:80', 'GET'],
    ['http://a,b/', 'GET'],
    ['http://"a"/', 'GET'],
    ['http://<a>', 'GET'],
    ['http://a|b?c', 'OPTIONS'],
  ])('refuses %s of %s', (target, method) => {
    expect(parseTarget(target, method)).toBeNull();
  });
});

describe('parseAuthority', () => {
  test.each([
    ['Orders', 'orders', null],
    ['orders.', 'orders', null],
    ['orders:8080', 'orders', 8080],
    ['orders:', 'orders', null],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[FE80::1]:80', 'fe80::1', 80],
    ['[::1]', '::1', null],
    ['', '', null],
  ])('reads %s', (text, host, port) => {
    expect(parseAuthority(text)).toEqual({ host, port });
  });

  test.each(['a:b', 'a:0', 'a:65536', 'a:123456', 'a:80:90', '::1', '[::1', 'a]', '[a]', '[127.0.0.1]', '[]'])(
    'refuses %s',
    (text) => {
      expect(parseAuthority(text)).toBeNull();
    },
  );
});
