import { Worker } from 'node:worker_threads';
import { Latencies, percentileUs } from './latencies.ts';
import { Load } from './load.ts';
import type { LoadResult } from './load-options.ts';

/**
 * Wakes the main thread when a request is due. Timers of the event loop are a millisecond coarse and spinning would take the
 * core from the application, so a thread sleeps in `Atomics.wait`, which is exact to some tens of microseconds.
 */
const ticker = `
const { parentPort, workerData } = require('node:worker_threads');
const { cell, startMs, intervalMs } = workerData;
const now = () => performance.timeOrigin + performance.now();
for (let at = startMs; Atomics.load(cell, 0) === 0; ) {
  const restMs = at - now();
  if (restMs > 0) { Atomics.wait(cell, 0, 0, restMs); continue; }
  parentPort.postMessage(0);
  at = Math.max(at + intervalMs, at + Math.floor((now() - at) / intervalMs) * intervalMs);
}
`;

/**
 * Requests leave at a constant rate whatever the answers do. Latency counts from the moment a request was due, so that a stall
 * is charged to every request it held up (no coordinated omission).
 */
export class OpenLoop extends Load {
  readonly #late = new Latencies();
  readonly #backlog: number[] = [];
  readonly #intervalMs = 1_000 / (this.options.ratePerSecond ?? 1_000);
  #nextDueMs = 0;

  override async run(onMeasure: (part: 'begin' | 'end') => void): Promise<LoadResult> {
    await this.connect(this.lanes);
    const cell = new Int32Array(new SharedArrayBuffer(4));
    this.#nextDueMs = performance.now() + 100;
    const startMs = performance.timeOrigin + this.#nextDueMs;
    const worker = new Worker(ticker, { eval: true, workerData: { cell, startMs, intervalMs: this.#intervalMs } });
    worker.on('message', () => this.#tick());
    try {
      const result = await this.measure(onMeasure);
      const late = this.#late.sorted();
      return { ...result, lateP50Us: percentileUs(late, 50), lateP99Us: percentileUs(late, 99) };
    } finally {
      Atomics.store(cell, 0, 1);
      Atomics.notify(cell, 0);
      await worker.terminate();
    }
  }

  protected override next(lane: Load['lanes'][number]): void {
    const dueMs = this.#backlog.shift();
    if (dueMs !== undefined) lane.send(dueMs);
  }

  #tick(): void {
    if (this.ending) return;
    const nowMs = performance.now();
    for (; this.#nextDueMs <= nowMs; this.#nextDueMs += this.#intervalMs) {
      if (this.measuring) this.#late.add((nowMs - this.#nextDueMs) * 1_000);
      const idle = this.lanes.find((lane) => lane.open && !lane.busy);
      if (idle === undefined) this.#backlog.push(this.#nextDueMs);
      else idle.send(this.#nextDueMs);
    }
  }
}
