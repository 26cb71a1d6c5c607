import { type DiscoveredWorkload, toServiceKey } from '../../model/workload.ts';
import type { WorkloadDirectory } from '../telemetry/resolve-edge.ts';
import type { Attachment } from './attachment.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

/** Who is who, for telemetry. */
export function createWorkloadDirectory(
  registry: WorkloadRegistry,
  attachments: ReadonlyMap<string, Attachment>,
): WorkloadDirectory {
  const toKnown = (workload: DiscoveredWorkload | null) =>
    workload === null
      ? null
      : {
          id: workload.id,
          service: toServiceKey(workload.service, workload.namespace),
          version: workload.version,
          attached: attachments.get(workload.id)?.isAnnounced ?? false,
        };
  return {
    byId: (id) => toKnown(registry.get(id)),
    byAddress: (address, seenBy) => toKnown(registry.byAddress(address, seenBy)),
    isLocal: (address, seenBy) => registry.isLocal(address, seenBy),
  };
}
