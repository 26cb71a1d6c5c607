import type { TelemetrySink } from '../connection.ts';
import type { CompiledFault } from './compiled-service.ts';

export interface DrawnFaults {
  /** 0: none. Delays of several faults add up. */
  readonly delayMs: number;
  /** `null`: none. The first abort that hits wins; it comes after the delay (Envoy's order). */
  readonly abortStatus: number | null;
}

/** Draws every fault in scope once, independently of the others, and counts it. */
export function drawFaults(faults: readonly CompiledFault[], nowMs: number, telemetry: TelemetrySink): DrawnFaults {
  let delayMs = 0;
  let abortStatus: number | null = null;
  for (const { config, decide } of faults) {
    const hit = decide(nowMs);
    telemetry.faultSeen(config.id, hit);
    if (!hit) continue;
    if (config.action.kind === 'delay') delayMs += config.action.delayMs;
    else abortStatus ??= config.action.httpStatus;
  }
  return { delayMs, abortStatus };
}
