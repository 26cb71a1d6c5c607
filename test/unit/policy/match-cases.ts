import type { HttpMatch } from '../../../core/model/sidecar-config.ts';
import type { request } from './request.ts';

type MatchCase = [name: string, match: HttpMatch, given: Parameters<typeof request>[0], matches: boolean];

/** What one block of a match accepts; a real Istio is asked the same in test/integration/export. */
export const matchCases: readonly MatchCase[] = [
  ['an exact path', { uri: { exact: '/a' } }, { path: '/a' }, true],
  ['an exact path in another case', { uri: { exact: '/a' } }, { path: '/A' }, false],
  ['an exact path when case is ignored', { uri: { exact: '/a' }, ignoreUriCase: true }, { path: '/A' }, true],
  ['a prefix as plain text', { uri: { prefix: '/v1' } }, { path: '/v10/x' }, true],
  ['a prefix when case is ignored', { uri: { prefix: '/API' }, ignoreUriCase: true }, { path: '/api/x' }, true],
  ['a regular expression in full', { uri: { regex: '/a.*' } }, { path: '/abc' }, true],
  ['a regular expression in part only', { uri: { regex: '/a' } }, { path: '/abc' }, false],
  ['case in a regular expression', { uri: { regex: '/A' }, ignoreUriCase: true }, { path: '/a' }, false],
  ['a flag of RE2', { uri: { regex: '(?i)/A' } }, { path: '/a' }, true],
  ['the path without the query', { uri: { exact: '/a' } }, { path: '/a', query: 'x=1' }, true],
  ['a method', { method: { exact: 'POST' } }, { method: 'POST' }, true],
  ['a method in another case', { method: { exact: 'POST' } }, { method: 'post' }, false],
  ['a header', { headers: { 'x-user': { exact: 'ann' } } }, { headers: { 'x-user': 'ann' } }, true],
  ['an absent header', { headers: { 'x-user': { prefix: 'a' } } }, {}, false],
  ['presence', { headers: { 'x-user': {} } }, { headers: { 'x-user': '' } }, true],
  ['presence of an absent header', { headers: { 'x-user': {} } }, {}, false],
  ['a header that is called like a field, as a plain header', { headers: { method: { exact: 'GET' } } }, {}, false],
  ['such a header when it is sent', { headers: { method: { exact: 'a' } } }, { headers: { method: 'a' } }, true],
  ['a header that must not be there', { withoutHeaders: { 'x-user': {} } }, { headers: { 'x-user': 'a' } }, false],
  ['a header that is not there as wanted', { withoutHeaders: { 'x-user': {} } }, {}, true],
  ['an unwanted value', { withoutHeaders: { a: { exact: '1' } } }, { headers: { a: '1' } }, false],
  ['another value than the unwanted one', { withoutHeaders: { a: { exact: '1' } } }, { headers: { a: '2' } }, true],
  ['an absent header as empty', { withoutHeaders: { a: { exact: '' } } }, {}, false],
  ['a query parameter', { queryParams: { v: { exact: '2' } } }, { query: 'a=1&v=2' }, true],
  ['the first of two query parameters', { queryParams: { v: { exact: '2' } } }, { query: 'v=1&v=2' }, false],
  ['a query parameter without a value', { queryParams: { key: { exact: '' } } }, { query: 'key' }, true],
  ['a query parameter that only begins so', { queryParams: { k: { exact: '1' } } }, { query: 'key=1' }, false],
  ['a query parameter in an empty query', { queryParams: { k: { exact: '' } } }, {}, false],
  ['the port that was asked for', { port: 8080 }, { port: 8080 }, true],
  ['another port', { port: 8080 }, { port: 80 }, false],
  [
    'the authority as it was sent',
    { authority: { exact: 'a:8080' } },
    { host: 'a', headers: { host: 'a:8080' } },
    true,
  ],
  ['the scheme', { scheme: { exact: 'https' } }, {}, false],
  ['all conditions at once', { uri: { prefix: '/' }, method: { exact: 'PUT' } }, { path: '/' }, false],
];
