import { parseDuration } from '../../model/duration.ts';
import type { CorsPolicy, HeaderOperations, Headers, HttpRedirect, HttpRetry } from '../../model/http-actions.ts';
import { compareText } from '../../model/resource.ts';
import type { HttpRoute } from '../../model/sidecar-config.ts';
import type {
  CorsConfig,
  HeaderChanges,
  HeaderOperations as HeaderOperationsConfig,
  MirrorConfig,
  RedirectConfig,
  RetryConfig,
} from '../../model/traffic-config.ts';
import type { HttpRule } from '../../model/virtual-service.ts';
import { defaultRetryAttempts, defaultRetryOn } from '../../policy/retry-conditions.ts';
import { defaultRetryBaseMs } from '../../policy/retry-delay.ts';

/** Where a host name of the rule leads. */
export type ResolveDestination = (host: string) => string;

type RouteActions = Pick<
  HttpRoute,
  'redirect' | 'directResponse' | 'rewrite' | 'headers' | 'retries' | 'mirrors' | 'cors' | 'timeoutMs'
>;

/**
 * What a rule does with a request besides sending it somewhere, with Istio's defaults filled in.
 * @param defaults retries of rules that say nothing; default: Istio's
 */
export function compileRouteActions(rule: HttpRule, resolve: ResolveDestination, defaults?: HttpRetry): RouteActions {
  const { redirect, directResponse, rewrite, corsPolicy } = rule;
  const [only, ...others] = rule.route ?? [];
  const own = compileHeaderChanges(rule.headers);
  const headers = others.length > 0 ? own : mergeHeaderChanges(own, compileHeaderChanges(only?.headers));
  const mirrors = compileMirrors(rule, resolve);
  const { uri, uriRegexRewrite } = rewrite ?? {};
  const authority =
    rewrite?.authority || authorityOf(rule.headers) || (others.length > 0 ? undefined : authorityOf(only?.headers));
  return {
    timeoutMs: durationMs(rule.timeout),
    retries: compileRetries(rule.retries ?? defaults),
    ...(redirect === undefined ? {} : { redirect: compileRedirect(redirect) }),
    ...(directResponse === undefined
      ? {}
      : { directResponse: { status: directResponse.status, body: toBase64(directResponse.body) } }),
    ...(rewrite === undefined && authority === undefined
      ? {}
      : {
          rewrite: {
            ...(uri === undefined || uri === '' ? {} : { uri }),
            ...(authority === undefined || authority === '' ? {} : { authority }),
            ...(uriRegexRewrite === undefined
              ? {}
              : { regex: { pattern: uriRegexRewrite.match ?? '', by: uriRegexRewrite.rewrite ?? '' } }),
          },
        }),
    ...(headers === null ? {} : { headers }),
    ...(mirrors.length === 0 ? {} : { mirrors }),
    ...(corsPolicy === undefined ? {} : { cors: compileCors(corsPolicy) }),
  };
}

/** `null` when nothing is changed. */
export function compileHeaderChanges(headers: Headers | undefined): HeaderChanges | null {
  const request = compileOperations(headers?.request);
  const response = compileOperations(headers?.response);
  if (request === null && response === null) return null;
  return { ...(request === null ? {} : { request }), ...(response === null ? {} : { response }) };
}

function compileOperations(operations: HeaderOperations | undefined): HeaderOperationsConfig | null {
  const { remove = [], set = {}, add = {} } = operations ?? {};
  const made = {
    remove: remove.map((name) => name.toLowerCase()).filter((name) => !isPseudo(name)),
    set: toPairs(set),
    add: toPairs(add),
  };
  return made.remove.length + made.set.length + made.add.length === 0 ? null : made;
}

/** In order of their names, as Istio writes them; what sets the authority is a rewrite. */
function toPairs(values: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(values)
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !isPseudo(name))
    .sort(([a], [b]) => compareText(a, b));
}

const isPseudo = (name: string): boolean => name === 'host' || name.startsWith(':');

/** The host that a header operation of the request sets, which Istio takes for a rewrite of the authority. */
export function authorityOf(headers: Headers | undefined): string | undefined {
  const { set = {}, add = {} } = headers?.request ?? {};
  return [...Object.entries(set), ...Object.entries(add)].find(([name]) => /^(?::authority|host)$/i.test(name))?.[1];
}

/**
 * Those of a rule and of its only destination: Istio writes them into one list, of which Envoy removes everything first,
 * then replaces, then adds.
 */
function mergeHeaderChanges(rule: HeaderChanges | null, only: HeaderChanges | null): HeaderChanges | null {
  if (rule === null || only === null) return rule ?? only;
  const merge = (a?: HeaderOperationsConfig, b?: HeaderOperationsConfig) =>
    a === undefined || b === undefined
      ? (a ?? b)
      : { remove: [...a.remove, ...b.remove], set: [...a.set, ...b.set], add: [...a.add, ...b.add] };
  const [request, response] = [merge(rule.request, only.request), merge(rule.response, only.response)];
  return { ...(request === undefined ? {} : { request }), ...(response === undefined ? {} : { response }) };
}

