/** What a schema cannot say about security kinds. Source: istio/pkg/config/validation, istio/pkg/config/security. */
import type { AuthorizationCondition, AuthorizationPolicy, AuthorizationRule } from './authorization-policy.ts';
import { checkPolicyTarget, checkSelector } from './check-selectors.ts';
import { isIpOrCidr } from './host-syntax.ts';
import type { PeerAuthentication } from './peer-authentication.ts';
import type { Problems } from './problems.ts';
import type { JwtRule, RequestAuthentication } from './request-authentication.ts';

export function checkPeerAuthentication({ spec }: PeerAuthentication, problems: Problems): void {
  const at = problems.at('spec');
  if (spec.selector !== undefined) checkSelector(spec.selector.matchLabels, at.at('selector'));
  for (const port of Object.keys(spec.portLevelMtls ?? {})) {
    if (Number(port) < 1 || Number(port) > 65_535)
      at.at('portLevelMtls', port).error(`${port} is no port`, "Give the workload's port.");
  }
  if (spec.portLevelMtls !== undefined && Object.keys(spec.portLevelMtls).length === 0) {
    at.at('portLevelMtls').error('must not be empty', 'Give a port, or leave it out.');
  }
}

export function checkRequestAuthentication({ spec }: RequestAuthentication, problems: Problems): void {
  const at = problems.at('spec');
  checkPolicyTarget(spec, at);
  for (const [index, rule] of (spec.jwtRules ?? []).entries()) checkJwtRule(rule, at.at('jwtRules', index));
}

