/**
 * One block of a route's `match` as a list of conditions, each with a test and the words for it. Routing runs the
 * tests; explanations read the words. Source of the rules: Istio HTTPMatchRequest.
 */
import type { HttpMatch, StringMatch } from '../model/sidecar-config.ts';
import type { RequestView } from './request-view.ts';
import { compileStringMatch, describeStringMatch, type StringTest } from './string-match.ts';

export interface Condition {
  /** What is asked for: `header x-user = "alice"`. */
  readonly text: string;
  readonly test: (request: RequestView) => boolean;
  /** What the request has: `"bob"`, or `absent`. */
  readonly actual: (request: RequestView) => string;
}

type HeaderMatch = StringMatch | Record<string, never>;

const quoted = (value: string | undefined): string => (value === undefined ? 'absent' : `"${value}"`);

/** `{}` asks for presence. */
function isPresence(match: HeaderMatch): match is Record<string, never> {
  return Object.keys(match).length === 0;
}

function valueCondition(
  name: string,
  match: StringMatch,
  read: (request: RequestView) => string,
  ignoreCase = false,
): Condition {
  const matches = compileStringMatch(match, ignoreCase);
  return {
    text: `${name} ${describeStringMatch(match)}${ignoreCase ? ' (any case)' : ''}`,
    test: (request) => matches(read(request)),
    actual: (request) => quoted(read(request)),
  };
}

function headerCondition(name: string, match: HeaderMatch): Condition {
  const actual = (request: RequestView) => quoted(request.header(name));
  if (isPresence(match)) {
    return { text: `header ${name} is present`, test: (request) => request.header(name) !== undefined, actual };
  }
  const matches = compileStringMatch(match);
  const has = headerReader(name);
  return {
    text: `header ${name} ${describeStringMatch(match)}`,
    test: (request) => has(request, matches),
    actual,
  };
}

/** Whether a value passes: Envoy asks each line of a header on its own, and knows what is no line by names with a colon. */
function headerReader(name: string): (request: RequestView, test: StringTest) => boolean {
  const pseudo = pseudoHeaders[name];
  if (pseudo !== undefined) return (request, test) => test(pseudo(request));
  return (request, test) => {
    if (request.someHeader !== undefined) return request.someHeader(name, test);
    const value = request.header(name);
    return value !== undefined && test(value);
  };
}

const pseudoHeaders: Readonly<Record<string, (request: RequestView) => string>> = {
  ':method': (request) => request.method,
  ':scheme': (request) => request.scheme,
  ':authority': (request) => request.header('host') ?? request.host,
  ':path': ({ path, query }) => (query === '' ? path : `${path}?${query}`),
};

/** `withoutHeaders`: an absent header counts as empty, as Istio configures Envoy. */
function withoutHeaderCondition(name: string, match: HeaderMatch): Condition {
  const actual = (request: RequestView) => quoted(request.header(name));
  if (isPresence(match)) {
    return { text: `header ${name} is absent`, test: (request) => request.header(name) === undefined, actual };
  }
  const matches: StringTest = compileStringMatch(match);
  const has = headerReader(name);
  const isAbsent = (request: RequestView) => pseudoHeaders[name] === undefined && request.header(name) === undefined;
  return {
    text: `not (header ${name} ${describeStringMatch(match)})`,
    test: (request) => !(isAbsent(request) ? matches('') : has(request, matches)),
    actual,
  };
}

/** First value of a query parameter as it was sent, not decoded; `undefined` when it is not there. */
export function queryValue(query: string, key: string): string | undefined {
  let start = 0;
  while (start <= query.length) {
    const ampersand = query.indexOf('&', start);
    const end = ampersand === -1 ? query.length : ampersand;
    const equals = query.indexOf('=', start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (nameEnd > start && nameEnd - start === key.length && query.startsWith(key, start)) {
      return nameEnd === end ? '' : query.slice(nameEnd + 1, end);
    }
    if (ampersand === -1) return undefined;
    start = end + 1;
  }
  return undefined;
}

function queryCondition(name: string, match: HeaderMatch): Condition {
  const actual = (request: RequestView) => quoted(queryValue(request.query, name));
  if (isPresence(match)) {
    const test = (request: RequestView) => queryValue(request.query, name) !== undefined;
    return { text: `query parameter ${name} is present`, test, actual };
  }
  const matches = compileStringMatch(match);
  return {
    text: `query parameter ${name} ${describeStringMatch(match)}`,
    test: (request) => {
      const value = queryValue(request.query, name);
      return value !== undefined && matches(value);
    },
    actual,
  };
}

const readPath = (request: RequestView): string => request.path;
const readMethod = (request: RequestView): string => request.method;
const readScheme = (request: RequestView): string => request.scheme;
/** Envoy matches `:authority`, which is the Host as it was sent. */
const readAuthority = (request: RequestView): string => request.header('host') ?? request.host;

/** Conditions of one block; all must hold. An empty block matches everything. */
export function compileMatch(match: HttpMatch): readonly Condition[] {
  const conditions: Condition[] = [];
  if (match.port !== undefined) {
    const { port } = match;
    conditions.push({
      text: `port = ${port}`,
      test: (request) => request.port === port,
      actual: (request) => String(request.port),
    });
  }
  if (match.method !== undefined) conditions.push(valueCondition('method', match.method, readMethod));
  if (match.uri !== undefined) {
    conditions.push(
      valueCondition('path', match.uri, readPath, match.ignoreUriCase === true && !('regex' in match.uri)),
    );
  }
  if (match.authority !== undefined) conditions.push(valueCondition('authority', match.authority, readAuthority));
  if (match.scheme !== undefined) conditions.push(valueCondition('scheme', match.scheme, readScheme));
  for (const [name, wanted] of Object.entries(match.headers ?? {})) {
    conditions.push(headerCondition(name.toLowerCase(), wanted));
  }
  for (const [name, unwanted] of Object.entries(match.withoutHeaders ?? {})) {
    conditions.push(withoutHeaderCondition(name.toLowerCase(), unwanted));
  }
  for (const [name, wanted] of Object.entries(match.queryParams ?? {})) conditions.push(queryCondition(name, wanted));
  return conditions;
}

/** A route's `match` in words, for lists: `header x-beta = "yes" or path begins with "/v2"`. */
export function describeMatch(blocks: readonly HttpMatch[]): string {
  if (blocks.length === 0) return 'every request';
  const texts = blocks.map((block) => compileMatch(block).map((condition) => condition.text));
  return texts.map((conditions) => conditions.join(' and ') || 'every request').join(' or ');
}
