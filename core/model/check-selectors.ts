/** Checks that several kinds share: labels, selectors, exportTo, gateways' names, targets of policies. */
import {
  fqdnProblem,
  isDnsLabel,
  isHostLabel,
  isIpOrCidr,
  labelsMapProblem,
  wildcardDomainProblem,
} from './host-syntax.ts';
import type { Problems } from './problems.ts';

export function checkLabels(labels: Readonly<Record<string, string>> | undefined, problems: Problems): void {
  const problem = labelsMapProblem(labels ?? {});
  if (problem !== null) problems.error(problem, 'Labels are letters, digits, "-", "_" and ".", at most 63 of them.');
}

/** A selector's labels: no wildcards; none at all selects everything, which is seldom meant. */
export function checkSelector(labels: Readonly<Record<string, string>> | undefined, problems: Problems): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (key === '') problems.error('has a label without a name', 'Name the label.');
    if (key.includes('*') || value.includes('*')) {
      problems.error(`"${key}=${value}" has a wildcard, which selectors do not know`, 'Write the label in full.');
    }
  }
  if (Object.keys(labels ?? {}).length === 0) {
    problems.warn(
      'selects nothing in particular, so everything in its namespace',
      'Leave the selector out, or add labels.',
    );
  }
}

export interface PolicyTarget {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> | undefined } | undefined;
  readonly targetRef?: TargetRef | undefined;
  readonly targetRefs?: readonly TargetRef[] | undefined;
}
interface TargetRef {
  readonly group?: string | undefined;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}

const targets = ['core/Service', 'networking.istio.io/ServiceEntry', 'gateway.networking.k8s.io/Gateway'];
const clusterTargets = ['gateway.networking.k8s.io/GatewayClass'];

/** Selector or targetRefs, not both; targets of the kinds that Istio knows. */
export function checkPolicyTarget(spec: PolicyTarget, problems: Problems): void {
  const given = [spec.selector, spec.targetRef, spec.targetRefs?.length ? spec.targetRefs : undefined];
  if (given.filter((one) => one !== undefined).length > 1) {
    problems.error('has both a selector and targetRefs', 'Select workloads by one of them.');
  }
  if (spec.selector !== undefined) checkSelector(spec.selector.matchLabels, problems.at('selector'));
  for (const [index, target] of (spec.targetRefs ?? []).entries())
    checkTarget(target, problems.at('targetRefs', index));
  if (spec.targetRef !== undefined) checkTarget(spec.targetRef, problems.at('targetRef'));
}

function checkTarget({ group, kind, name, namespace }: TargetRef, problems: Problems): void {
  const target = `${group === undefined || group === '' ? 'core' : group}/${kind}`;
  if (name === '') problems.error('needs a name', 'Name the resource that the policy is for.');
  if (namespace !== undefined && namespace !== '') {
    problems.error('cannot point into another namespace', 'Put the policy into the namespace of its target.');
  }
  if (![...targets, ...clusterTargets].includes(target)) {
    problems.error(`cannot be a ${target}`, `Known targets: ${[...targets, ...clusterTargets].join(', ')}.`);
  }
}

export interface ExportRules {
  readonly namespace: string;
  /** ServiceEntry only: `~` exports to no one. */
  readonly mayBeNone?: boolean;
  /** A DestinationRule with a workloadSelector is for its own namespace. */
  readonly ownNamespaceOnly?: boolean;
}

