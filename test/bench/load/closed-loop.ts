import { Lane, type LaneOptions, type LaneOwner } from './lane.ts';
import { Latencies, percentileUs } from './latencies.ts';
import type { LoadOptions, LoadResult } from './load-options.ts';
import { createBody } from './payload.ts';

const answerTimeoutMs = 10_000;

/** Throughput: every connection asks again as soon as it has its answer. Rejects when a connection cannot be opened. */
export class ClosedLoop implements LaneOwner {
  readonly #latencies = new Latencies();
  readonly #options: LoadOptions;
  readonly #lanes: Lane[];
  #measuring = false;
  #ending = false;
  #failures = 0;
  #firstFailure: string | null = null;
  #onIdle: () => void = () => undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { port, sizeBytes, headers = '' } = options;
    const lane: LaneOptions = { port, sizeBytes, headers, body: createBody(sizeBytes) };
    this.#lanes = Array.from({ length: options.connections }, () => new Lane(lane, this));
  }

  /** `onMeasure` is told when the measured part begins and ends. */
  async run(onMeasure: (part: 'begin' | 'end') => void): Promise<LoadResult> {
    for (const lane of this.#lanes) await lane.connect();
    for (const lane of this.#lanes) lane.send(performance.now());
    await pause(this.#options.warmUpMs);
    this.#measuring = true;
    onMeasure('begin');
    const fromMs = performance.now();
    await pause(this.#options.durationMs);
    this.#measuring = false;
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
    else if (this.#measuring) this.#latencies.add((nowMs - lane.startedMs) * 1_000);
    if (this.#ending) this.#onIdle();
    else if (lane.open && problem === null) lane.send(nowMs);
  }

  /** Counted whenever it happens. The connection is replaced, so that one failure does not end the load. */
  #fail(lane: Lane, problem: string): void {
    this.#failures += 1;
    this.#firstFailure ??= problem;
    lane.close();
    if (this.#ending || this.#failures > 1_000) return;
    const fresh = new Lane(lane.options, this);
    this.#lanes[this.#lanes.indexOf(lane)] = fresh;
    fresh.connect().then(
      () => fresh.send(performance.now()),
      (error: unknown) => {
        this.#firstFailure ??= String(error);
      },
    );
  }

  /** Waits for what is in flight: an answer that never comes is a failure. */
  async #end(): Promise<void> {
    this.#ending = true;
    const idle = () => this.#lanes.every((lane) => !lane.busy);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#failures += this.#lanes.filter((lane) => lane.busy).length;
        this.#firstFailure ??= `no answer within ${answerTimeoutMs} ms`;
        resolve();
      }, answerTimeoutMs);
      this.#onIdle = () => {
        if (!idle()) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onIdle();
    });
    for (const lane of this.#lanes) lane.close();
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
