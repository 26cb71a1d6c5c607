import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { Clock } from '../../shared/clock.ts';
import { runLimited } from './run-limited.ts';

/** May resolve with a remark for the user, a string. */
export type WorkloadWork = (workload: DiscoveredWorkload) => Promise<unknown>;

export interface Outcome {
  readonly workload: DiscoveredWorkload;
  /** Why it failed, or what else there is to say. */
  readonly remark: string | null;
  readonly durationMs: number;
}

/** At most `limit` at a time. Rejects with the first failure when all of them failed; else the outcomes say which did. */
export async function workOnEach(
  workloads: readonly DiscoveredWorkload[],
  work: WorkloadWork,
  options: { readonly limit: number; readonly clock: Clock },
): Promise<Outcome[]> {
  const durations = new Map<string, number>();
  const results = await runLimited(workloads, Math.max(1, options.limit), async (workload) => {
    const startedAt = options.clock.monotonicMs();
    try {
      const remark = await work(workload);
      return typeof remark === 'string' ? remark : null;
    } finally {
      durations.set(workload.id, Math.round(options.clock.monotonicMs() - startedAt));
    }
  });
  const failed = results.filter((result) => result.status === 'rejected');
  if (failed[0] !== undefined && failed.length === workloads.length) throw failed[0].reason;
  return workloads.map((workload, index) => ({
    workload,
    remark: toRemark(results[index]),
    durationMs: durations.get(workload.id) ?? 0,
  }));
}

function toRemark(result: PromiseSettledResult<string | null> | undefined): string | null {
  if (result?.status !== 'rejected') return result?.value ?? null;
  return result.reason instanceof Error ? result.reason.message : null;
}
