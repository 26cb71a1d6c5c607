/** SMI TrafficSplit as one route: requests for `service` go to the backends by weight. */
import { namespaceOf } from '../../model/resource.ts';
import type { HttpRoute } from '../../model/sidecar-config.ts';
import { splitWeight, type TrafficSplit } from '../../model/traffic-split.ts';
import { resolveHost } from '../host-names.ts';
import type { SnapshotService } from '../snapshot.ts';

/** The oldest split of a service; `null`: it has none. Matches (HTTPRouteGroup) are not applied, so a split with them is left out. */
export function compileTrafficSplit(
  splits: readonly TrafficSplit[],
  service: SnapshotService,
  services: ReadonlyMap<string, SnapshotService>,
): HttpRoute | null {
  const split = splits.find(
    (candidate) =>
      (candidate.spec.matches?.length ?? 0) === 0 &&
      resolveHost(candidate.spec.service, namespaceOf(candidate), services).key === service.key,
  );
  if (split === undefined) return null;
  const destinations = split.spec.backends.map((backend) => ({
    service: resolveHost(backend.service, namespaceOf(split), services).key,
    subset: null,
    port: null,
    weight: splitWeight(backend.weight),
  }));
  return { name: split.metadata.name, match: [], destinations, timeoutMs: null };
}
