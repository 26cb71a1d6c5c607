import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { SnapshotWorkload } from '../../snapshot/snapshot.ts';
import type { ConnectionCounts } from '../push/sidecar-connection.ts';
import type { SidecarLink } from '../push/sidecar-link.ts';
import type { Sidecar, SuccessorSidecar } from '../runtime/runtime.ts';

/** The next sidecar of a workload, until it takes over. */
export interface Successor {
  readonly sidecar: SuccessorSidecar;
  readonly link: SidecarLink;
  /** The certificate it was given becomes the one that is shown. */
  certificateUsed: () => void;
  /** Its answer when it refuses its configuration. */
  refusal: { readonly code: string; readonly message: string } | null;
}

/** A renewal under way. */
export interface RenewalUnderWay {
  /** Resolves when it has ended, however. */
  readonly done: Promise<void>;
  /**
   * Before the successor has taken over: gives up. Afterwards the older sidecar's connections get this long; `null`: it
   * is left as it is.
   */
  cut(deadlineMs: number | null): void;
}

/** A workload that has, gets or loses a sidecar. What the coordinator does to it, it does one thing after the other. */
export class Attachment {
  readonly workloadId: string;
  readonly incarnation: string;
  readonly runtime: DiscoveredWorkload['runtime'];
  phase: 'attaching' | 'attached' | 'detaching' = 'attaching';
  /** Step under way, or why it is degraded. */
  reason: string | null = null;
  /** True while something is wrong with an attached one. */
  isDegraded = false;
  /** The others speak mutual TLS to it: its traffic passes its sidecar. */
  isAnnounced = false;
  /** The redirect rules are (or were) installed for the process with this connection; a restart needs them again. */
  needsRedirect = false;
  sidecar: Sidecar | null = null;
  link: SidecarLink | null = null;
  kept: ConnectionCounts | null = null;
  /** Resolves when the attach or detach under way ends, however it ends. */
  working: Promise<unknown> = Promise.resolve();
  /** Set while a drain can be taken back. */
  takeBack: (() => void) | null = null;
  /** Told when the sidecar refuses its configuration while it is being attached. */
  onNack: ((message: string) => void) | null = null;
  successor: Successor | null = null;
  renewal: RenewalUnderWay | null = null;
  retractTimer: NodeJS.Timeout | null = null;
  failedDials = 0;
  /** Its namespace is gone (stopped, restarted, removed): nothing in it has to be put back. */
  isGone = false;

  constructor(workload: Pick<DiscoveredWorkload, 'id' | 'incarnation' | 'runtime'>) {
    this.workloadId = workload.id;
    this.incarnation = workload.incarnation;
    this.runtime = workload.runtime;
  }

  close(): void {
    if (this.retractTimer !== null) clearTimeout(this.retractTimer);
    this.retractTimer = null;
    this.link?.close();
    this.successor?.link.close();
  }
}

/** What the snapshot knows of a workload's sidecar. Its listeners may grow, so this is made anew for each snapshot. */
export function toSnapshotWorkload(
  discovered: DiscoveredWorkload,
  attachment: Attachment | undefined,
): SnapshotWorkload {
  const sidecar = attachment?.sidecar ?? null;
  return {
    discovered,
    attached: attachment?.isAnnounced ?? false,
    listeners: sidecar?.listeners ?? null,
    endpointPorts: sidecar?.endpointPorts ?? [],
  };
}

/** The way to every sidecar, by workload id; a workload whose sidecar is being renewed has two. */
export function* linksOf(attachments: Iterable<Attachment>): Iterable<readonly [string, SidecarLink]> {
  for (const { workloadId, link, successor } of attachments) {
    if (link !== null) yield [workloadId, link];
    if (successor !== null) yield [workloadId, successor.link];
  }
}
