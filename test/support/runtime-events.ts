import type { RuntimeEvents } from '../../core/control-plane/runtime/runtime.ts';
import type { DiscoveredWorkload } from '../../core/model/workload.ts';

/** Records what a runtime tells. */
export class RecordedRuntimeEvents implements RuntimeEvents {
  readonly workloads: (readonly DiscoveredWorkload[])[] = [];
  readonly notices: string[] = [];

  onWorkloads(workloads: readonly DiscoveredWorkload[]): void {
    this.workloads.push(workloads);
  }
  onEngine(): void {
    // the process runtime has no engine
  }
  onProgress(): void {
    // nothing of it is looked at
  }
  onNotice(notice: { message: string }): void {
    this.notices.push(notice.message);
  }
}
