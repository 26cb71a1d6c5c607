/**
 * What the rest of the control plane sees of the mesh: one handler of the contract is one call here. Everything that
 * the user did wrong rejects (or throws) with a `MeshError`.
 */
import type { EventPayload, MethodInput, MethodOutput, MethodParsed, Selection } from '../../contract/contract.ts';
import type {
  CertificateCheck,
  CertificateView,
  CleanupResult,
  DoctorCheck,
  FaultView,
  MeshStatus,
  Progress,
  Series,
  SplitView,
  Topology,
  WorkloadResult,
  WorkloadView,
} from '../../contract/shapes.ts';
import type { FaultDefinition } from '../../model/fault-injection.ts';
import type { Finding } from '../../model/finding.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import type { TerminalSession } from '../runtime/runtime.ts';

export interface MeshFaults {
  list(): FaultView[];
  set(input: MethodInput<'fault.set'>): Promise<FaultView>;
  toggle(id: string, enabled: boolean): Promise<FaultView>;
  /** Removes one fault or all; answers with those that are left. */
  clear(which: { id: string } | { all: true }): Promise<FaultView[]>;
}

export interface MeshSplits {
  list(): SplitView[];
  /** @param service `name` or `name.namespace` */
  show(service: string, windowSeconds?: number): SplitView;
  /** Resolves when the callers' sidecars have acknowledged it, at most 5 s later. */
  set(input: MethodInput<'split.set'>): Promise<SplitView>;
  clear(service: string): Promise<SplitView>;
}

export interface MeshCertificates {
  list(): CertificateView[];
  /** @param workload name or id */
  show(workload: string): CertificateView;
  rotate(which: { workload: string } | { all: true } | { root: true }): Promise<CertificateView[]>;
  verify(workload: string): CertificateCheck;
}

export interface MeshRequests {
  /** Those that sidecars told of, newest first. */
  recent(query: MethodParsed<'request.recent'>): MethodOutput<'request.recent'>;
  explain(input: MethodParsed<'request.explain'>): MethodOutput<'request.explain'>;
}

export type MeshChange = 'status' | 'workloads' | 'faults' | 'splits';

/** Told when something changed. `onChange` says only what: fetch it again; it may come in bursts. */
export interface MeshListener {
  onChange(what: MeshChange): void;
  onCertificate(event: EventPayload<'certificates'>): void;
  onProgress(progress: Progress): void;
  onNotice(notice: EventPayload<'notice'>): void;
}

export interface MeshApi {
  readonly faults: MeshFaults;
  readonly splits: MeshSplits;
  readonly certificates: MeshCertificates;
  /** Starts discovery, adopts sidecars that an earlier run left, attaches again what was attached. */
  start(): Promise<void>;
  status(): MeshStatus;
  workloads(): WorkloadView[];
  attach(select: Selection): Promise<WorkloadResult[]>;
  /** @param deadlineMs how long long-lived TCP connections are kept; default 10,000; 0 closes them at once */
  detach(select: Selection, deadlineMs?: number): Promise<WorkloadResult[]>;
  /**
   * Hot restart of their sidecars; without names, of those that are attached. The result's `reason` says so when it could
   * not be done without a short gap.
   * @param deadlineMs how long the older sidecars keep connections that do not end by themselves; default 30,000
   */
  renew(select: Selection, deadlineMs?: number): Promise<WorkloadResult[]>;
  topology(windowSeconds?: number): Topology;
  series(query: MethodParsed<'series.get'>): Series;
  readonly requests: MeshRequests;
  /** Snapshot in force, for export and explanations. */
  snapshot(): MeshSnapshot;
  /** What does not fit together; the same list as long as nothing changes. */
  findings(): readonly Finding[];
  /** Faults that are defined, whether or not they are switched on. */
  faultDefinitions(): readonly FaultDefinition[];
  openTerminal(request: MethodParsed<'terminal.open'>): Promise<TerminalSession>;
  doctor(): Promise<DoctorCheck[]>;
  cleanup(): Promise<CleanupResult>;
  /** Workload by name or id: NOT_FOUND with suggestions, AMBIGUOUS_NAME with the ids. */
  findWorkload(nameOrId: string): WorkloadView;
  /** Returns what takes the listener away again. */
  listen(listener: MeshListener): () => void;
  /** Sidecars keep running with their last configuration unless `detach` is asked for. */
  close(options?: { detach?: boolean }): Promise<void>;
}
