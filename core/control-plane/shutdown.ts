import type { Logger } from '../shared/logger.ts';

/** One part may take this long; detaching many workloads is the longest. */
const defaultPartDeadlineMs = 20_000;

/** Ends parts in the reverse order in which they began. One that fails or hangs does not keep the others from ending. */
export class Shutdown {
  readonly #log: Logger;
  readonly #partDeadlineMs: number;
  readonly #parts: { readonly name: string; readonly end: () => unknown }[] = [];
  #running: Promise<void> | null = null;

  constructor(log: Logger, partDeadlineMs = defaultPartDeadlineMs) {
    this.#log = log;
    this.#partDeadlineMs = partDeadlineMs;
  }

  add(name: string, end: () => unknown): void {
    this.#parts.push({ name, end });
  }

  /** Ends everything, once; later calls wait for the first. */
  run(): Promise<void> {
    this.#running ??= this.#endAll();
    return this.#running;
  }

  async #endAll(): Promise<void> {
    for (const { name, end } of this.#parts.splice(0).reverse()) {
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`not ended within ${this.#partDeadlineMs} ms`)),
          this.#partDeadlineMs,
        );
      });
      try {
        await Promise.race([Promise.resolve().then(end), deadline]);
      } catch (error) {
        this.#log.error(`ending ${name} failed`, error);
      } finally {
        clearTimeout(timer);
      }
    }
  }
}
