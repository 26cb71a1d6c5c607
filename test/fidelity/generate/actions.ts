import type { Draw, Json } from './draw.ts';
import { headerNames } from './matches.ts';

const self = '{host}.shop.svc.cluster.local';

/** What a rule does with its requests. */
export function drawAction(draw: Draw): Json {
  return draw.weighted<Json>([
    [
      8,
      () => ({
        directResponse: drawDirectResponse(draw),
        ...maybe(draw, 0.4, 'headers', drawHeaderOperations),
        ...maybe(draw, 0.08, 'corsPolicy', drawCors),
      }),
    ],
    [
      10,
      () => ({
        redirect: drawRedirect(draw),
        ...maybe(draw, 0.3, 'headers', drawHeaderOperations),
        ...maybe(draw, 0.08, 'corsPolicy', drawCors),
      }),
    ],
    [82, () => drawRoute(draw)],
  ]);
}

function maybe(draw: Draw, share: number, field: string, make: (draw: Draw) => unknown): Json {
  return draw.chance(share) ? { [field]: make(draw) } : {};
}

function drawDirectResponse(draw: Draw): Json {
  const body = draw.of<Json | null>([{ string: 'short' }, { bytes: 'aGVsbG8=' }, { string: '' }, null]);
  const status = draw.of([200, 201, 204, 302, 404, 418, 503]);
  return { status, ...(body === null || status === 204 ? {} : { body }) };
}

function drawRedirect(draw: Draw): Json {
  const port = draw.of<Json>([
    {},
    {},
    {},
    { port: draw.of([80, 443, 8443]) },
    { derivePort: 'FROM_PROTOCOL_DEFAULT' },
    // The arbiter's explicit proxy has no port of its own: only where the port would be left out can it be compared.
    { derivePort: 'FROM_REQUEST_PORT', scheme: 'http' },
  ]);
  const redirect: Json = {
    ...maybe(draw, 0.6, 'uri', () => draw.of(['/to', '/', '/a/b', '/to?x=1', 'to'])),
    ...maybe(draw, 0.3, 'authority', () => draw.of(['other.example', 'other.example:8080'])),
    ...maybe(draw, 0.3, 'scheme', () => draw.of(['http', 'https'])),
    ...port,
    ...maybe(draw, 0.6, 'redirectCode', () => draw.of([301, 302, 303, 307, 308])),
  };
  return ['uri', 'authority', 'scheme', 'port', 'derivePort'].some((field) => field in redirect)
    ? redirect
    : { uri: '/to', ...redirect };
}

function drawRoute(draw: Draw): Json {
  const rewrite = maybe(draw, 0.3, 'rewrite', drawRewrite);
  const isRewritten = 'rewrite' in rewrite && 'authority' in (rewrite.rewrite as Json);
  return {
    ...rewrite,
    ...maybe(draw, 0.35, 'headers', (one) => drawHeaderOperations(one, isRewritten)),
    ...maybe(draw, 0.25, 'retries', drawRetries),
    ...maybe(draw, 0.04, 'timeout', () => draw.of(['1s', '1500ms'])),
    ...maybe(draw, 0.1, 'fault', drawFault),
    ...maybe(draw, 0.1, 'corsPolicy', drawCors),
    ...drawMirror(draw),
    route: drawDestinations(draw),
  };
}

function drawRewrite(draw: Draw): Json {
  const authority = maybe(draw, 0.3, 'authority', () => draw.of(['other.example', 'other.example:81']));
  const path = draw.weighted<Json>([
    [5, () => ({ uri: draw.of(['/', '/b', '/b/', '/b/c', '/x?y=1']) })],
    [
      4,
      () => ({
        uriRegexRewrite: draw.of<Json>([
          { match: '^/a(/.*)?$', rewrite: '/b\\1' },
          { match: '/([^/]+)/([^/]+)', rewrite: '/\\2/\\1' },
          { match: 'a', rewrite: 'aa' },
          { match: '/+', rewrite: '/' },
          { match: '(?i)API', rewrite: 'v2' },
          { match: '/v([0-9]+)$', rewrite: '/version/\\1-\\0' },
        ]),
      }),
    ],
    [2, () => ({})],
  ]);
  const rewrite = { ...path, ...authority };
  return Object.keys(rewrite).length === 0 ? { uri: '/b' } : rewrite;
}