function checkJwtRule({ issuer, jwksUri, jwks }: JwtRule, problems: Problems): void {
  if (!issuer && !jwksUri) problems.error('needs issuer or jwksUri', 'Name who signs the tokens.');
  if (jwksUri && !/^https?:\/\/[^/:]+(?::\d+)?(?:[/?#]|$)/.test(jwksUri)) {
    problems.at('jwksUri').error(`"${jwksUri}" is no http or https address`, 'Give the address of the key set.');
  }
  if (!jwks) return;
  const reason = jwksProblem(jwks);
  if (reason !== null) problems.at('jwks').error(reason, 'Give a JSON Web Key Set: {"keys": [...]}.');
}

/** A set, or one key by itself. */
function jwksProblem(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return 'is no JSON Web Key Set';
    if ('keys' in value) return Array.isArray(value.keys) ? null : 'has keys that are no list';
    return 'kty' in value ? null : 'is no JSON Web Key Set';
  } catch (cause) {
    return `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}

const meaningless = 'matches no request by itself';

export function checkAuthorizationPolicy({ spec = {}, metadata }: AuthorizationPolicy, problems: Problems): void {
  const at = problems.at('spec');
  checkPolicyTarget(spec, at);
  const { action = 'ALLOW', rules, provider } = spec;
  if ((rules ?? []).length === 0 && (action === 'CUSTOM' || action === 'DENY')) {
    at.error(`${action} without rules ${meaningless}`, 'Add rules: [{}] to match every request.');
  }
  if (action === 'CUSTOM' && rules !== undefined && !provider?.name)
    at.at('provider').error('is needed for CUSTOM', 'Name the provider.');
  if (action !== 'CUSTOM' && provider !== undefined)
    at.at('provider').error(`has no place with ${action}`, 'Use action CUSTOM.');
  for (const [index, rule] of (rules ?? []).entries()) {
    checkRule(rule, at.at('rules', index));
    if (action === 'CUSTOM') checkCustomRule(rule, at.at('rules', index));
    if (action === 'DENY') warnOfTcp(rule, at.at('rules', index));
  }
  const dryRun = metadata.annotations?.['istio.io/dry-run'];
  if (dryRun === undefined) return;
  const annotation = problems.at('metadata', 'annotations', 'istio.io/dry-run');
  if (action !== 'ALLOW' && action !== 'DENY')
    annotation.error(`has no place with ${action}`, 'Use it with ALLOW or DENY.');
  else if (!/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(dryRun))
    annotation.error(`"${dryRun}" is not true or false`, 'Write "true".');
}

function checkRule(rule: AuthorizationRule, problems: Problems): void {
  for (const [index, { source }] of (rule.from ?? []).entries()) {
    const at = problems.at('from', index, 'source');
    if (source === undefined || isEmpty(source)) at.error('must not be empty', 'Name a source, or leave `from` out.');
    for (const [field, values] of Object.entries(source ?? {})) checkSourceValues(field, values ?? [], at.at(field));
    const accounts = [...(source?.serviceAccounts ?? []), ...(source?.notServiceAccounts ?? [])];
    const names = [source?.principals, source?.notPrincipals, source?.namespaces, source?.notNamespaces].flatMap(
      (list) => list ?? [],
    );
    if (accounts.length > 0 && names.length > 0)
      at.error('has serviceAccounts next to principals or namespaces', 'Give one of them.');
  }
  for (const [index, { operation }] of (rule.to ?? []).entries()) {
    const at = problems.at('to', index, 'operation');
    if (operation === undefined || isEmpty(operation))
      at.error('must not be empty', 'Name an operation, or leave `to` out.');
    for (const [field, values] of Object.entries(operation ?? {}))
      checkOperationValues(field, values ?? [], at.at(field));
  }
  for (const [index, condition] of (rule.when ?? []).entries()) checkCondition(condition, problems.at('when', index));
}

function isEmpty(record: object): boolean {
  return Object.values(record).every((values: readonly string[] | undefined) => (values?.length ?? 0) === 0);
}

function checkEach(values: readonly string[], problems: Problems, problemOf: (value: string) => string | null): void {
  for (const [index, value] of values.entries()) {
    const problem = value === '' ? 'must not be empty' : problemOf(value);
    if (problem !== null) problems.at(index).error(problem, 'Correct or remove it.');
  }
}

const ipProblem = (value: string) => (isIpOrCidr(value) ? null : `"${value}" is neither an address nor a block`);
const portProblem = (value: string) =>
  /^\d+$/.test(value) && Number(value) <= 65_535 ? null : `"${value}" is no port`;

function checkSourceValues(field: string, values: readonly string[], problems: Problems): void {
  if (/ipblocks$/i.test(field)) checkEach(values, problems, ipProblem);
  else if (/serviceaccounts$/i.test(field)) checkAccounts(values, problems);
  else if (/trustdomains$/i.test(field)) checkEach(values, problems, trustDomainProblem);
  else checkEach(values, problems, () => null);
}

function checkAccounts(values: readonly string[], problems: Problems): void {
  if (values.length > 16) problems.error('has more than 16 values', 'Use namespaces or principals.');
  checkEach(values, problems, (value) => {
    if (value.includes('*')) return `"${value}" has a wildcard, which service accounts do not know`;
    if (value.length > 320) return 'is longer than 320 characters';
    return /^(?:[^/]+\/)?[^/]+$/.test(value) ? null : `"${value}" is not "account" or "namespace/account"`;
  });
}

function trustDomainProblem(value: string): string | null {
  if (value.includes('/')) return `"${value}" has a "/", which trust domains do not`;
  const stars = value.split('*').length - 1;
  return stars > 1 || (stars === 1 && !value.startsWith('*') && !value.endsWith('*'))
    ? `"${value}" has a wildcard within`
    : null;
}

function checkOperationValues(field: string, values: readonly string[], problems: Problems): void {
  if (/ports$/i.test(field)) checkEach(values, problems, portProblem);
  else if (/paths$/i.test(field)) checkEach(values, problems, pathTemplateProblem);
  else checkEach(values, problems, () => null);
}

/** `{*}` is one segment, `{**}` any number and the last; no other braces. */
export function pathTemplateProblem(path: string): string | null {
  const segments = path.replace(/^\/+|\/+$/g, '').split('/');
  const isTemplate = path.includes('{*}') || path.includes('{**}');
  let ended = false;
  for (const segment of segments) {
    if (segment === '{*}' || segment === '{**}') {
      if (ended) return `"${path}" goes on after {**}`;
      ended = segment === '{**}';
      continue;
    }
    if (/[{}]/.test(segment)) return `"${path}" has a brace that belongs to no {*} or {**}`;
    if (isTemplate && !/^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/.test(segment))
      return `"${path}" has a segment that is no plain text ("${segment}")`;
  }
  return null;
}

const plainKeys = [
  ...['source.namespace', 'source.principal', 'request.auth.principal', 'request.auth.audiences'],
  ...['request.auth.presenter', 'connection.sni'],
];
const mapKeys = /^(?:request\.headers|request\.auth\.claims|experimental\.envoy\.filters\.)/;
const allKeys = [
  ...plainKeys,
  'source.ip',
  'remote.ip',
  'source.serviceAccount',
  'source.trustDomain',
  'destination.ip',
  'destination.port',
  'request.headers[NAME]',
  'request.auth.claims[NAME]',
];

function checkCondition({ key, values = [], notValues = [] }: AuthorizationCondition, problems: Problems): void {
  if (key === '') problems.at('key').error('must not be empty', `Known keys: ${allKeys.join(', ')}.`);
  else if (values.length + notValues.length === 0) problems.error('needs values or notValues', 'Give one value.');
  else
    for (const [field, list] of [
      ['values', values],
      ['notValues', notValues],
    ] as const)
      checkAttribute(key, list, problems, field);
}

function checkAttribute(key: string, values: readonly string[], problems: Problems, field: string): void {
  const at = problems.at(field);
  if (mapKeys.test(key)) {
    if (!/^[^[]+\[.+\]$/.test(key))
      problems.at('key').error(`"${key}" needs a name in brackets`, 'Write request.headers[x-user].');
    checkEach(values, at, () => null);
  } else if (key === 'source.ip' || key === 'remote.ip' || key === 'destination.ip') checkEach(values, at, ipProblem);
  else if (key === 'destination.port') checkEach(values, at, portProblem);
  else if (key === 'source.serviceAccount') checkAccounts(values, at);
  else if (key === 'source.trustDomain') checkEach(values, at, trustDomainProblem);
  else if (plainKeys.includes(key)) checkEach(values, at, () => null);
  else if (field === 'values' || values.length > 0)
    problems.at('key').error(`"${key}" is no attribute`, `Known keys: ${allKeys.join(', ')}.`);
}

const notForCustom = /^(?:not)?(?:namespaces|serviceaccounts|trustdomains|principals|requestprincipals)$/i;

function checkCustomRule(rule: AuthorizationRule, problems: Problems): void {
  for (const [index, { source }] of (rule.from ?? []).entries()) {
    const field = Object.entries(source ?? {}).find(
      ([name, values]) => notForCustom.test(name) && (values?.length ?? 0) > 0,
    )?.[0];
    if (field !== undefined)
      problems.at('from', index, 'source', field).error('is not supported with CUSTOM', 'Let the provider decide.');
  }
  for (const [index, { key }] of (rule.when ?? []).entries()) {
    if (/^(?:source\.(?:namespace|serviceAccount|trustDomain|principal)$|request\.auth\.)/.test(key)) {
      problems.at('when', index, 'key').error(`"${key}" is not supported with CUSTOM`, 'Let the provider decide.');
    }
  }
}

/** On TCP, what only HTTP has counts as matched in a DENY: the rule closes every TCP port. */
function warnOfTcp(rule: AuthorizationRule, problems: Problems): void {
  const tcpFrom = /^(?:not)?(?:principals|ipblocks|namespaces|remoteipblocks|serviceaccounts)$/i;
  const from = (rule.from ?? []).flatMap(({ source }) => Object.keys(source ?? {}));
  const to = (rule.to ?? []).flatMap(({ operation }) => Object.keys(operation ?? {}));
  const httpFrom = from.length > 0 && to.length === 0 && !from.some((field) => tcpFrom.test(field));
  const httpTo = to.length > 0 && !to.some((field) => /ports$/i.test(field));
  if (httpFrom || httpTo)
    problems.warn('denies all TCP traffic too, because it names only what HTTP has', 'Add ports to the operation.');
}
