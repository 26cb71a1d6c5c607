import { getHeapStatistics } from 'node:v8';
import type { ConnectionAdmission } from '../listener/listener-set.ts';
import { countOpenFiles } from './open-files.ts';
import type { Overload } from './overload.ts';

const sampleMs = 250;

/** Takes the readings while there are connections; without any, the process sleeps. */
export class OverloadWatch implements ConnectionAdmission {
  readonly #overload: Overload;
  #timer: NodeJS.Timeout | null = null;
  #dueAtMs = 0;

  constructor(overload: Overload) {
    this.#overload = overload;
  }

  opened(listener: string): boolean {
    this.#wake();
    return this.#overload.opened(listener);
  }

  closed(listener: string): void {
    this.#overload.closed(listener);
  }

  #wake(): void {
    if (this.#timer !== null) return;
    this.#dueAtMs = performance.now() + sampleMs;
    this.#timer = setInterval(() => this.#sample(), sampleMs);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #sample(): void {
    const now = performance.now();
    const lagMs = Math.max(0, now - this.#dueAtMs);
    this.#dueAtMs = now + sampleMs;
    const heap = getHeapStatistics();
    this.#overload.sample({
      openFiles: this.#overload.mayLackFiles ? countOpenFiles() : 0,
      heapShare: heap.used_heap_size / heap.heap_size_limit,
      rssBytes: this.#overload.isCrowded ? process.memoryUsage.rss() : 0,
      lagMs,
    });
    if (this.#overload.connections === 0 && this.#overload.level === 'none') this.close();
  }
}