/** @param isRewritten the authority is rewritten already, and may be set once only */
function drawHeaderOperations(draw: Draw, isRewritten = true): Json {
  const operations = (isRequest: boolean): Json => ({
    ...maybe(draw, 0.6, 'set', () => drawPairs(draw, isRequest && !isRewritten)),
    ...maybe(draw, 0.5, 'add', () => drawPairs(draw, false)),
    ...maybe(draw, 0.4, 'remove', () => draw.some(headerNames, 1 + draw.below(2))),
  });
  return draw.weighted<Json>([
    [4, () => ({ request: operations(true) })],
    [4, () => ({ response: operations(false) })],
    [2, () => ({ request: operations(true), response: operations(false) })],
  ]);
}

function drawPairs(draw: Draw, mayBeHost: boolean): Json {
  const values = [
    'new',
    'new',
    '100%%',
    '%REQ(x-a)%',
    '[%REQ(x-b?x-user)%]',
    '%REQ(:path)%',
    '%REQ(:method)%',
    'a, b',
    '%RESP(x-a)%',
    '%RESPONSE_CODE%',
    '%REQ(X-Case?x-a)%',
    '%PROTOCOL%',
  ];
  const names = draw.some(headerNames, draw.chance(0.7) ? 1 : 2);
  const host = mayBeHost && draw.chance(0.08) ? { [draw.of(['host', 'Host', ':authority'])]: 'set.example' } : {};
  return { ...Object.fromEntries(names.map((name) => [name, draw.of(values)])), ...host };
}

function drawRetries(draw: Draw): Json {
  const attempts = draw.below(4);
  if (attempts === 0) return { attempts };
  const conditions = [
    '5xx',
    'gateway-error',
    '503',
    'reset',
    'retriable-4xx',
    'reset,503',
    'connect-failure',
    '404,500',
  ];
  return { attempts, ...maybe(draw, 0.85, 'retryOn', () => draw.of(conditions)) };
}

function drawFault(draw: Draw): Json {
  const percentage = { value: draw.of([0, 100, 100]) };
  const abort = { httpStatus: draw.of([400, 418, 500, 503]), percentage };
  const delay = { fixedDelay: '2ms', percentage: { value: 100 } };
  return draw.weighted<Json>([
    [3, () => ({ abort })],
    [1, () => ({ delay })],
    [1, () => ({ abort, delay })],
  ]);
}

function drawCors(draw: Draw): Json {
  return {
    allowOrigins: draw.some(
      [{ exact: 'https://a.example' }, { prefix: 'https://a' }, { regex: 'https://.*[.]b[.]example' }, { exact: '*' }],
      1 + draw.below(2),
    ),
    ...maybe(draw, 0.5, 'allowMethods', () => ['GET', 'PUT']),
    ...maybe(draw, 0.5, 'allowHeaders', () => ['x-a', 'x-b']),
    ...maybe(draw, 0.4, 'exposeHeaders', () => ['x-user']),
    ...maybe(draw, 0.4, 'maxAge', () => draw.of(['24h', '90s'])),
    ...maybe(draw, 0.4, 'allowCredentials', () => draw.chance(0.7)),
  };
}

function drawMirror(draw: Draw): Json {
  const destination = { host: self, subset: 'v2' };
  return draw.weighted<Json>([
    [93, () => ({})],
    [3, () => ({ mirror: destination })],
    [1, () => ({ mirror: destination, mirrorPercentage: { value: 0 } })],
    [2, () => ({ mirrors: [{ destination }, { destination: { ...destination, subset: 'v1' } }] })],
    [1, () => ({ mirrors: [{ destination, percentage: { value: 0 } }] })],
  ]);
}

/** One destination; or several of which only one version can be drawn, so that what is seen does not depend on chance. */
function drawDestinations(draw: Draw): readonly Json[] {
  const subset = draw.of(['v1', 'v2']);
  const headers = draw.chance(0.25) ? { headers: drawHeaderOperations(draw, !draw.chance(0.3)) } : {};
  const to = (name: string, more: Json = {}): Json => ({ destination: { host: self, subset: name }, ...more });
  return draw.weighted<readonly Json[]>([
    [70, () => [to(subset, headers)]],
    [5, () => [to(subset, { ...headers, weight: draw.of([1, 50, 100]) })]],
    [10, () => [to('v1', { ...headers, weight: 100 }), to('v2', { ...headers, weight: 0 })]],
    [10, () => [to(subset, { ...headers, weight: 70 }), to(subset, { ...headers, weight: 30 })]],
    [3, () => [{ destination: { host: self, subset, port: { number: 80 } }, ...headers }]],
    [1, () => [to('v9', headers)]],
    [1, () => [{ destination: { host: 'nobody.shop.svc.cluster.local' }, ...headers }]],
  ]);
}
