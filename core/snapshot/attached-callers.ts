import type { MeshSnapshot, SnapshotWorkload } from './snapshot.ts';

interface Callers {
  readonly byNetwork: ReadonlyMap<string, readonly string[]>;
  /** Of several networks, by their names. */
  readonly together: Map<string, string[]>;
}

/** Made once per snapshot: sidecars of the same networks share a list, which is sent to all of them as the same bytes. */
const known = new WeakMap<MeshSnapshot, Callers>();

/**
 * Addresses, sorted, of attached workloads that share a network with this one; its own is among them. Empty where no
 * redirect rules bring the traffic: there a caller is pointed at its sidecar from its start.
 */
export function attachedCallers(snapshot: MeshSnapshot, { discovered, listeners }: SnapshotWorkload): string[] {
  if (listeners?.kind !== 'transparent') return [];
  let callers = known.get(snapshot);
  if (callers === undefined) {
    callers = { byNetwork: listByNetwork(snapshot), together: new Map() };
    known.set(snapshot, callers);
  }
  const { byNetwork, together } = callers;
  const networks = [...new Set(discovered.addresses.map(({ network }) => network))].sort();
  const key = networks.join(' ');
  let all = together.get(key);
  if (all === undefined) {
    all = [...new Set(networks.flatMap((network) => byNetwork.get(network) ?? []))].sort();
    together.set(key, all);
  }
  return all;
}

function listByNetwork({ workloads }: MeshSnapshot): Callers['byNetwork'] {
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
