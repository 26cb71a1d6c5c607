import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { RouteSource } from '../routes/virtual-services.ts';
import type { SidecarScope } from './sidecar-scope.ts';

/** Sources that see the same, so that it is worked out once for all of them. */
export interface SourceGroup extends RouteSource {
  readonly networks: ReadonlySet<string>;
  /** Explicit listeners name services whether they run or not. */
  readonly explicit: boolean;
  /** What a Sidecar resource lets it see. */
  readonly scope: SidecarScope;
  /** A source of the group, for priorities by its place and labels. */
  readonly place: DiscoveredWorkload;
}
