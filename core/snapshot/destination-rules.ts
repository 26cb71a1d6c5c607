import type { DestinationRule, Subset } from '../model/destination-rule.ts';
import { compareText, namespaceOf } from '../model/resource.ts';
import { compileClusterPolicies, type PolicyScope } from './cluster-policies.ts';
import { exportTier, isExportedTo } from './exports.ts';
import { hostFit } from './host-names.ts';
import { rulesFor } from './rule-index.ts';
import type { SnapshotService } from './snapshot.ts';
import { matchesLabels } from './workload-identity.ts';

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
 * of the root namespace, the latter two as far as they are exported to the caller's. An exact host beats wildcards. Several
 * rules for one host are merged: first subset of a name, first traffic policy; those that select callers by labels are
 * merged with those that select the same, and come before those for all. Source: Istio DestinationRule, push_context.go,
 * sidecar.go, ops/best-practices/traffic-management.
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
    return merge(
      forClient(
        fitting.filter(({ fit }) => fit === best).map(({ rule }) => rule),
        client,
      ),
    );
  }
  return nothing;
}

/** The caller, as far as rules may select by it. */
export interface RuleClient {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Where to look, in order. A namespace's own rules are for its callers whatever they export; to callers of the root
 * namespace those that are for it alone, since its others are meant for everybody.
 */
function lookupPath(client: string, service: string, root: string) {
  const exported = ({ spec, metadata }: DestinationRule) =>
    isExportedTo(spec.exportTo, namespaceOf({ metadata }), client);
  const alone = ({ spec }: DestinationRule) => exportTier(spec.exportTo, root, root) === 0;
  return [
    { namespace: client, sees: client === root ? alone : () => true },
    { namespace: service, sees: exported },
    { namespace: root, sees: exported },
  ];
}

/** The rules that select this caller, else those that select nobody. */
function forClient(rules: readonly DestinationRule[], { namespace, labels }: RuleClient): readonly DestinationRule[] {
  const selected = rules.find(
    (rule) =>
      rule.spec.workloadSelector !== undefined &&
      namespaceOf(rule) === namespace &&
      matchesLabels(rule.spec.workloadSelector.matchLabels, labels),
  );
  const wanted = selectorText(selected);
  return rules.filter((rule) => selectorText(rule) === wanted);
}

function selectorText(rule: DestinationRule | undefined): string {
  const selector = rule?.spec.workloadSelector;
  if (selector === undefined) return '';
  return JSON.stringify(Object.entries(selector.matchLabels ?? {}).sort(([a], [b]) => compareText(a, b)));
}

/** True when some rule selects callers by labels, so that callers of one namespace may get different policies. */
export function selectsCallers(rules: readonly DestinationRule[]): boolean {
  return rules.some(({ spec }) => spec.workloadSelector !== undefined);
}

const nothing: DestinationPolicy = { subsets: [], plaintext: false, policies: [] };

function merge(rules: readonly DestinationRule[]): DestinationPolicy {
  const subsets = new Map<string, Subset>();
  for (const rule of rules) {
    for (const subset of rule.spec.subsets ?? []) {
      if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
    }
  }
  const policy = rules.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy;
  const plaintext = policy?.tls?.mode === 'DISABLE';
  const policies = compileClusterPolicies(policy, [...subsets.values()]);
  return { subsets: [...subsets.values()], plaintext, policies };
}
