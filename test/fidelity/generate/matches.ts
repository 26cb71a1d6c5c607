import type { Draw, Json } from './draw.ts';

/** Expressions, each with texts that it matches and texts that it just misses. */
export const expressions: readonly { readonly regex: string; readonly near: readonly string[] }[] = [
  { regex: '/a.*', near: ['/a', '/abc/d', '/', '/A', '/x/a'] },
  { regex: '/[ab]', near: ['/a', '/b', '/c', '/ab', '/a/'] },
  { regex: '/(a|api)/.+', near: ['/a/', '/a/x', '/api/x/y', '/apix/y'] },
  { regex: '.*b', near: ['/b', '/ab', '/ba', '/B'] },
  { regex: '(?i)/api/v[0-9]+', near: ['/api/v1', '/API/V22', '/api/v', '/api/v1/'] },
  { regex: '/a/?', near: ['/a', '/a/', '/a//'] },
  { regex: '/[^/]+/items/\\d{1,3}', near: ['/x/items/1', '/x/items/1234', '/x/y/items/1', '/items/1'] },
];
const valueExpressions: typeof expressions = [
  { regex: '[0-9]+', near: ['1', '22', '1x', ''] },
  { regex: 'o.*', near: ['o', 'one', 'no', 'One'] },
  { regex: '(?i)one', near: ['one', 'ONE', 'ones'] },
  { regex: '^(.*?;)?\\s*(user=jason)(;.*)?$', near: ['user=jason', 'a=b; user=jason', 'user=jasons'] },
  { regex: '.+', near: ['x', ''] },
];
/** No expression, but Istio takes it for any value. */
const anyValue = { regex: '*' };
export const segments = ['/a', '/b', '/ab', '/a/b', '/api', '/api/v1', '/A', '/a/', '/'];
export const headerNames = ['x-a', 'x-b', 'x-user', 'X-Case'];
export const headerValues = ['1', '2', 'one', 'One', 'on'];
export const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'];
export const queryNames = ['q', 'p'];

export function drawMatch(draw: Draw): Json {
  const match: Record<string, unknown> = {};
  if (draw.chance(0.7)) match.uri = drawUri(draw);
  if (match.uri !== undefined && draw.chance(0.2)) match.ignoreUriCase = true;
  if (draw.chance(0.2)) match.method = drawMethod(draw);
  if (draw.chance(0.35)) match.headers = drawHeaders(draw);
  if (draw.chance(0.2)) match.withoutHeaders = draw.chance(0.05) ? { 'x-a': anyValue } : drawHeaders(draw);
  if (draw.chance(0.2)) match.queryParams = drawQuery(draw);
  if (draw.chance(0.08)) match.authority = drawAuthority(draw);
  if (draw.chance(0.04)) match.scheme = { exact: draw.of(['http', 'http', 'https']) };
  // The arbiter's explicit proxy has no port of its own, so that only one that does not hold can be compared.
  if (draw.chance(0.03)) match.port = 81;
  if (draw.chance(0.05)) match.sourceLabels = { app: draw.of(['web', 'web', 'other']) };
  if (draw.chance(0.03)) match.sourceNamespace = draw.of(['shop', 'other']);
  if (draw.chance(0.04)) match.gateways = draw.of([['mesh'], ['mesh', 'edge'], ['edge']]);
  if (draw.chance(0.1)) match.name = `block-${draw.below(9)}`;
  const selects = ['uri', 'method', 'headers', 'withoutHeaders', 'queryParams', 'authority', 'scheme'];
  return selects.some((field) => match[field] !== undefined) ? match : { ...match, uri: { prefix: '/' } };
}

function drawUri(draw: Draw): Json {
  return draw.weighted<Json>([
    [3, () => ({ exact: draw.of(segments) })],
    [4, () => ({ prefix: draw.of(segments) })],
    [2, () => ({ regex: draw.of(expressions).regex })],
  ]);
}

function drawMethod(draw: Draw): Json {
  return draw.weighted<Json>([
    [6, () => ({ exact: draw.of(methods) })],
    [1, () => ({ prefix: draw.of(['P', 'GE']) })],
    [1, () => ({ regex: draw.of(['P.*', 'GET|PUT', '[A-Z]{3}']) })],
  ]);
}

function drawAuthority(draw: Draw): Json {
  return draw.of<Json>([
    { exact: '{host}.shop.svc.cluster.local' },
    { exact: '{host}' },
    { prefix: '{host}.shop' },
    { prefix: 'other' },
    { regex: '.*[.]local' },
    { regex: '{host}[.]shop' },
  ]);
}

function drawValue(draw: Draw): Json {
  return draw.weighted<Json>([
    [2, () => ({})],
    [5, () => ({ exact: draw.of(headerValues) })],
    [3, () => ({ prefix: draw.of(headerValues) })],
    [2, () => ({ regex: draw.of(valueExpressions).regex })],
  ]);
}

function drawHeaders(draw: Draw): Json {
  const names = draw.some(headerNames, draw.chance(0.8) ? 1 : 2);
  return Object.fromEntries(names.map((name) => [name, drawValue(draw)]));
}

function drawQuery(draw: Draw): Json {
  const names = draw.some(queryNames, draw.chance(0.8) ? 1 : 2);
  return Object.fromEntries(
    names.map((name) => [
      name,
      draw.weighted<Json>([
        [4, () => ({ exact: draw.of(['1', 'one', '']) })],
        [2, () => ({ prefix: draw.of(['1', 'o']) })],
        [2, () => ({ regex: draw.of(['[0-9]+', '.*', 'o.*']) })],
      ]),
    ]),
  );
}

/** Texts that meet a condition, and texts that nearly do. */
export function nearTexts(match: unknown): readonly string[] {
  const { exact, prefix, regex } = (match ?? {}) as Readonly<Record<string, string | undefined>>;
  if (exact !== undefined) return [exact, exact, `${exact}x`, exact.slice(0, -1), swapCase(exact)];
  if (prefix !== undefined) return [prefix, `${prefix}x`, `${prefix}/x`, prefix.slice(0, -1), swapCase(prefix)];
  if (regex !== undefined)
    return [...expressions, ...valueExpressions].find((one) => one.regex === regex)?.near ?? ['1', ''];
  return ['1', ''];
}

function swapCase(text: string): string {
  const lower = text.toLowerCase();
  return lower === text ? text.toUpperCase() : lower;
}
