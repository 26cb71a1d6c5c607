import type { DestinationRule, Subset } from '../../model/destination-rule.ts';
import { compareText, namespaceOf } from '../../model/resource.ts';
import { hostFit } from '../host-names.ts';
import { rulesFor } from '../routes/rule-index.ts';
import type { SnapshotService } from '../snapshot.ts';
import { isExportedTo } from '../visibility/exports.ts';
import { matchesLabels } from '../workload-identity.ts';
import { fillPolicy, isOfPolicy } from './backend-policies.ts';
import { compileClusterPolicies, type PolicyScope } from './cluster-policies.ts';

/** What the destination rules of one service say to callers of one namespace. */
export interface DestinationPolicy {
  /** Merged; the first definition of a name wins. */
  readonly subsets: readonly Subset[];
  /** True when a rule makes callers use plaintext. */
  readonly plaintext: boolean;
  /** Traffic policies, of the rules and of their subsets. */
  readonly policies: readonly PolicyScope[];
}

/**
 * Finds the rules of a service for a caller: those of the caller's namespace if there are any, else of the service's, else
 * of the root namespace, as far as they are exported to the caller's. An exact host beats wildcards. Several
 * rules for one host are merged: first subset of a name, first traffic policy. Where rules select callers by labels and none
 * selects this one, only one for all counts; without one there is no policy, whatever other namespaces say. Source: Istio
 * DestinationRule, push_context.go, sidecar.go; asked of a real istiod.
 */
export function destinationPolicy(
  rules: readonly DestinationRule[],
  service: SnapshotService,
  client: RuleClient,
  rootNamespace: string,
  services: ReadonlyMap<string, SnapshotService>,
): DestinationPolicy {
  const candidates = rulesFor(rules, ({ spec }) => [spec.host], services)(service.key);
  for (const { namespace, sees } of lookupPath(client.namespace, service.namespace, rootNamespace)) {
    const fitting = candidates
      .filter((rule) => namespaceOf(rule) === namespace && sees(rule))
      .map((rule) => ({ rule, fit: hostFit(rule.spec.host, namespace, service, services) }))
      .filter(({ fit }) => fit >= 0);
    if (fitting.length === 0) continue;
    const best = Math.max(...fitting.map(({ fit }) => fit));
    const chosen = fitting.filter(({ fit }) => fit === best).map(({ rule }) => rule);
    return toPolicy(forClient(consolidate(chosen), client));
  }
  return nothing;
}

/** The caller, as far as rules may select by it. */
export interface RuleClient {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Where to look, in order. A namespace's own rules are for its callers unless they are exported to others only; to callers of
 * the root namespace those that are for it alone, since its others are meant for everybody. Rules that select callers are for
 * their own namespace, whatever they export.
 */
function lookupPath(client: string, service: string, root: string) {
  const selects = ({ spec }: DestinationRule) => spec.workloadSelector !== undefined;
  const reaches = ({ spec, metadata }: DestinationRule) =>
    isExportedTo(spec.exportTo, namespaceOf({ metadata }), client);
  const exported = (rule: DestinationRule) => !selects(rule) && reaches(rule);
  const isOwn = (rule: DestinationRule) => selects(rule) || reaches(rule);
  const isAlone = (rule: DestinationRule) => {
    const [only, ...others] = rule.spec.exportTo ?? [];
    return selects(rule) || ((only === '.' || only === root) && others.length === 0);
  };
  return [
    { namespace: client, sees: client === root ? isAlone : isOwn },
    { namespace: service, sees: exported },
    { namespace: root, sees: exported },
  ];
}

/** What one or more rules for a host say together. */
interface Consolidated {
  /** Text of the labels that select callers; `null`: it is for all. */
  readonly selector: string | null;
  readonly first: DestinationRule;
  readonly subsets: Map<string, Subset>;
  policy: DestinationRule['spec']['trafficPolicy'];
}

/**
 * In their order: to those before it that select the same callers, and to those of which one selects and the other does not,
 * a rule adds the subsets they lack, and a traffic policy where they have none. In the latter case, and where nobody before it
 * selects the same, it stands for itself too. Source: Istio, destination_rule.go.
 */
function consolidate(rules: readonly DestinationRule[]): readonly Consolidated[] {
  const all: Consolidated[] = [];
  for (const rule of rules) {
    const selector = selectorText(rule);
    let isApart = true;
    for (const other of all) {
      isApart = other.selector !== selector;
      if (isApart && other.selector !== null && selector !== null) continue;
      for (const subset of rule.spec.subsets ?? []) {
        if (!other.subsets.has(subset.name)) other.subsets.set(subset.name, subset);
      }
      if (isOfPolicy(rule)) other.policy = fillPolicy(other.policy, rule.spec.trafficPolicy);
      else other.policy ??= rule.spec.trafficPolicy;
    }
    if (!isApart) continue;
    const own = new Map<string, Subset>();
    for (const subset of rule.spec.subsets ?? []) if (!own.has(subset.name)) own.set(subset.name, subset);
    all.push({ selector, first: rule, subsets: own, policy: rule.spec.trafficPolicy });
  }
  return all;
}

/** The first that selects this caller, which is of its namespace; else the one for all; `null`: there is none. */
function forClient(all: readonly Consolidated[], { namespace, labels }: RuleClient): Consolidated | null {
  const selects = ({ first }: Consolidated) =>
    first.spec.workloadSelector !== undefined &&
    namespaceOf(first) === namespace &&
    matchesLabels(first.spec.workloadSelector.matchLabels, labels);
  return all.find(selects) ?? all.findLast(({ selector }) => selector === null) ?? null;
}

function selectorText({ spec: { workloadSelector } }: DestinationRule): string | null {
  if (workloadSelector === undefined) return null;
  return JSON.stringify(Object.entries(workloadSelector.matchLabels ?? {}).sort(([a], [b]) => compareText(a, b)));
}

/** True when some rule selects callers by labels, so that callers of one namespace may get different policies. */
export function selectsCallers(rules: readonly DestinationRule[]): boolean {
  return rules.some(({ spec }) => spec.workloadSelector !== undefined);
}

const nothing: DestinationPolicy = { subsets: [], plaintext: false, policies: [] };

function toPolicy(consolidated: Consolidated | null): DestinationPolicy {
  if (consolidated === null) return nothing;
  const { policy } = consolidated;
  const subsets = [...consolidated.subsets.values()];
  return { subsets, plaintext: policy?.tls?.mode === 'DISABLE', policies: compileClusterPolicies(policy, subsets) };
}
