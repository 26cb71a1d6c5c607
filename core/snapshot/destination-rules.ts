import type { DestinationRule, Subset } from '../model/destination-rule.ts';
import { namespaceOf } from '../model/resource.ts';
import { compileClusterPolicies, type PolicyScope } from './cluster-policies.ts';
import { hostFit } from './host-names.ts';
import { rulesFor } from './rule-index.ts';
import type { SnapshotService } from './snapshot.ts';
import type { TlsFiles } from './upstream-tls.ts';

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
 * Finds the rules of a service for callers in `clientNamespace`: those of the caller's namespace if there are any, else
 * of the service's, else of the root namespace. An exact host beats wildcards. Several rules for one host are merged:
 * first subset of a name, first traffic policy. Source: Istio DestinationRule, ops/best-practices/traffic-management.
 */
export function destinationPolicy(
  rules: readonly DestinationRule[],
  service: SnapshotService,
  clientNamespace: string,
  rootNamespace: string,
  services: ReadonlyMap<string, SnapshotService>,
  files: TlsFiles,
): DestinationPolicy {
  const candidates = rulesFor(rules, ({ spec }) => [spec.host], services)(service.key);
  for (const namespace of new Set([clientNamespace, service.namespace, rootNamespace])) {
    const fitting = candidates
      .filter((rule) => namespaceOf(rule) === namespace)
      .map((rule) => ({ rule, fit: hostFit(rule.spec.host, namespace, service, services) }))
      .filter(({ fit }) => fit >= 0);
    if (fitting.length === 0) continue;
    const best = Math.max(...fitting.map(({ fit }) => fit));
    return merge(
      fitting.filter(({ fit }) => fit === best).map(({ rule }) => rule),
      files,
    );
  }
  return nothing;
}

const nothing: DestinationPolicy = { subsets: [], plaintext: false, policies: [] };

function merge(rules: readonly DestinationRule[], files: TlsFiles): DestinationPolicy {
  const subsets = new Map<string, Subset>();
  for (const rule of rules) {
    for (const subset of rule.spec.subsets ?? []) {
      if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
    }
  }
  const policy = rules.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy;
  const plaintext = policy?.tls?.mode === 'DISABLE';
  const policies = compileClusterPolicies(policy, [...subsets.values()], files);
  return { subsets: [...subsets.values()], plaintext, policies };
}
