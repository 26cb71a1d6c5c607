/** What a schema cannot say about what a rule does. Source: istio/pkg/config/validation, validation.go. */

import { checkDestination } from './check-destination.ts';
import { checkMethodNames } from './check-header-operations.ts';
import { checkStringMatch } from './check-string-match.ts';
import { parseDuration } from './duration.ts';
import { grpcStatusCode } from './grpc-status.ts';
import type { HttpRedirect, HttpRetry } from './http-actions.ts';
import type { Problems } from './problems.ts';
import { re2Problem } from './re2.ts';
import type { HttpRule } from './virtual-service.ts';

export function checkHttpActions(rule: HttpRule, problems: Problems): void {
  checkMirrors(rule, problems);
  checkFault(rule, problems);
  checkRewrite(rule, problems);
  if (rule.redirect !== undefined) checkRedirect(rule.redirect, rule, problems.at('redirect'));
  if (rule.retries !== undefined) checkRetries(rule.retries, problems.at('retries'));
  if (rule.directResponse !== undefined) checkDirectResponse(rule.directResponse, problems.at('directResponse'));
  checkCors(rule, problems.at('corsPolicy'));
}

function checkMirrors(rule: HttpRule, problems: Problems): void {
  if (rule.mirror !== undefined) checkDestination(rule.mirror, problems.at('mirror'));
  if (rule.mirror !== undefined && (rule.mirrors?.length ?? 0) > 0) {
    problems.at('mirror').error('cannot stand next to mirrors', 'Move it into mirrors.');
  }
  for (const [index, { destination }] of (rule.mirrors ?? []).entries())
    checkDestination(destination, problems.at('mirrors', index, 'destination'));
  for (const field of ['mirrorPercent', 'mirror_percent'] as const) {
    const value = rule[field];
    if (value === undefined) continue;
    const at = problems.at(field);
    if (value > 100) at.error(`${value} is more than 100 %`, 'Give a percentage.');
    at.warn('is deprecated', 'Use mirrorPercentage: {value: 50}.', 'DEPRECATED');
  }
  const percentage = rule.mirrorPercentage?.value ?? 0;
  if (percentage < 0 || percentage > 100)
    problems.at('mirrorPercentage').error(`${percentage} is not between 0 and 100`, 'Give a percentage.');
}

function checkFault({ fault }: HttpRule, problems: Problems): void {
  const { delay, abort } = fault ?? {};
  if (delay?.exponentialDelay !== undefined)
    problems.at('fault', 'delay', 'exponentialDelay').error('is not supported by Istio', 'Use fixedDelay.');
  if (delay?.percent !== undefined)
    problems.at('fault', 'delay', 'percent').warn('is deprecated', 'Use percentage: {value: 50}.', 'DEPRECATED');
  if (abort === undefined) return;
  const at = problems.at('fault', 'abort');
  const kinds = (['httpStatus', 'grpcStatus', 'http2Error'] as const).filter((kind) => abort[kind] !== undefined);
  if (kinds.length > 1) at.error(`has ${kinds.join(' and ')}`, 'Give one of them.');
  if (kinds.length === 0) at.warn('has no status, so nothing is aborted', 'Give httpStatus or grpcStatus.');
  if (abort.http2Error !== undefined)
    at.at('http2Error').error('is not supported by Istio', 'Use httpStatus or grpcStatus.');
  if (abort.grpcStatus !== undefined && grpcStatusCode(abort.grpcStatus) === null) {
    at.at('grpcStatus').error(
      `"${abort.grpcStatus}" is no gRPC status`,
      'Write its name in capitals: UNAVAILABLE, NOT_FOUND.',
    );
  }
}

function checkRewrite({ rewrite }: HttpRule, problems: Problems): void {
  if (rewrite === undefined) return;
  const at = problems.at('rewrite');
  const { uri, authority, uriRegexRewrite: regex } = rewrite;
  if (uri && regex !== undefined) at.error('has uri and uriRegexRewrite', 'Give one of them.');
  if (!uri && !authority && regex === undefined)
    at.error('rewrites nothing', 'Give uri, authority or uriRegexRewrite.');
  if (regex === undefined) return;
  if (!regex.match || !regex.rewrite) at.at('uriRegexRewrite').error('needs match and rewrite', 'Give both.');
  const reason = regex.match ? re2Problem(regex.match) : null;
  if (reason !== null) at.at('uriRegexRewrite', 'match').error(reason, re2Hint, 'BAD_REGEX');
}

const re2Hint = 'Istio uses RE2 expressions (github.com/google/re2/wiki/Syntax) that match the whole value.';

