import { Lane, type LaneOptions, type LaneOwner } from './lane.ts';
import { Latencies, percentileUs } from './latencies.ts';
import type { LoadOptions, LoadResult } from './load-options.ts';
import { createBody } from './payload.ts';

export const answerTimeoutMs = 10_000;
const maxFailures = 1_000;
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the kinds of load have in common: connections, a measured part, failures that are counted whenever they happen. */
export abstract class Load implements LaneOwner {
  readonly options: LoadOptions;
  readonly lanes: Lane[];
  protected measuring = false;
  protected ending = false;
  protected lost = 0;
  readonly #latencies = new Latencies();
  readonly #lane: LaneOptions;
  #failures = 0;
  #firstFailure: string | null = null;
  #onIdle: () => void = () => undefined;

  constructor(options: LoadOptions) {
    this.options = options;
    const { port, sizeBytes, headers = '' } = options;
    this.#lane = { port, sizeBytes, headers, body: createBody(sizeBytes) };
    this.lanes = Array.from({ length: options.connections }, () => new Lane(this.#lane, this));
  }

  /** `onMeasure` is told when the measured part begins and ends. Rejects when no connection can be opened at first. */
  abstract run(onMeasure: (part: 'begin' | 'end') => void): Promise<LoadResult>;

  /** The answer of `lane` was right and the load goes on. */
  protected abstract next(lane: Lane, nowMs: number): void;

  /** What cannot be opened counts as a failure; rejects when none can. */
  protected async connect(lanes: readonly Lane[]): Promise<void> {
    const opened = lanes.map((lane) => lane.connect().catch((error: unknown) => this.#count(String(error))));
    await Promise.all(opened);
    if (!this.lanes.some((lane) => lane.open)) throw new Error(this.#firstFailure ?? 'no connection could be opened');
  }

  protected async measure(onMeasure: (part: 'begin' | 'end') => void): Promise<LoadResult> {
    await pause(this.options.warmUpMs);
    this.measuring = true;
    onMeasure('begin');
    const fromMs = performance.now();
    await pause(this.options.durationMs);
    this.measuring = false;
    const seconds = (performance.now() - fromMs) / 1_000;
    onMeasure('end');
    await this.#end();
    const sorted = this.#latencies.sorted();
    return {
      requests: this.#latencies.count,
      failures: this.#failures,
      firstFailure: this.#firstFailure,
      seconds,
      p50Us: percentileUs(sorted, 50),
      p99Us: percentileUs(sorted, 99),
      p999Us: percentileUs(sorted, 99.9),
    };
  }

  onAnswer(lane: Lane, problem: string | null): void {
    const nowMs = performance.now();
    if (problem !== null) this.#fail(lane, problem);
    else if (this.measuring) this.#latencies.add((nowMs - lane.startedMs) * 1_000);
    if (this.ending) this.#onIdle();
    else if (problem === null && lane.open) this.next(lane, nowMs);
  }

  /** Opens a fresh connection in the place of `lane` and asks over it. */
  protected replace(lane: Lane, startedMs = performance.now()): void {
    const fresh = new Lane(this.#lane, this);
    this.lanes[this.lanes.indexOf(lane)] = fresh;
    fresh.connect().then(
      () => {
        if (this.ending) fresh.close();
        else fresh.send(startedMs);
      },
      (error: unknown) => this.#count(String(error)),
    );
  }

  /** Waits for what is in flight: an answer that never comes is a failure. */
  async #end(): Promise<void> {
    this.ending = true;
    this.lost = this.lanes.filter((lane) => !lane.open).length;
    if (this.lost > 0) this.#firstFailure ??= `${this.lost} connections were closed`;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const lane of this.lanes) if (lane.busy) this.#count(`no answer within ${answerTimeoutMs} ms`);
        resolve();
      }, answerTimeoutMs);
      this.#onIdle = () => {
        if (this.lanes.some((lane) => lane.busy)) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onIdle();
    });
    for (const lane of this.lanes) lane.close();
  }

  /** The connection is replaced, so that one failure does not end the load. */
  #fail(lane: Lane, problem: string): void {
    this.#count(problem);
    lane.close();
    if (!this.ending && this.#failures < maxFailures) this.replace(lane);
  }

  #count(problem: string): void {
    this.#failures += 1;
    this.#firstFailure ??= problem;
  }
}
