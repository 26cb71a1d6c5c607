import type { Ask } from '../scenario.ts';
import type { Draw, Json } from './draw.ts';
import { headerNames, headerValues, methods, nearTexts, queryNames, segments } from './matches.ts';

/** Requests that hit conditions of the rules or just miss them. */
export function drawAsk(draw: Draw, matches: readonly Json[], rules: readonly Json[]): Ask {
  const aim = matches.length > 0 && draw.chance(0.85) ? draw.of(matches) : {};
  const { method: aimedMethod, uri, authority } = aim;
  const method = aimedMethod === undefined || draw.chance(0.3) ? plainMethod(draw) : methodFor(draw, aimedMethod);
  const grpc = draw.chance(0.02) ? { 'content-type': 'application/grpc' } : {};
  const headers = { ...drawHeaders(draw, aim), ...drawOrigin(draw, rules), ...grpc };
  const isPreflight = 'access-control-request-method' in headers;
  const mirrored = rules.some((rule) => 'mirror' in rule || 'mirrors' in rule);
  const hasDelay = draw.chance(0.02) && rules.some(({ timeout }) => timeout !== undefined);
  return {
    method: isPreflight ? 'OPTIONS' : method,
    path: `${drawPath(draw, uri)}${drawQuery(draw, aim)}`,
    ...(draw.chance(authority === undefined ? 0.06 : 0.5) ? { authority: drawAuthority(draw) } : {}),
    headers,
    ...(method === 'POST' && !isPreflight ? { body: 'hello' } : {}),
    ...(hasDelay ? { order: { delayMs: 2_500 } } : draw.chance(0.35) ? { order: drawOrder(draw, mirrored) } : {}),
    ...(mirrored ? { mirrored } : {}),
  };
}

const plainMethod = (draw: Draw) => (draw.chance(0.7) ? 'GET' : draw.of(methods));

function methodFor(draw: Draw, match: unknown): string {
  const near = nearTexts(match).filter((text) => methods.includes(text));
  return near.length === 0 ? draw.of(methods) : draw.of(near);
}

function drawPath(draw: Draw, uri: unknown): string {
  const odd = ['/a//b', '/./a', '/a/../b', '/%61', '/a%2Fb', '/a/b/c', '/none', '/a;x', '/api/v1/items/7?'];
  const near = uri === undefined ? [] : nearTexts(uri).filter((text) => text.startsWith('/'));
  if (near.length > 0 && draw.chance(0.8)) return draw.of(near);
  return (draw.chance(0.15) ? draw.of(odd) : draw.of(segments)).replace('?', '');
}

function drawQuery(draw: Draw, { queryParams }: Json): string {
  const parts: string[] = [];
  for (const [name, match] of Object.entries((queryParams ?? {}) as Json)) {
    if (draw.chance(0.85)) parts.push(`${name}=${draw.of(nearTexts(match))}`);
  }
  if (draw.chance(0.15)) parts.unshift(`${draw.of(queryNames)}${draw.of(['', '=', '=1', '=%31'])}`);
  if (draw.chance(0.1)) parts.push('other=x');
  return parts.length === 0 ? (draw.chance(0.03) ? '?' : '') : `?${parts.join('&')}`;
}

function drawHeaders(draw: Draw, { headers, withoutHeaders }: Json): Record<string, string> {
  const drawn: Record<string, string> = {};
  for (const name of headerNames) if (draw.chance(0.25)) drawn[name.toLowerCase()] = draw.of(headerValues);
  for (const [name, match] of Object.entries((headers ?? {}) as Json)) {
    if (draw.chance(0.85)) drawn[name.toLowerCase()] = draw.of(nearTexts(match));
  }
  for (const [name, match] of Object.entries((withoutHeaders ?? {}) as Json)) {
    if (draw.chance(0.3)) delete drawn[name.toLowerCase()];
    else if (draw.chance(0.5)) drawn[name.toLowerCase()] = draw.of(nearTexts(match));
  }
  return drawn;
}

function drawOrigin(draw: Draw, rules: readonly Json[]): Record<string, string> {
  if (!draw.chance(rules.some(({ corsPolicy }) => corsPolicy !== undefined) ? 0.6 : 0.03)) return {};
  const origin = draw.of(['https://a.example', 'https://x.b.example', 'https://no.example', 'https://A.example']);
  return { origin, ...(draw.chance(0.4) ? { 'access-control-request-method': draw.of(['PUT', 'DELETE']) } : {}) };
}

const drawAuthority = (draw: Draw) => draw.of(['{host}.shop', '{host}.shop.svc', '{host}.shop.svc.cluster.local:80']);

/** @param mirrored there may be copies, which count like tries: what comes first is chance */
function drawOrder(draw: Draw, mirrored: boolean): NonNullable<Ask['order']> {
  const times = !mirrored && draw.chance(0.5) ? { times: 1 + draw.below(2) } : {};
  if (draw.chance(0.2)) return { reset: true, ...times };
  const headers = Object.fromEntries(
    draw.some(headerNames, draw.below(3)).map((name) => [name, draw.of(['up', 'x, y'])]),
  );
  return { status: draw.of([200, 200, 404, 409, 500, 502, 503]), headers, ...times };
}