function checkRedirect(redirect: HttpRedirect, rule: HttpRule, problems: Problems): void {
  const { uri, prefixRewrite, authority, port, derivePort, scheme, redirectCode = 0 } = redirect;
  if (uri && prefixRewrite) problems.error('has uri and prefixRewrite', 'Give one of them.');
  if (prefixRewrite && rule.match?.some((match) => match.uri !== undefined && !('prefix' in match.uri))) {
    problems.at('prefixRewrite').error('needs every uri match to be a prefix', 'Match by prefix, or use uri.');
  }
  if (port !== undefined && derivePort !== undefined) problems.error('has port and derivePort', 'Give one of them.');
  if (!uri && !prefixRewrite && !authority && !scheme && port === undefined && derivePort === undefined) {
    problems.error('leads nowhere', 'Give uri, prefixRewrite, authority, scheme or port.');
  }
  if (redirectCode !== 0 && (redirectCode < 300 || redirectCode > 399))
    problems.at('redirectCode').error(`${redirectCode} is no redirect`, 'Use 301, 302, 303, 307 or 308.');
  if (scheme && scheme !== 'http' && scheme !== 'https')
    problems.at('scheme').error(`"${scheme}" is not http or https`, 'Use http or https.');
}

const retryConditions = [
  ...['5xx', 'gateway-error', 'reset', 'reset-before-request', 'connect-failure', 'retriable-4xx', 'refused-stream'],
  ...['retriable-status-codes', 'retriable-headers', 'envoy-ratelimited', 'http3-post-connect-failure'],
  ...['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'],
];

function checkRetries(retries: HttpRetry, problems: Problems): void {
  const { attempts = 0, perTryTimeout, retryOn = '', retryRemoteLocalities, backoff } = retries;
  if (attempts < 0) problems.at('attempts').error('must not be negative', 'Use 0 to switch retries off.');
  if (attempts === 0 && (perTryTimeout !== undefined || retryOn !== '' || retryRemoteLocalities !== undefined)) {
    problems.error(
      'says how to retry with attempts 0, which switches retries off',
      'Give attempts, or remove the rest.',
    );
  }
  for (const condition of retryOn === '' ? [] : retryOn.split(',')) {
    if (retryConditions.includes(condition) || isStatusText(condition)) continue;
    problems
      .at('retryOn')
      .error(
        `"${condition}" is no condition`,
        `Use some of ${retryConditions.join(', ')} or status codes, with commas and no spaces between.`,
      );
  }
  if (attempts > 10)
    problems
      .at('attempts')
      .warn(`${attempts} retries multiply the load on a service that is failing`, 'Two or three are usual.');
  if (backoff !== undefined && attempts === 0)
    problems.at('backoff').warn('has no effect without retries', 'Give attempts.');
}

/** Codes that have a name (RFC 9110 and its registry), as Go's http.StatusText knows them. */
function isStatusText(text: string): boolean {
  if (!/^\d{3}$/.test(text)) return false;
  const code = Number(text);
  const ranges: readonly (readonly [number, number])[] = [
    [100, 103],
    [200, 208],
    [226, 226],
    [300, 305],
    [307, 308],
    [400, 418],
    [421, 426],
    [428, 429],
    [431, 431],
    [451, 451],
    [500, 508],
    [510, 511],
  ];
  return ranges.some(([first, last]) => code >= first && code <= last);
}

function checkDirectResponse({ status, body }: NonNullable<HttpRule['directResponse']>, problems: Problems): void {
  if (status < 200 || status > 599)
    problems.at('status').error(`${status} is not between 200 and 599`, 'Give an HTTP status.');
  if (body?.string !== undefined && body.bytes !== undefined)
    problems.at('body').error('has string and bytes', 'Give one of them.');
  const size = body?.string?.length ?? ((body?.bytes?.length ?? 0) * 3) / 4;
  if (size > 1_048_576) problems.at('body').error('is longer than 1 MB', 'Serve large bodies from a service.');
  else if (size > 102_400)
    problems.at('body').warn('is large; it is part of every configuration', 'Serve large bodies from a service.');
}

function checkCors({ corsPolicy }: HttpRule, problems: Problems): void {
  if (corsPolicy === undefined) return;
  for (const [index, origin] of (corsPolicy.allowOrigins ?? []).entries()) {
    if (Object.values(origin).every((value) => value === ''))
      problems.at('allowOrigins', index).error('is empty', 'Give exact, prefix or regex.');
    else checkStringMatch(origin, problems.at('allowOrigins', index));
  }
  checkMethodNames(corsPolicy.allowMethods, problems.at('allowMethods'));
  for (const field of ['allowHeaders', 'exposeHeaders'] as const) {
    for (const [index, name] of (corsPolicy[field] ?? []).entries()) {
      if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
        problems.at(field, index).error(`"${name}" is no header name`, 'Name a header, or "*".');
    }
  }
  if (corsPolicy.maxAge !== undefined && (parseDuration(corsPolicy.maxAge) ?? 0) % 1_000 !== 0)
    problems.at('maxAge').error('must be whole seconds', 'Write it like 24h.');
  if (corsPolicy.allowOrigin !== undefined)
    problems.at('allowOrigin').warn('is deprecated', 'Use allowOrigins: [{exact: ...}].', 'DEPRECATED');
}
