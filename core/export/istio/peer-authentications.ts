import { type PeerAuthentication, selectorOf } from '../../model/peer-authentication.ts';
import { describeResource, namespaceOf } from '../../model/resource.ts';
import { toResourceName } from '../../model/resource-metadata.ts';
import { namespaceMtlsMode } from '../../snapshot/policies/peer-mtls.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import type { Add } from './service-manifests.ts';

/**
 * Policies of one namespace: `default` with the mode that is in force there, then those with a selector. The root
 * namespace has one only when a mesh-wide policy is set.
 */
export function peerAuthentications(snapshot: MeshSnapshot, namespace: string, add: Add): PeerAuthentication[] {
  const { rootNamespace } = snapshot;
  const own = snapshot.resources.peerAuthentications.filter((policy) => namespaceOf(policy) === namespace);
  const wide = own.filter((policy) => selectorOf(policy) === null);
  const [inForce] = wide;
  const mode = namespaceMtlsMode(snapshot.resources.peerAuthentications, namespace, rootNamespace);
  for (const policy of wide.slice(1)) {
    const reason = `${describeResource(inForce ?? policy)} is older and decides for the namespace`;
    add({ kind: 'dropped', what: describeResource(policy), reason });
  }
  const scope = namespace === rootNamespace ? 'the mesh' : `namespace ${namespace}`;
  add({
    kind: 'mapped',
    what: `mutual TLS of ${scope}: ${mode}`,
    reason: inForce === undefined ? 'the mode in force here' : describeResource(inForce),
  });
  return [
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: toResourceName(namespace) },
      spec: { mtls: { mode } },
    },
    ...selectorPolicies(snapshot, own, add),
  ];
}

function selectorPolicies(
  snapshot: MeshSnapshot,
  policies: readonly PeerAuthentication[],
  add: Add,
): PeerAuthentication[] {
  return policies.flatMap((policy) => {
    if (selectorOf(policy) === null) return [];
    const what = describeResource(policy);
    if (namespaceOf(policy) === snapshot.rootNamespace) {
      add({ kind: 'dropped', what, reason: 'a policy with a selector does nothing in the root namespace' });
      return [];
    }
    add({ kind: 'mapped', what, reason: 'as it is' });
    const { labels, annotations, name } = policy.metadata;
    return [
      {
        ...policy,
        apiVersion: 'security.istio.io/v1' as const,
        metadata: {
          name,
          namespace: toResourceName(namespaceOf(policy)),
          ...(labels === undefined ? {} : { labels }),
          ...(annotations === undefined ? {} : { annotations }),
        },
      },
    ];
  });
}
