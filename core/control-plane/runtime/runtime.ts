/**
 * Where workloads live. One interface, two implementations: docker/ and process/. A runtime discovers workloads, starts
 * and stops sidecars next to them, and switches the traffic over; it knows nothing of routes, faults or certificates.
 */
import type { Duplex } from 'node:stream';
import type { CleanupResult, DoctorCheck, EngineStatus, Progress } from '../../contract/shapes.ts';
import type { ListenerConfig } from '../../model/sidecar-config.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';

export interface Sidecar {
  readonly workloadId: string;
  /** Incarnation of the workload it was started for; another one means it serves a namespace that is gone. */
  readonly incarnation: string;
  /** Process runtime: grows when a service appears, so read it anew for every snapshot. */
  readonly listeners: ListenerConfig;
  /** Where this sidecar accepts traffic for its workload, by `WorkloadPort.port`. Docker: the ports themselves. */
  readonly endpointPorts: readonly { port: number; targetPort: number }[];
  /** Opens a byte stream to the sidecar's control socket. Rejects with SIDECAR_UNREACHABLE. */
  connect(): Promise<Duplex>;
  /** Brings the workload's traffic to the sidecar. Idempotent; process runtime: nothing to do. */
  redirect(): Promise<void>;
  /** Takes it away again: new connections go straight to the application. Idempotent. */
  undirect(): Promise<void>;
  /** Ends the sidecar and removes everything of it. Idempotent. */
  remove(): Promise<void>;
}

/** A second sidecar of a workload, beside the one that serves it. */
export interface SuccessorSidecar extends Sidecar {
  /** From now on it is the workload's sidecar, also for a later control plane; the older one is left to be removed. */
  confirm(): Promise<void>;
}

export interface TerminalSession {
  onData(handler: (data: string) => void): void;
  onExit(handler: (code: number | null) => void): void;
  write(data: string): void;
  resize(columns: number, rows: number): Promise<void>;
  close(): void;
}

/** What a fault does to a workload itself. */
export type Disturbance = 'pause' | 'kill' | 'restart';

export interface HoldLimits {
  /** A pause ends so long after the control plane was heard of last. */
  readonly leaseMs: number;
  /** `null`: as long as it is held. */
  readonly durationMs: number | null;
}

/** A workload that is disturbed. */
export interface WorkloadHold {
  /** Undoes it: a pause ends, what was killed is started again. Idempotent. */
  end(): Promise<void>;
}

export interface RuntimeEvents {
  /** The list of workloads changed. */
  onWorkloads(workloads: readonly DiscoveredWorkload[]): void;
  onEngine(status: EngineStatus): void;
  onProgress(progress: Progress): void;
  onNotice(notice: { level: 'info' | 'warn' | 'error'; code: string | null; message: string }): void;
}

export interface Runtime {
  readonly kind: 'docker' | 'process' | 'gateway';
  /** Starts discovery; returns at once, an absent engine is a state and is retried. */
  start(events: RuntimeEvents): Promise<void>;
  workloads(): readonly DiscoveredWorkload[];
  engine(): EngineStatus;
  /** Starts a sidecar, or takes over the one that already serves this incarnation. No traffic passes it yet. */
  startSidecar(workloadId: string): Promise<Sidecar>;
  /**
   * Starts a sidecar of the program as it is now beside `sidecar`, in the same place: it can listen on the same ports
   * where the system allows that. Until it is confirmed it counts for nothing and is gone after a restart of ours.
   */
  startSuccessor(sidecar: Sidecar): Promise<SuccessorSidecar>;
  /** Whether `sidecar` runs the program that `startSidecar` would start now. May build an image first. */
  isCurrent(sidecar: Sidecar): Promise<boolean>;
  /**
   * Sidecars of ours that were found running (an earlier control plane left them) and serve a living workload. Several
   * of one workload: the first is the one in charge, the others have handed over to it and are left to be removed.
   */
  adopt(): Promise<readonly Sidecar[]>;
  openTerminal(request: {
    workloadId: string;
    target: 'workload' | 'sidecar';
    kind: 'logs' | 'shell';
    columns: number;
    rows: number;
  }): Promise<TerminalSession>;
  doctor(): Promise<readonly DoctorCheck[]>;
  /** Resolves when it is done. Rejects where this runtime cannot do it to this workload. Absent: to none. */
  disturb?(workloadId: string, what: Disturbance, limits: HoldLimits): Promise<WorkloadHold>;
  /** Undoes what an earlier control plane has left. Idempotent. Absent: `start` does, or there is nothing to undo. */
  undisturb?(workloadId: string, what: Disturbance): Promise<void>;
  /** Removes everything of ours that this runtime can find, attached or left over. */
  cleanup(): Promise<CleanupResult>;
  close(): Promise<void>;
}
