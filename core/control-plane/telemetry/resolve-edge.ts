import type { EdgeKey } from '../../model/telemetry-report.ts';

/** What telemetry needs to know of a workload. */
export interface KnownWorkload {
  readonly id: string;
  /** `name.namespace`. */
  readonly service: string;
  readonly version: string | null;
  /** Its own sidecar reports its calls. */
  readonly attached: boolean;
}

/** Who is who: given by the mesh, read anew for every report. */
export interface WorkloadDirectory {
  byId(id: string): KnownWorkload | null;
  /** Workload that has this address on a network which `seenBy` (a workload id) is on as well. */
  byAddress(address: string, seenBy: string): KnownWorkload | null;
  /** True for the machine itself as `seenBy` sees it: loopback, or the gateway of one of its networks. */
  isLocal(address: string, seenBy: string): boolean;
}

export interface ResolvedEdge {
  readonly from: string;
  readonly to: string;
  readonly version: string | null;
}

export const hostCaller = 'caller:host';
export const outsideCaller = 'caller:outside';

/**
 * Nodes of an edge. The caller's own report wins (Istio: reporter=source): an inbound figure counts only when the
 * caller has no sidecar. `null`: this edge is counted by somebody else.
 */
export function resolveEdge(key: EdgeKey, reporterId: string, directory: WorkloadDirectory): ResolvedEdge | null {
  const reporter = directory.byId(reporterId);
  if (reporter === null) return null;
  const peer =
    (key.peerWorkload === null ? null : directory.byId(key.peerWorkload)) ??
    (key.peerAddress === null ? null : directory.byAddress(key.peerAddress, reporterId));
  if (key.direction === 'outbound') {
    const to = key.peerService ?? peer?.service ?? `outside:${key.serverName ?? key.peerAddress ?? 'unknown'}`;
    return { from: reporter.service, to, version: peer !== null && peer.service === to ? peer.version : null };
  }
  if (key.peerSpiffeId !== null || peer?.attached === true) return null;
  const address = key.peerAddress;
  const caller = address !== null && directory.isLocal(address, reporterId) ? hostCaller : outsideCaller;
  return { from: peer?.service ?? caller, to: reporter.service, version: reporter.version };
}
