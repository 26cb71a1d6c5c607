import { forwarded, get, normalised, type RequestCase, refused } from './case.ts';

const rule = 'RFC 9112 3.2';
const line = (start: string, host = 'orders') => `${start}\r\nHost: ${host}\r\n\r\n`;
const absolute = 'RFC 9112 3.2.2';
/** An origin server gets origin-form and the authority of the target as Host. */
const asOrigin = (target: string, host = 'orders') => ({ target, host });

const kept = [
  '/',
  '//',
  '//orders/a',
  '/a%0d%0ab',
  '/a%20b',
  '/a//b',
  '/a;b=c',
  '/?',
  '/?a=b?c',
  '/a?b=c&d=%26',
  '/*',
  '/a|b',
  '/{a}',
  '/"a"',
  '/<a>',
  '/^`',
  '/~a',
  '/:80',
  '/@a',
  '/http://elsewhere/',
  '/\xc3\xbc',
  '/\xff',
];

/** A rule for a path must not be walked around by another way of writing it. */
const normal = [
  ['/./a/../b', '/b'],
  ['/%2e%2e/a', '/a'],
  ['/a/%2E%2E/b', '/b'],
  ['/../../a', '/a'],
  ['/a/..', '/'],
  ['/a/.', '/a/'],
  ['/%61dmin', '/admin'],
  ['/a%2fb/%2E', '/a%2fb/'],
  ['/a\\b', '/a/b'],
  ['/a\\..\\b', '/b'],
  ['/%252e%252e/a', '/%252e%252e/a'],
  ['/.a/..b', '/.a/..b'],
  ['/../a?b=/../c', '/a?b=/../c'],
] as const;

export const targetForms: readonly RequestCase[] = [
  ...kept.map((target) => forwarded(`target ${JSON.stringify(target)} as it is`, rule, get('', target))),
  ...normal.map(([target, path]) =>
    normalised(`target ${target} becomes ${path}`, 'RFC 3986 6.2.2', get('', target), { target: path }),
  ),
  refused('an escaped NUL in a path', 'RFC 3986 7.3', get('', '/a%00b')),
  forwarded('an escaped NUL in a query', rule, get('', '/a?b=%00')),
  forwarded('a target with a fragment', rule, get('', '/a#b')),
  forwarded('a long target', 'RFC 9112 3', get('', `/${'a'.repeat(8_000)}`)),
  forwarded('OPTIONS *', 'RFC 9112 3.2.4', line('OPTIONS * HTTP/1.1')),
  refused('GET *', 'RFC 9112 3.2.4', line('GET * HTTP/1.1')),
  refused('OPTIONS * with more', 'RFC 9112 3.2.4', line('OPTIONS *a HTTP/1.1')),
  refused('OPTIONS **', 'RFC 9112 3.2.4', line('OPTIONS ** HTTP/1.1')),
  normalised('absolute form', absolute, line('GET http://orders/a?b HTTP/1.1'), asOrigin('/a?b')),
  normalised('absolute form without a path', absolute, line('GET http://orders HTTP/1.1'), asOrigin('/')),
  normalised('absolute form with a query only', absolute, line('GET http://orders?a HTTP/1.1'), asOrigin('/?a')),
  normalised('absolute form in upper case', absolute, line('GET HTTP://ORDERS/a HTTP/1.1'), asOrigin('/a', 'ORDERS')),
  normalised(
    'absolute form with a port',
    absolute,
    line('GET http://orders:8080/ HTTP/1.1'),
    asOrigin('/', 'orders:8080'),
  ),
  normalised(
    'absolute form against another Host: the target wins',
    absolute,
    line('GET http://orders/a HTTP/1.1', 'elsewhere'),
    asOrigin('/a'),
  ),
  normalised('absolute form with an empty Host', absolute, line('GET http://orders/ HTTP/1.1', ''), asOrigin('/')),
  normalised('OPTIONS of an authority', 'RFC 9112 3.2.4', line('OPTIONS http://orders HTTP/1.1'), asOrigin('*')),
  normalised('https in the absolute form', absolute, line('GET https://orders/a HTTP/1.1'), asOrigin('/a')),
  refused('absolute form without an authority', absolute, line('GET http:///a HTTP/1.1')),
  refused('absolute form with user information', absolute, line('GET http://a@orders/ HTTP/1.1')),
  refused('absolute form with a backslash', absolute, line('GET http://orders\\a HTTP/1.1')),
  refused('absolute form with a fragment as authority', absolute, line('GET http://#a HTTP/1.1')),
  refused('absolute form with a port that is none', absolute, line('GET http://orders:x/ HTTP/1.1')),
  refused('absolute form with port 0', absolute, line('GET http://orders:0/ HTTP/1.1')),
  refused('absolute form with port 65536', absolute, line('GET http://orders:65536/ HTTP/1.1')),
  refused('absolute form with two ports', absolute, line('GET http://orders:1:2/ HTTP/1.1')),
  refused('absolute form with a blank in the authority', absolute, line('GET http://or ders/ HTTP/1.1')),
  refused('absolute form with a comma in the authority', absolute, line('GET http://orders,a/ HTTP/1.1')),
  refused('absolute form with a quote in the authority', absolute, line('GET http://ord"ers/ HTTP/1.1')),
  refused('absolute form without Host', absolute, 'GET http://orders/ HTTP/1.1\r\n\r\n'),
  refused('CONNECT', 'RFC 9110 9.3.6', 'CONNECT orders:443 HTTP/1.1\r\nHost: orders:443\r\n\r\n', 405),
  refused('CONNECT to an origin form', 'RFC 9112 3.2.3', line('CONNECT / HTTP/1.1'), 405),
  refused(
    'CONNECT with a body',
    'RFC 9110 9.3.6',
    'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 4\r\n\r\nGET ',
    405,
  ),
];

/** At an undeclared port these first bytes would not be taken for HTTP. */
export const rareTargetForms: readonly RequestCase[] = [
  refused('a target without a slash', rule, line('GET a HTTP/1.1')),
  refused('a target with a dot in front', rule, line('GET ../a HTTP/1.1')),
  refused('a target that is a query', rule, line('GET ?a HTTP/1.1')),
  refused('a target that is a fragment', rule, line('GET #a HTTP/1.1')),
  refused('authority form with GET', 'RFC 9112 3.2.3', line('GET orders:80 HTTP/1.1')),
  refused('a target with a backslash in front', rule, line('GET \\a HTTP/1.1')),
  refused('a scheme without slashes', absolute, line('GET http:orders HTTP/1.1')),
  refused('a scheme with one slash', absolute, line('GET http:/orders HTTP/1.1')),
  refused('@ as target', rule, line('GET @orders/ HTTP/1.1')),
  normalised('another scheme', absolute, line('GET ftp://orders/a HTTP/1.1'), asOrigin('/a')),
];
