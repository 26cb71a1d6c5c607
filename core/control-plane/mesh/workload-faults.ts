import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseDuration } from '../../model/duration.ts';
import { toServiceKeyIn } from '../../model/fault-injection.ts';
import { namespaceOf } from '../../model/resource.ts';
import { type DiscoveredWorkload, toServiceKey } from '../../model/workload.ts';
import { isInForce } from '../../policy/decide-injection.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ActiveInjection } from '../../snapshot/snapshot.ts';
import { writeAtomically } from '../identity/ca-files.ts';
import type { Disturbance, WorkloadHold } from '../runtime/runtime.ts';
import type { MeshListener } from './mesh-api.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

export interface WorkloadFaultsOptions {
  readonly registry: Pick<WorkloadRegistry, 'all' | 'get' | 'runtimeOf'>;
  /** FaultInjections that are switched on. */
  readonly active: () => readonly ActiveInjection[];
  /** Counts a workload that a fault was tried on. */
  readonly faultSeen: (fault: string, hit: boolean) => void;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Folder in which what is disturbed is written down. */
  readonly stateDir: string;
  readonly onNotice: MeshListener['onNotice'];
  readonly log: Logger;
}

interface Wanted {
  readonly fault: string;
  readonly workload: DiscoveredWorkload;
  readonly what: Disturbance;
  readonly durationMs: number | null;
}

const Stored = z.strictObject({
  formatVersion: z.literal(1),
  disturbed: z.array(z.strictObject({ workload: z.string(), what: z.enum(['pause', 'kill', 'restart']) })),
});
type Stored = z.infer<typeof Stored>;

/** Schedules and ends of faults are looked at so often, as long as there are faults of workloads. */
const intervalMs = 250;

/**
 * Faults of workloads themselves: pause, kill, restart of what runs for a service. A workload is disturbed once when its
 * fault is switched on (or its schedule's turn begins), and let go when it ends. What is disturbed is written down, so that
 * the next start can undo it; a pause ends before that, by itself, when nobody renews it (runtime/).
 */
