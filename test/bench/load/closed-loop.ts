import { answerTimeoutMs, Load, pause } from './load.ts';
import type { LoadResult } from './load-options.ts';

/** Throughput: every connection asks again as soon as it has its answer. */
export class ClosedLoop extends Load {
  override async run(onMeasure: (part: 'begin' | 'end') => void): Promise<LoadResult> {
    await this.connect(this.lanes);
    for (const lane of this.lanes) lane.send(performance.now());
    return this.measure(onMeasure);
  }

  protected override next(lane: Load['lanes'][number], nowMs: number): void {
    lane.send(nowMs);
  }
}

const openedAtOnce = 250;

/** A new connection for every request, `connections` at a time; latency counts from before it is opened. */
export class Churn extends Load {
  override async run(onMeasure: (part: 'begin' | 'end') => void): Promise<LoadResult> {
    for (const lane of this.lanes) this.replace(lane);
    return this.measure(onMeasure);
  }

  protected override next(lane: Load['lanes'][number]): void {
    lane.close();
    this.replace(lane);
  }
}

/** Connections that have had one answer each and then do nothing; the measured part is that nothing. */
export class Idle extends Load {
  override async run(onMeasure: (part: 'begin' | 'end') => void): Promise<LoadResult> {
    for (let at = 0; at < this.lanes.length; at += openedAtOnce) {
      const some = this.lanes.slice(at, at + openedAtOnce);
      await this.connect(some);
      for (const lane of some) lane.send(performance.now());
      const deadlineMs = performance.now() + answerTimeoutMs;
      while (some.some((lane) => lane.busy) && performance.now() < deadlineMs) await pause(1);
    }
    const result = await this.measure(onMeasure);
    const lost = this.lost;
    return { ...result, requests: this.lanes.length, failures: result.failures + lost };
  }

  protected override next(): void {
    // idle from here on
  }
}
