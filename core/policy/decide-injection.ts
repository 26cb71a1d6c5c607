import type { DelayDistribution, InjectionConfig } from '../model/injection-config.ts';
import { createSeededRandom, type Random } from '../shared/random.ts';

export interface InjectionMoment {
  /** Control plane's wall clock. */
  readonly nowMs: number;
  /** 0: the first try of a request; more: a repetition. */
  readonly attempt: number;
}

/**
 * Decides, request by request (or connection by connection), whether an injection applies. A request counts when the
 * fault is in force (lifetime, schedule, window) and its trigger fits; among those that count the percentage is drawn from
 * the fault's own seed, one draw each, so that the same sequence is hit in the same places again.
 */
export function createInjectionDecider(injection: InjectionConfig): (moment: InjectionMoment) => boolean {
  const { percent, trigger } = injection;
  const random = createSeededRandom(injection.seed);
  let counted = 0;
  return (moment) => {
    if (percent <= 0 || !isInForce(injection, moment.nowMs)) return false;
    if (trigger.kind === 'retries' && moment.attempt === 0) return false;
    counted += 1;
    if (trigger.kind === 'first' && counted > trigger.count) return false;
    if (trigger.kind === 'every' && counted % trigger.count !== 0) return false;
    return percent >= 100 || random() * 100 < percent;
  };
}

/** Whether a fault is on at a moment, whatever the request: not expired, within its window, in an `on` turn of its schedule. */
export function isInForce(
  {
    expiresAtMs,
    sinceMs,
    schedule,
    trigger,
  }: Pick<InjectionConfig, 'expiresAtMs' | 'sinceMs' | 'schedule' | 'trigger'>,
  nowMs: number,
): boolean {
  if (expiresAtMs !== null && nowMs >= expiresAtMs) return false;
  const ageMs = nowMs - sinceMs;
  if (trigger.kind === 'window' && (ageMs < trigger.fromMs || ageMs >= trigger.untilMs)) return false;
  if (schedule === null) return true;
  const turn = ageMs - schedule.startAfterMs;
  return turn >= 0 && turn % (schedule.onMs + schedule.offMs) < schedule.onMs;
}

/** Milliseconds of one delay; never negative. Normal: two draws (Box-Muller); the others one, fixed none. */
export function drawDelayMs(delay: DelayDistribution, random: Random): number {
  switch (delay.kind) {
    case 'fixed':
      return delay.ms;
    case 'uniform':
      return delay.minMs + random() * (delay.maxMs - delay.minMs);
    case 'normal': {
      const radius = Math.sqrt(-2 * Math.log(1 - random()));
      return Math.max(0, delay.meanMs + delay.deviationMs * radius * Math.cos(2 * Math.PI * random()));
    }
    case 'percentiles':
      return percentileDelay(delay.points, random() * 100);
  }
}

/** Straight lines between the points; below the first from 0, above the last constant. */
function percentileDelay(
  points: readonly { readonly percentile: number; readonly ms: number }[],
  percentile: number,
): number {
  let before = { percentile: 0, ms: 0 };
  for (const point of points) {
    if (percentile <= point.percentile) {
      const width = point.percentile - before.percentile;
      return width === 0 ? point.ms : before.ms + ((point.ms - before.ms) * (percentile - before.percentile)) / width;
    }
    before = point;
  }
  return before.ms;
}
