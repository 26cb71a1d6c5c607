/**
 * `export/`: what was tried on the desk as the configuration of a production mesh. One folder per target, one line in
 * `exporters.ts`. Exporter: pure function from what exists to files and findings; finding: what became of one thing
 * (`mapped`: says the same there; `approximated`: nearly; `dropped`: that target cannot say it), always with the reason.
 * Must not: write files, read clocks (the same mesh gives the same bytes), leave anything out in silence.
 */
import type { ExportFile, ExportFinding } from '../contract/shapes.ts';
import type { FaultDefinition } from '../model/fault-injection.ts';
import type { MeshSnapshot } from '../snapshot/snapshot.ts';

export interface ExportInput {
  readonly snapshot: MeshSnapshot;
  /** All faults that are defined. Those that are switched on are in the snapshot. */
  readonly faultDefinitions: readonly FaultDefinition[];
}

export interface Exported {
  /** Paths are relative, with `/`. */
  readonly files: readonly ExportFile[];
  readonly findings: readonly ExportFinding[];
}

export interface Exporter {
  /** How it is asked for: `istio`. */
  readonly target: string;
  readonly title: string;
  export(input: ExportInput): Exported;
}