export function checkExportTo(exportTo: readonly string[] | undefined, rules: ExportRules, problems: Problems): void {
  const seen = new Set<string>();
  for (const [index, entry] of (exportTo ?? []).entries()) {
    const at = problems.at(index);
    const key = entry === '.' ? rules.namespace : entry;
    if (seen.has(key)) at.error(`"${entry}" is there twice`, "`.` is the resource's own namespace.");
    seen.add(key);
    if (key === '~' && rules.mayBeNone !== true)
      at.error('"~" is for a ServiceEntry only', 'Use ".", "*" or a namespace.');
    else if (key !== '*' && key !== '~' && !isHostLabel(key))
      at.error(`"${entry}" is no namespace`, 'Use ".", "*" or a namespace.');
  }
  if (seen.size > 1 && seen.has('*')) problems.error('has "*" and namespaces', '"*" is every namespace already.');
  if (seen.size > 1 && seen.has('~')) problems.error('has "~" and namespaces', '"~" is no one.');
  if (rules.ownNamespaceOnly === true && seen.size > 0 && !(seen.size === 1 && seen.has(rules.namespace))) {
    problems.error(
      'goes beyond the own namespace',
      'A DestinationRule with a workloadSelector acts in its namespace only.',
    );
  }
}

/** `mesh`, `name`, `namespace/name`, or the old `name.namespace`. */
export function checkGatewayNames(names: readonly string[] | undefined, problems: Problems): void {
  for (const [index, name] of (names ?? []).entries()) {
    const at = problems.at(index);
    const slash = name.indexOf('/');
    if (slash === -1) {
      const problem = fqdnProblem(name);
      if (problem !== null) at.error(problem, 'Name a gateway as namespace/name.');
      else if (name.includes('.')) at.warn(`"${name}" is the old form`, 'Write namespace/name.', 'DEPRECATED');
      // Istio looks no further once it meets a name without a namespace.
      return;
    }
    const [namespace, gateway] = [name.slice(0, slash), name.slice(slash + 1)];
    if (!isHostLabel(namespace)) at.error(`"${namespace}" is no namespace`, 'Name a gateway as namespace/name.');
    if (!isDnsLabel(gateway)) at.error(`"${gateway}" is no name of a gateway`, 'Name a gateway as namespace/name.');
  }
}

export function checkSubnets(subnets: readonly string[] | undefined, problems: Problems): void {
  for (const [index, subnet] of (subnets ?? []).entries()) {
    if (!isIpOrCidr(subnet)) problems.at(index).error(`"${subnet}" is no address`, 'Write 10.0.0.1 or 10.0.0.0/8.');
  }
}

/** `namespace/host` or (gateways) `host`: no short names, wildcards only as `*` or `*.rest`. */
export function checkNamespacedHost(entry: string, isGateway: boolean, problems: Problems): void {
  const slash = entry.indexOf('/');
  if (slash === -1) {
    if (isGateway) checkLongHost(entry, true, problems);
    else
      problems.error(
        `"${entry}" has no namespace`,
        'Write namespace/host; "./host" is the own namespace, "*/host" any.',
      );
    return;
  }
  const [namespace, host] = [entry.slice(0, slash), entry.slice(slash + 1)];
  if (namespace === '' || host === '') problems.error(`"${entry}" lacks a part`, 'Write namespace/host.');
  const bare = isGateway ? namespace : namespace.replace(/^~/, '');
  if (bare !== '' && bare !== '*' && bare !== '.' && !isHostLabel(bare)) {
    problems.error(`"${namespace}" is no namespace`, 'Use ".", "*" or a namespace.');
  }
  if (host !== '') checkLongHost(host, isGateway, problems);
}

function checkLongHost(host: string, isGateway: boolean, problems: Problems): void {
  const hint = 'Give the full name (payments.shop.svc.cluster.local), "*" or "*.example.com".';
  if (host !== '*' && !host.includes('.')) {
    if (!(isGateway && isIpOrCidr(host) && !host.includes('/'))) problems.error(`"${host}" is a short name`, hint);
    return;
  }
  if (isGateway && isIpOrCidr(host) && !host.includes('/')) return;
  const problem = wildcardDomainProblem(host);
  if (problem !== null) problems.error(problem, hint);
  else if (host.includes('*') && host !== '*' && !host.startsWith('*.'))
    problems.error(`"${host}" has a wildcard in part of a label`, hint);
}
