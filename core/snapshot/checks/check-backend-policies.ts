/** BackendTLSPolicy and XBackendTrafficPolicy: targets and CAs that are not there, and policies that an older one shuts out. */
import type { BackendTargetRef, BackendTLSPolicy, XBackendTrafficPolicy } from '../../model/backend-policy.ts';
import type { Finding } from '../../model/finding.ts';
import { describeResource, type MeshResources, namespaceOf, ofKind } from '../../model/resource.ts';
import { backendTarget, configMapOf, isForUs } from '../policies/backend-policies.ts';
import { configMapPrefix } from '../policies/upstream-tls.ts';
import { warning } from './check-references.ts';

type Policy = BackendTLSPolicy | XBackendTrafficPolicy;
type Ref = Pick<BackendTargetRef, 'group' | 'kind' | 'name' | 'sectionName'>;

/** @param hasRoots whether the project has `configmap:namespace/name` */
export function backendPolicyFindings(
  resources: MeshResources,
  services: ReadonlyMap<string, unknown>,
  hasRoots: (name: string) => boolean,
): readonly Finding[] {
  const tls = ofKind(resources.kept, 'BackendTLSPolicy').filter(isForUs);
  const all: readonly Policy[] = [...tls, ...ofKind(resources.kept, 'XBackendTrafficPolicy').filter(isForUs)];
  const first = new Map<string, Policy>();
  return [
    ...all.flatMap((policy) =>
      policy.spec.targetRefs.flatMap((ref: Ref) => {
        const problem = targetProblem(policy, ref, resources, services);
        return problem === null ? olderFinding(policy, ref, first) : problem;
      }),
    ),
    ...tls.flatMap((policy) => rootsFinding(policy, hasRoots)),
  ];
}

function targetProblem(
  policy: Policy,
  ref: Ref,
  resources: MeshResources,
  services: ReadonlyMap<string, unknown>,
): Finding | null {
  const namespace = namespaceOf(policy);
  const target = backendTarget(ref, namespace, resources);
  const isThere = target !== null && (target.ports !== null || services.has(`${ref.name}.${namespace}`));
  const message = `${describeResource(policy)}: there is no ${ref.kind} ${namespace}/${ref.name} that it could be attached to`;
  return isThere ? null : warning('UNKNOWN_HOST', message, 'Targets are Services and ServiceEntries of its namespace.');
}

function olderFinding(policy: Policy, { kind, name, sectionName = '' }: Ref, first: Map<string, Policy>): Finding[] {
  const id = JSON.stringify([policy.kind, namespaceOf(policy), kind, name, sectionName]);
  const winner = first.get(id) ?? policy;
  first.set(id, winner);
  if (winner === policy) return [];
  const message = `${describeResource(policy)} is not used for ${kind} ${name}: ${describeResource(winner)} comes first`;
  return [warning('CONFLICTING_HOST', message, 'One policy of a kind is attached to a target; merge the two.')];
}

function rootsFinding(policy: BackendTLSPolicy, hasRoots: (name: string) => boolean): Finding[] {
  const roots = configMapOf(policy);
  if (roots === null || (roots.startsWith(configMapPrefix) && hasRoots(roots))) return [];
  const message = `${describeResource(policy)}: there is no ${roots.replace(configMapPrefix, 'ConfigMap ')} with ca.crt, so calls fail`;
  return [warning('NO_CREDENTIAL', message, 'Put the ConfigMap into a YAML file of the project.')];
}
