/** What a schema cannot say about one HTTP rule of a VirtualService. Source: istio/pkg/config/validation, virtualservice.go. */
import { checkWeights } from './check-destination.ts';
import { checkHeaderOperations, isAuthorityName } from './check-header-operations.ts';
import { checkHttpActions } from './check-http-actions.ts';
import { checkGatewayNames, checkLabels } from './check-selectors.ts';
import { checkStringMatch } from './check-string-match.ts';
import { isHostLabel } from './host-syntax.ts';
import type { Problems } from './problems.ts';
import type { HttpMatchRequest, HttpRule } from './virtual-service.ts';

/** @param isDelegate the resource has no hosts: others delegate to it */
export function checkHttpRule(rule: HttpRule, isDelegate: boolean, problems: Problems): void {
  checkActions(rule, isDelegate, problems);
  for (const [index, match] of (rule.match ?? []).entries()) checkMatch(match, problems.at('match', index));
  checkHeaderOperations(rule.headers, problems.at('headers'));
  checkAuthority(rule, problems);
  checkDestinations(rule, problems);
  checkHttpActions(rule, problems);
}

/** One of route, redirect, directResponse, delegate; what cannot stand next to it. */
function checkActions(rule: HttpRule, isDelegate: boolean, problems: Problems): void {
  const actions = (['route', 'redirect', 'directResponse', 'delegate'] as const).filter((action) =>
    action === 'route' ? (rule.route?.length ?? 0) > 0 : rule[action] !== undefined,
  );
  const conflicts = actions.filter((action) => action !== 'directResponse' || rule.delegate === undefined);
  if (conflicts.length !== 1) {
    problems.error(
      `a rule needs exactly one of route, redirect, directResponse and delegate; it has ${actions.length === 0 ? 'none' : actions.join(' and ')}`,
      'Give the rule one action; split it into two rules when it needs two.',
    );
  }
  if (isDelegate && rule.delegate !== undefined) {
    problems.at('delegate').error('a delegate cannot delegate', 'Delegation goes one level deep; give it a route.');
  }
  if (rule.redirect !== undefined || rule.directResponse !== undefined) {
    for (const field of ['fault', 'rewrite'] as const) {
      if (rule[field] === undefined) continue;
      problems
        .at(field)
        .error(
          `cannot stand next to ${rule.redirect === undefined ? 'directResponse' : 'redirect'}`,
          `Remove ${field}: no request goes on from this rule.`,
        );
    }
  }
}

function checkMatch(match: HttpMatchRequest, problems: Problems): void {
  if (Object.keys(match).every((key) => key === 'name' || key === 'statPrefix')) {
    problems.warn('asks for nothing and so matches everything', 'Leave `match` out when every request is meant.');
  }
  checkStringMatch(match.uri, problems.at('uri'), { mayBeEmptyPrefix: true });
  for (const field of ['scheme', 'method', 'authority'] as const) checkStringMatch(match[field], problems.at(field));
  for (const group of ['headers', 'withoutHeaders'] as const) {
    for (const [name, value] of Object.entries(match[group] ?? {})) {
      const at = problems.at(group, name);
      if (!isHeaderName(name))
        at.error(`"${name}" is no header name`, 'Header names are letters, digits, "-", "_" and ".".');
      if (name !== name.toLowerCase()) {
        at.warn(
          `header "${name}" should be lower-case; it is read as "${name.toLowerCase()}"`,
          'Istio wants header names in lower case.',
          'HEADER_CASE',
        );
      }
      if (group === 'withoutHeaders' && 'regex' in value && value.regex === '*') continue;
      checkStringMatch(value, at);
    }
  }
  for (const [name, value] of Object.entries(match.queryParams ?? {}))
    checkStringMatch(value, problems.at('queryParams', name));
  checkLabels(match.sourceLabels, problems.at('sourceLabels'));
  checkGatewayNames(match.gateways, problems.at('gateways'));
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== '' && !isHostLabel(match.sourceNamespace)) {
    problems.at('sourceNamespace').error(`"${match.sourceNamespace}" is no namespace`, 'Name one namespace.');
  }
}

/** Pseudo-headers and claims of a token (`@request.auth.claims.group`) are names too. */
function isHeaderName(name: string): boolean {
  if (isClaimName(name)) return true;
  return (
    [':method', ':scheme', ':authority', ':path', ':status'].includes(name) ||
    /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)
  );
}

/** A claim of the request's token as a header name: `@request.auth.claims.group` or `@request.auth.claims[group]`. */
export function isClaimName(name: string): boolean {
  return /^@request\.auth\.claims(?:\..|\[.+\]$)/i.test(name);
}

function checkAuthority(rule: HttpRule, problems: Problems): void {
  const given = rule.rewrite?.authority ? 1 : 0;
  const { set = {}, add = {} } = rule.headers?.request ?? {};
  const more = [...Object.keys(set), ...Object.keys(add)].filter(isAuthorityName).length;
  if (given + more > 1) {
    problems.error('sets the authority more than once', 'Use rewrite.authority or one header "host", not both.');
  }
}

function checkDestinations(rule: HttpRule, problems: Problems): void {
  checkWeights(rule.route, problems.at('route'));
  for (const [index, { headers }] of (rule.route ?? []).entries())
    checkHeaderOperations(headers, problems.at('route', index, 'headers'));
}
