import type { FaultView, Topology, TopologyEdge, TopologyNode } from '../../core/contract/shapes.ts';

/** `name.namespace`, as faults and splits name services; the bare name for hosts outside and callers. */
export function serviceKeyOf({ service, namespace }: Pick<TopologyNode, 'service' | 'namespace'>): string {
  return namespace === null ? service : `${service}.${namespace}`;
}

export function findNode(topology: Topology | null, id: string): TopologyNode | undefined {
  return topology?.nodes.find((node) => node.id === id);
}

export interface EdgeEnds {
  readonly edge: TopologyEdge;
  readonly from: TopologyNode;
  readonly to: TopologyNode;
}

/** An edge with both of its nodes; `null` while one of them is unknown. */
export function findEdge(topology: Topology | null, id: string): EdgeEnds | null {
  const edge = topology?.edges.find((other) => other.id === id);
  const from = edge && findNode(topology, edge.from);
  const to = edge && findNode(topology, edge.to);
  return edge && from && to ? { edge, from, to } : null;
}

export function faultsOf(
  faults: readonly FaultView[],
  { from, to }: Pick<EdgeEnds, 'from' | 'to'>,
): readonly FaultView[] {
  return faults.filter(
    (fault) => fault.to === serviceKeyOf(to) && (fault.from === null || fault.from === serviceKeyOf(from)),
  );
}

/** `delay 400 ms`, `abort 503`. */
export function describeAction({ kind, strength }: Pick<FaultView, 'kind' | 'strength'>): string {
  return `${kind} ${strength}`.trim();
}
