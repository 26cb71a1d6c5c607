/** Ids that are kept over restarts, one set per file of the state folder. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Logger } from '../shared/logger.ts';
import { writeAtomically } from './identity/ca-files.ts';

const Stored = z.strictObject({ formatVersion: z.literal(1), workloads: z.array(z.string()) });

export interface IdFileOptions {
  readonly file: string;
  /** What follows from a file that cannot be read, for the log. */
  readonly without: string;
  readonly log: Logger;
}

/** A set of ids and the file that says the same. Writing never rejects: a failure is logged, and the set goes on. */
export class IdFile {
  readonly #options: IdFileOptions;
  readonly #ids = new Set<string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(options: IdFileOptions) {
    this.#options = options;
  }

  /** What an earlier run wrote; no file is an empty set. */
  async load(): Promise<void> {
    const { file, without, log } = this.#options;
    try {
      for (const id of Stored.parse(JSON.parse(await readFile(file, 'utf8'))).workloads) this.#ids.add(id);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      log.warn(`${file} cannot be read; ${without}: ${String(error)}`);
    }
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  ids(): string[] {
    return [...this.#ids];
  }

  add(id: string): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#save();
  }

  delete(id: string): void {
    if (this.#ids.delete(id)) this.#save();
  }

  /** Resolves when the file says what the set says. */
  async close(): Promise<void> {
    await this.#writing;
  }

  #save(): void {
    const { file, log } = this.#options;
    const save = () => writeAtomically(file, `${JSON.stringify({ formatVersion: 1, workloads: this.ids() })}\n`);
    this.#writing = this.#writing.then(save).catch((error: unknown) => log.error(`${file} cannot be written`, error));
  }
}
