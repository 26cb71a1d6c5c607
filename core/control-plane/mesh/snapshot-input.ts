import { defaultTrustDomain } from '../../model/identity.ts';
import { defaultRootNamespace, type SnapshotInput } from '../../snapshot/snapshot.ts';
import { type Attachment, toSnapshotWorkload } from './attachment.ts';
import type { FaultBook } from './fault-book.ts';
import type { MeshOptions } from './mesh-options.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

/** Everything that a snapshot is made of, as it is now. */
export function toSnapshotInput(
  { trustDomain = defaultTrustDomain, rootNamespace = defaultRootNamespace, resources, credentials }: MeshOptions,
  registry: WorkloadRegistry,
  attachments: ReadonlyMap<string, Attachment>,
  faults: FaultBook,
): Omit<SnapshotInput, 'revision'> {
  return {
    ...{ trustDomain, rootNamespace },
    resources: resources.all(),
    hasCredential: (name) => credentials?.find(name) != null,
    credentialProblem: (name) => credentials?.problemOf(name) ?? null,
    hasRoots: (name) => credentials?.findRoots(name) != null,
    faults: faults.active(),
    injections: faults.injections(),
    workloads: registry.all().map((discovered) => toSnapshotWorkload(discovered, attachments.get(discovered.id))),
  };
}