export class WorkloadFaults {
  readonly #options: WorkloadFaultsOptions;
  readonly #file: string;
  /** By fault and workload. */
  readonly #held = new Map<string, { readonly wanted: Wanted; hold: Promise<WorkloadHold | null> }>();
  /** Of an earlier control plane. */
  #left: Stored['disturbed'] = [];
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: WorkloadFaultsOptions) {
    this.#options = options;
    this.#file = join(options.stateDir, 'disturbed.json');
  }

  /** Undoes what an earlier control plane, that was killed, has left; of workloads that are not known yet, later. */
  async recover(): Promise<void> {
    this.#left = await this.#read();
    await this.#undoLeft();
  }

  /** Faults or workloads have changed. */
  reconcile(): void {
    if (this.#isClosed) return;
    if (this.#left.length > 0) void this.#undoLeft();
    const wanted = this.#wanted();
    for (const [key, { hold }] of [...this.#held]) if (!wanted.has(key)) this.#end(key, hold);
    for (const [key, one] of wanted) if (!this.#held.has(key)) this.#begin(key, one);
    const isNeeded = this.#options.active().some(isOfWorkload);
    if (isNeeded && this.#timer === null) {
      this.#timer = setInterval(() => this.reconcile(), intervalMs);
      this.#timer.unref();
    } else if (!isNeeded) {
      this.#stopTimer();
    }
  }

  /** Resolves when every workload has been let go. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    await Promise.all([...this.#held].map(([key, { hold }]) => this.#end(key, hold)));
    await this.#writing;
  }

  async #undoLeft(): Promise<void> {
    const { registry, log } = this.#options;
    const known = this.#left.filter(({ workload }) => registry.get(workload) !== null);
    if (known.length === 0) return;
    this.#left = this.#left.filter((one) => !known.includes(one));
    for (const { workload: id, what } of known) {
      const workload = registry.get(id);
      if (workload === null) continue;
      try {
        const runtime = registry.runtimeOf(workload);
        if (runtime.undisturb === undefined) continue;
        await runtime.undisturb(id, what);
        log.info(`${workload.name}: an earlier ${what} has been undone`);
      } catch (error) {
        log.warn(`${workload.name}: an earlier ${what} could not be undone: ${String(error)}`);
      }
    }
    this.#save();
  }

  #wanted(): Map<string, Wanted> {
    const { registry, active, clock } = this.#options;
    const wanted = new Map<string, Wanted>();
    for (const injection of active().filter(isOfWorkload)) {
      const { resource, expiresAtMs } = injection;
      const what = disturbanceOf(injection);
      if (what === null || !isInForce(timingOf(injection), clock.nowMs())) continue;
      const service = toServiceKeyIn(resource.spec.to, namespaceOf(resource));
      const durationMs = expiresAtMs === null ? null : Math.max(1, expiresAtMs - clock.nowMs());
      for (const workload of registry.all()) {
        if (toServiceKey(workload.service, workload.namespace) !== service) continue;
        // What runs anew is paused again, but killed or restarted only once.
        const key = `${resource.metadata.name} ${what === 'pause' ? workload.incarnation : ''} ${workload.id}`;
        if (workload.state === 'running' || this.#held.has(key))
          wanted.set(key, { fault: resource.metadata.name, workload, what, durationMs });
      }
    }
    return wanted;
  }

  #begin(key: string, wanted: Wanted): void {
    const { registry, leaseMs, log, onNotice, faultSeen } = this.#options;
    const { fault, workload, what, durationMs } = wanted;
    const begin = async (): Promise<WorkloadHold | null> => {
      try {
        const runtime = registry.runtimeOf(workload);
        if (runtime.disturb === undefined) throw new Error(`a ${workload.runtime} workload cannot be disturbed`);
        // Before: a control plane that is killed in between leaves something to look at.
        await this.#writing;
        const hold = await runtime.disturb(workload.id, what, { leaseMs, durationMs });
        log.info(`${workload.name}: ${what}`);
        faultSeen(fault, true);
        return hold;
      } catch (error) {
        faultSeen(fault, false);
        const message = error instanceof Error ? error.message : String(error);
        onNotice({ level: 'error', code: null, message: `The fault does not act on ${workload.name}: ${message}` });
        return null;
      }
    };
    const entry = { wanted, hold: Promise.resolve<WorkloadHold | null>(null) };
    this.#held.set(key, entry);
    this.#save();
    entry.hold = begin();
  }

  async #end(key: string, hold: Promise<WorkloadHold | null>): Promise<void> {
    const name = this.#held.get(key)?.wanted.workload.name ?? key;
    this.#held.delete(key);
    try {
      await (await hold)?.end();
      this.#save();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.onNotice({ level: 'error', code: null, message: `${name} could not be let go: ${message}` });
    }
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #read(): Promise<Stored['disturbed']> {
    try {
      return Stored.parse(JSON.parse(await readFile(this.#file, 'utf8'))).disturbed;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#options.log.warn(`${this.#file} cannot be read: ${String(error)}`);
      }
      return [];
    }
  }

  #save(): void {
    const write = async () => {
      const disturbed = [...this.#held.values()].map(({ wanted }) => ({
        workload: wanted.workload.id,
        what: wanted.what,
      }));
      const content: Stored = { formatVersion: 1, disturbed: [...this.#left, ...disturbed] };
      await writeAtomically(this.#file, `${JSON.stringify(content)}\n`);
    };
    this.#writing = this.#writing
      .then(write)
      .catch((error: unknown) => this.#options.log.error(`${this.#file} cannot be written`, error));
  }
}

function isOfWorkload({ resource }: ActiveInjection): boolean {
  return resource.spec.fault.workload !== undefined;
}

function disturbanceOf({ resource }: ActiveInjection): Disturbance | null {
  const { pause, kill, restart } = resource.spec.fault.workload ?? {};
  if (pause !== undefined) return 'pause';
  if (kill !== undefined) return 'kill';
  return restart === undefined ? null : 'restart';
}

/** Triggers that count requests say nothing about a workload; a window does. */
function timingOf({ resource, sinceMs, expiresAtMs }: ActiveInjection): Parameters<typeof isInForce>[0] {
  const { schedule, trigger } = resource.spec;
  const ms = (text: string | undefined) => parseDuration(text ?? '0s') ?? 0;
  return {
    sinceMs,
    expiresAtMs,
    schedule:
      schedule === undefined
        ? null
        : { startAfterMs: ms(schedule.startAfter), onMs: ms(schedule.on), offMs: ms(schedule.off) },
    trigger:
      trigger?.window === undefined
        ? { kind: 'always' }
        : { kind: 'window', fromMs: ms(trigger.window.from), untilMs: ms(trigger.window.until) },
  };
}
