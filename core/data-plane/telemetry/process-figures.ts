import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { TelemetryReport } from '../../model/telemetry-report.ts';

/** Coarse on purpose: a finer timer would be the idle sidecar's main work. */
const resolutionMs = 100;

/** Memory, processor time and event loop lag of this process, as differences between two calls of `take`. */
export class ProcessFigures {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });
  #cpu = process.cpuUsage();

  constructor() {
    this.#delay.enable();
  }

  take(others: Omit<TelemetryReport['process'], 'rssBytes' | 'cpuUs' | 'eventLoopLagMs'>): TelemetryReport['process'] {
    const used = process.cpuUsage(this.#cpu);
    this.#cpu = process.cpuUsage();
    const lagMs = this.#delay.count === 0 ? 0 : this.#delay.max / 1e6 - resolutionMs;
    this.#delay.reset();
    return {
      rssBytes: process.memoryUsage.rss(),
      cpuUs: used.user + used.system,
      eventLoopLagMs: Math.max(0, Math.round(lagMs * 100) / 100),
      ...others,
    };
  }

  close(): void {
    this.#delay.disable();
  }
}
