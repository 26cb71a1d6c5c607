/**
 * BackendTLSPolicy and XBackendTrafficPolicy as the DestinationRules that they come to, in the namespace of what they are
 * attached to; a user's own rule for the host has precedence, field by field. Source: istio/pilot/pkg/config/kube/gateway,
 * backend_policies.go, and model/destination_rule.go.
 */
import type { BackendTargetRef, BackendTLSPolicy, XBackendTrafficPolicy } from '../../model/backend-policy.ts';
import type { DestinationRule } from '../../model/destination-rule.ts';
import { type MeshResources, namespaceOf, ofKind } from '../../model/resource.ts';
import type { ClientTls, PortTrafficPolicy, TrafficPolicy } from '../../model/traffic-policy.ts';
import { toFqdn } from '../host-names.ts';
import { configMapPrefix } from './upstream-tls.ts';

const known = new WeakMap<MeshResources, readonly DestinationRule[]>();
const ofPolicies = new WeakSet<DestinationRule>();

/** What callers go by: the rules of the project, then those of backend policies. The same list for the same resources. */
export function callerRules(resources: MeshResources): readonly DestinationRule[] {
  let rules = known.get(resources);
  if (rules === undefined) {
    const made = rulesOfPolicies(resources);
    for (const rule of made) ofPolicies.add(rule);
    rules = made.length === 0 ? resources.destinationRules : [...resources.destinationRules, ...made];
    known.set(resources, rules);
  }
  return rules;
}

/** True for a rule that `callerRules` made of a policy: it only says what others leave open. */
export function isOfPolicy(rule: DestinationRule): boolean {
  return ofPolicies.has(rule);
}

/** The policy of a user's rule with what a backend policy adds. */
export function fillPolicy(
  own: TrafficPolicy | undefined,
  added: TrafficPolicy | undefined,
): TrafficPolicy | undefined {
  if (own === undefined || added === undefined) return own ?? added;
  const ports = new Map<number, PortTrafficPolicy>();
  for (const settings of [...(added.portLevelSettings ?? []), ...(own.portLevelSettings ?? [])]) {
    const port = settings.port?.number ?? 0;
    ports.set(port, { ...ports.get(port), ...settings });
  }
  return { ...added, ...own, ...(ports.size === 0 ? {} : { portLevelSettings: [...ports.values()] }) };
}

type Target = Pick<BackendTargetRef, 'group' | 'kind' | 'name'>;

/** One per host: the oldest policy for it (and for the port, where it names one) says what TLS, and how many retries. */
function rulesOfPolicies(resources: MeshResources): DestinationRule[] {
  const found = new Map<string, { namespace: string; host: string; policy: TrafficPolicy }>();
  const add = (namespace: string, hosts: readonly string[], policy: TrafficPolicy) => {
    for (const host of hosts) {
      const id = `${namespace}/${host}`;
      const before = found.get(id);
      found.set(id, { namespace, host, policy: fillPolicy(before?.policy, policy) ?? policy });
    }
  };
  for (const policy of ofKind(resources.kept, 'BackendTLSPolicy').filter(isForUs)) {
    const namespace = namespaceOf(policy);
    for (const ref of policy.spec.targetRefs) {
      const target = backendTarget(ref, namespace, resources);
      const settings = target === null ? null : toSettings(compileTls(policy), ref.sectionName ?? '', target.ports);
      if (target !== null && settings !== null) add(namespace, target.hosts, settings);
    }
  }
  for (const policy of ofKind(resources.kept, 'XBackendTrafficPolicy').filter(isForUs)) {
    const { retryConstraint, targetRefs } = policy.spec;
    if (retryConstraint === undefined) continue;
    const { budget: { percent } = {}, minRetryRate: { count = 10 } = {} } = retryConstraint;
    const retryBudget = { ...(percent === undefined ? {} : { percent }), minRetryConcurrency: count };
    for (const ref of targetRefs.filter(isService))
      add(namespaceOf(policy), [hostOf(ref, namespaceOf(policy))], { retryBudget });
  }
  return [...found.values()].map(({ namespace, host, policy }) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: host.replace(/^\*\./, 'any.'), namespace },
    spec: { host, trafficPolicy: policy },
  }));
}

/** Istio leaves policies alone that ask for it. */
export function isForUs({ metadata }: BackendTLSPolicy | XBackendTrafficPolicy): boolean {
  return metadata.annotations?.['istio.io/ignore-policy-attachment']?.toLowerCase() !== 'true';
}

const isService = ({ group, kind }: Target) => group === '' && kind === 'Service';
const hostOf = ({ name }: Target, namespace: string) => toFqdn({ name, namespace });

/** `ports` by name; `null`: of a service, whose ports have no names here. */
interface PolicyTarget {
  readonly hosts: readonly string[];
  readonly ports: ReadonlyMap<string, number> | null;
}

/** `null`: there is no such entry, or it is of a kind that nobody calls. */
export function backendTarget(ref: Target, namespace: string, resources: MeshResources): PolicyTarget | null {
  if (isService(ref)) return { hosts: [hostOf(ref, namespace)], ports: null };
  if (ref.group !== 'networking.istio.io' || ref.kind !== 'ServiceEntry') return null;
  const entry = ofKind(resources.kept, 'ServiceEntry').find(
    (one) => namespaceOf(one) === namespace && one.metadata.name === ref.name,
  );
  if (entry === undefined) return null;
  return {
    hosts: entry.spec.hosts,
    ports: new Map((entry.spec.ports ?? []).map(({ name, number }) => [name, number])),
  };
}

/** A section of a service is understood by the number at its end (`https-443`). `null`: there is no such port. */
function toSettings(tls: ClientTls, section: string, ports: PolicyTarget['ports']): TrafficPolicy | null {
  if (section === '') return { tls };
  const number = ports === null ? Number(/(\d+)$/.exec(section)?.[1] ?? 0) : (ports.get(section) ?? 0);
  return number === 0 ? null : { portLevelSettings: [{ port: { number }, tls }] };
}

/** The hostname is the server name alone, as in Istio: without `subjectAltNames` the chain decides. */
function compileTls(policy: BackendTLSPolicy): ClientTls {
  const { hostname, subjectAltNames = [] } = policy.spec.validation;
  const names = subjectAltNames.flatMap(({ type, hostname: host, uri }) => (type === 'URI' ? uri : host) ?? []);
  const roots = configMapOf(policy);
  return {
    mode: 'SIMPLE',
    sni: hostname,
    ...(names.length === 0 ? {} : { subjectAltNames: names }),
    ...(roots === null ? {} : { caCertificates: roots }),
  };
}

/** The name of the file that has its roots; of another kind, one that nobody has: calls fail. `null`: the system's. */
export function configMapOf({ metadata, spec }: BackendTLSPolicy): string | null {
  const [ca] = spec.validation.caCertificateRefs ?? [];
  if (ca === undefined) return null;
  return `${ca.kind === 'ConfigMap' ? configMapPrefix : `${ca.kind} `}${namespaceOf({ metadata })}/${ca.name}`;
}
