import type { MeshSnapshot, SnapshotWorkload } from './snapshot.ts';

type ByNetwork = ReadonlyMap<string, readonly string[]>;

/** Made once per snapshot: sidecars of one network have the same list. */
const known = new WeakMap<MeshSnapshot, ByNetwork>();

/**
 * Addresses, sorted, of attached workloads that share a network with this one; its own is among them. Empty where no
 * redirect rules bring the traffic: there a caller is pointed at its sidecar from its start.
 */
export function attachedCallers(snapshot: MeshSnapshot, { discovered, listeners }: SnapshotWorkload): string[] {
  if (listeners?.kind !== 'transparent') return [];
  let byNetwork = known.get(snapshot);
  if (byNetwork === undefined) {
    byNetwork = listByNetwork(snapshot);
    known.set(snapshot, byNetwork);
  }
  const all = new Set(discovered.addresses.flatMap(({ network }) => byNetwork.get(network) ?? []));
  return [...all].sort();
}

function listByNetwork({ workloads }: MeshSnapshot): ByNetwork {
  const byNetwork = new Map<string, string[]>();
  for (const { attached, listeners, discovered } of workloads.values()) {
    if (!attached || listeners?.kind !== 'transparent') continue;
    for (const { network, ip } of discovered.addresses) {
      const listed = byNetwork.get(network);
      if (listed === undefined) byNetwork.set(network, [ip]);
      else listed.push(ip);
    }
  }
  return byNetwork;
}