/** Istio's default policy for a rule that says nothing; `attempts: 0` is off. */
export function compileRetries(retries: HttpRetry | undefined): RetryConfig {
  return {
    attempts: retries === undefined ? defaultRetryAttempts : (retries.attempts ?? 0),
    retryOn: retries?.retryOn === undefined || retries.retryOn === '' ? defaultRetryOn : retries.retryOn,
    perTryTimeoutMs: durationMs(retries?.perTryTimeout),
    backoffBaseMs: durationMs(retries?.backoff) ?? defaultRetryBaseMs,
    avoidPreviousHosts: retries?.retryIgnorePreviousHosts ?? true,
    ...(retries?.retryRemoteLocalities === true ? { remoteLocalities: true } : {}),
  };
}

function compileRedirect(redirect: HttpRedirect): RedirectConfig {
  const { uri, authority, port, derivePort, scheme, redirectCode, prefixRewrite } = redirect;
  return {
    status: redirectCode === undefined || redirectCode === 0 ? 301 : redirectCode,
    ...(uri === undefined || uri === '' ? {} : { uri }),
    ...(prefixRewrite === undefined ? {} : { prefix: prefixRewrite }),
    ...(authority === undefined || authority === '' ? {} : { authority }),
    ...(scheme === undefined || scheme === '' ? {} : { scheme }),
    // FROM_PROTOCOL_DEFAULT writes no port; that of the request's host stays (istio route.go, ApplyRedirect).
    ...(port !== undefined && port !== 0 ? { port } : derivePort === 'FROM_REQUEST_PORT' ? { port: 'request' } : {}),
  };
}

function compileMirrors(rule: HttpRule, resolve: ResolveDestination): MirrorConfig[] {
  const share = rule.mirrorPercentage?.value ?? rule.mirrorPercent ?? rule.mirror_percent ?? 100;
  const single = rule.mirror === undefined ? [] : [{ destination: rule.mirror, percent: share }];
  const several = (rule.mirrors ?? []).map(({ destination, percentage }) => ({
    destination,
    percent: percentage === undefined ? 100 : (percentage.value ?? 0),
  }));
  return [...single, ...several].map(({ destination, percent }) => ({
    service: resolve(destination.host),
    subset: destination.subset ?? null,
    port: destination.port?.number ?? null,
    percent,
  }));
}

/** Envoy asks each matcher about `*` too: an exact `*` allows every origin. */
function anyOrigin(origin: CorsConfig['origins'][number]): CorsConfig['origins'][number] {
  return 'exact' in origin && origin.exact === '*' ? { prefix: '' } : origin;
}

function compileCors(policy: CorsPolicy): CorsConfig {
  const { allowOrigins = [], allowOrigin = [], maxAge } = policy;
  const old = allowOrigin.map((origin) => (origin === '*' ? { prefix: '' } : { exact: origin }));
  return {
    origins: allowOrigins.length > 0 ? allowOrigins.map(anyOrigin) : old,
    allowMethods: (policy.allowMethods ?? []).join(','),
    allowHeaders: (policy.allowHeaders ?? []).join(','),
    exposeHeaders: (policy.exposeHeaders ?? []).join(','),
    maxAgeSeconds: maxAge === undefined ? null : Math.floor((parseDuration(maxAge) ?? 0) / 1_000),
    allowCredentials: policy.allowCredentials ?? false,
    forwardUnmatchedPreflights: policy.unmatchedPreflights !== 'IGNORE',
  };
}

/** Whole milliseconds; `null` for absent and zero, which both mean none. */
function durationMs(text: string | undefined): number | null {
  const ms = text === undefined ? 0 : Math.ceil(parseDuration(text) ?? 0);
  return ms > 0 ? ms : null;
}

const base64Digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** UTF-8, then base64; `bytes` is base64 already. Pure parts have neither Buffer nor btoa. */
function toBase64(body: { string?: string | undefined; bytes?: string | undefined } | undefined): string {
  if (body?.bytes !== undefined) return body.bytes;
  const octets = toUtf8(body?.string ?? '');
  let text = '';
  for (let at = 0; at < octets.length; at += 3) {
    const [a = 0, b = 0, c = 0] = octets.slice(at, at + 3);
    const bits = (a << 16) | (b << 8) | c;
    const digits = [bits >> 18, (bits >> 12) & 63, (bits >> 6) & 63, bits & 63].map((digit) => base64Digits[digit]);
    const missing = Math.max(0, at + 3 - octets.length);
    text += digits.slice(0, 4 - missing).join('') + '='.repeat(missing);
  }
  return text;
}

function toUtf8(text: string): number[] {
  return [...text].flatMap((character) => {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) return [point];
    const tail = (shift: number) => 0x80 | ((point >> shift) & 0x3f);
    if (point < 0x800) return [0xc0 | (point >> 6), tail(0)];
    if (point < 0x10000) return [0xe0 | (point >> 12), tail(6), tail(0)];
    return [0xf0 | (point >> 18), tail(12), tail(6), tail(0)];
  });
}
